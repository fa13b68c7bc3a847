"""What a backend is: it turns plans into programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from thalweg.backends.state import Variables
from thalweg.backends.trace import RunTrace
from thalweg.base.dims import Given
from thalweg.base.dtypes import DType
from thalweg.base.record import Record, field
from thalweg.passes.plan import Interface, Plan


class MiniBatches(Record):
    """A feed whose mini-batches are rows of an array, others in each step of a loop.

    Attributes:
        source: contiguous, its first axis the rows.
        order: int64 [steps, batch], contiguous: the numbers of the rows that each step takes. The
            memory goes on for another batch of numbers, whose rows may be fetched in vain.
        dtype: of what a step is fed; that of the source, or one that can hold all its values.
        kept: where a backend keeps what it has made of the source, as long as the loop lasts.
    """

    source: np.ndarray[Any, Any]
    order: np.ndarray[Any, Any]
    dtype: np.dtype[Any]
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """What a step is fed."""
        return (*self.order.shape[1:], *self.source.shape[1:])

    def batch(self, step: int | slice) -> np.ndarray[Any, Any]:
        """What one step is fed, or several along a new first axis: a copy."""
        made: np.ndarray[Any, Any] = self.source[self.order[step]].astype(self.dtype, copy=False)
        return made


Feed = np.ndarray[Any, Any] | MiniBatches


class Program(Protocol):
    """A plan made ready to run any number of times, by one thread at a time."""

    @property
    def finished(self) -> int:
        """How many steps the latest `run_steps` has made: fewer than asked for if it failed."""
        ...

    def run(
        self, feeds: Sequence[np.ndarray[Any, Any]], run_counter: int
    ) -> list[np.ndarray[Any, Any]]:
        """Run once: update the store's variables and return the fetches' values, in order.

        Args:
            feeds: contiguous arrays with the shapes and dtypes of the plan's feeds, in order.
            run_counter: the number of the run, which random numbers are indexed by.

        Returns:
            arrays that nothing else writes to.

        Raises:
            InvalidArgumentError: an operation cannot take the values that it is given.
        """
        ...

    def trace(
        self, feeds: Sequence[np.ndarray[Any, Any]], run_counter: int, trace: RunTrace
    ) -> list[np.ndarray[Any, Any]]:
        """Run once as `run` does, and note what ran when.

        Args:
            feeds: as for `run`.
            run_counter: as for `run`.
            trace: where to note it.
        """
        ...

    def tune(self) -> dict[str, float]:
        """Find out how the program would be faster; the next one like it will be.

        Returns:
            by what is computed together, how many times faster that will be.
        """
        ...

    def run_steps(
        self, feeds: Sequence[Feed], run_counter: int, steps: int
    ) -> list[np.ndarray[Any, Any]]:
        """Run `steps` times, with consecutive numbers of the run.

        Args:
            feeds: as for `run`, the same in every step; or rows, of as many steps.
            run_counter: the number of the first run.
            steps: how many; none at all tells the shapes.

        Returns:
            the values of the fetches of all steps, along a new first axis.

        Raises:
            InvalidArgumentError: as `run` does; the steps before that one have been made.
        """
        ...

    def at(self, given: Sequence[Given]) -> Program | None:
        """The program of the same plan for other extents; None if they need a plan of their own.

        Args:
            given: what the plan's trace is given; see `passes.specialise.given`.
        """
        ...

    def clone(self, workspace: int | None) -> Program:
        """A copy of the program in another workspace: it may run while this one does.

        Args:
            workspace: its number. Programs of one session in one workspace share memory, and run
                one at a time; 0 is that of programs as the backend makes them. None for memory that
                is the program's alone.
        """
        ...

    def describe(self) -> str:
        """The program in a form that people can read."""
        ...


@runtime_checkable
class DeviceProgram(Program, Protocol):
    """A program that can take and leave values in the memory of its device."""

    def run_on_device(self, feeds: Sequence[Any], run_counter: int) -> list[Any]:
        """As `run`, without waiting for results where the device need not.

        Args:
            feeds: as for `run`, or arrays that a `DeviceProgram` has returned, perhaps one of
                another device.
            run_counter: as for `run`.

        Returns:
            what `numpy.asarray` makes NumPy's arrays of, perhaps not yet computed.
        """
        ...


@runtime_checkable
class ReusingProgram(Program, Protocol):
    """A program that can put its results where earlier ones were."""

    def run_into(
        self,
        feeds: Sequence[np.ndarray[Any, Any]],
        run_counter: int,
        old: Sequence[np.ndarray[Any, Any] | None],
    ) -> list[np.ndarray[Any, Any]]:
        """As `run`, with results in arrays that the caller has no more use for.

        Memory that was given back and is asked for anew costs a page fault every 4 KiB, which takes
        longer than to write to it.

        Args:
            feeds: as for `run`.
            run_counter: as for `run`.
            old: contiguous arrays, one for each result; one that does not have its shape and dtype
                is left alone, as is None.
        """
        ...


class BackendSettings(Record):
    """What a session asks of its backend; one that has no use for a setting ignores it.

    Attributes:
        threads: how many threads a program may use.
        use_winograd: whether convolutions may be computed with fewer multiplications.
        device: the one that it is to use, by kind and number: "GPU:0"; "" for the one it prefers.
        matmul_precision: of XLA's products of float32 matrices.
    """

    threads: int
    use_winograd: bool = True
    device: str = ""
    matmul_precision: str = "highest"


class Backend(Protocol):
    """A way to run plans on one device, and a place for the variables that they read and write.

    Where a method takes a `state`, it is a store that `new_state` of this backend has made.
    """

    def new_state(self) -> Variables:
        """A store for variables, none of them there yet, on the device."""
        ...

    def recall(
        self, signature: str, given: Sequence[Given], state: Any
    ) -> tuple[Program, Interface] | None:
        """The program of a plan that was compiled before, perhaps by another process.

        Args:
            signature: what it computes; see `passes.signature`.
            given: as for `Program.at`.
            state: as for `compile`.
        """
        ...

    def compile(
        self,
        plan: Plan,
        seen: Interface,
        state: Any,
        batched_feeds: Mapping[int, DType],
        signature: str | None = None,
    ) -> Program:
        """Make a program that keeps its variables in `state`.

        Args:
            plan: what it computes.
            seen: the plan as those see it who run it.
            state: the variables.
            batched_feeds: the feeds, by number, that will be `MiniBatches`, with the dtype of
                their source. A program with any can only `run_steps`.
            signature: what the plan can be recalled by, if it is worth it.
        """
        ...
