"""What is compiled of a plan: one run, and a loop of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from jax.sharding import SingleDeviceSharding

from thalweg.backends.xla.checks import Checked, Checks
from thalweg.backends.xla.devices import name_of
from thalweg.backends.xla.function import Outcome, PlanFunction
from thalweg.backends.xla.loop import StepLoop, most_steps
from thalweg.backends.xla.runtime import compiling, exact_types, jax
from thalweg.backends.xla.tracer import CAPACITY
from thalweg.base.dtypes import DType
from thalweg.base.record import Record

Array = np.ndarray[Any, Any]
INT64 = np.dtype(np.int64)


class Compiled(Record, eq=False):
    """A function that a device can run.

    Attributes:
        call: takes arrays and gives arrays.
        checked: its checks, by number.
        may_fail: whether to look at the word of failure after a run.
    """

    call: Any
    checked: tuple[Checked, ...]
    may_fail: bool


class Computation:
    """A plan on a device. What is not needed is not compiled.

    Args:
        function: of the plan.
        device: one of JAX.
        precision: see `compiling`.
        batched: the feeds, by number, that take rows of a data set, with the dtypes of these.

    Attributes:
        room: of how many steps a loop has room for the results.
    """

    def __init__(
        self, function: PlanFunction, device: Any, precision: str, batched: Mapping[int, DType]
    ) -> None:
        self.function, self.device, self.batched = function, device, frozenset(batched)
        self._precision = precision
        self._capacity = CAPACITY
        self._step: Compiled | None = None
        self._loops: dict[Any, Compiled] = {}
        sizes = [int(np.prod(shape)) * dtype.itemsize for shape, dtype in function.fetched]
        self.room = most_steps(sum(sizes))
        with exact_types():
            self.constants = [jax.device_put(array, device) for array in function.constants]

    @property
    def step(self) -> Compiled:
        """One run: from variables, constants, feeds and the run's number to what it makes."""
        if self._step is None:
            noted = Checks()
            self._step = self._compiled(self._traceable(noted), noted, self._specs)
        return self._step

    def loop(self, feeds: Sequence[Any], batch: int) -> Compiled:
        """Many runs; see `StepLoop`.

        Args:
            feeds: arrays, for their shapes.
            batch: how many rows a step takes.
        """
        shapes = [(feed.shape, feed.dtype) for feed in feeds]
        key = (*shapes, batch)
        if key not in self._loops:
            noted = Checks()
            kinds = {n: self.function.plan.feeds[n].dtype.numpy for n in self.batched}
            loop = StepLoop(self._run(noted), kinds, self.function.fetched, self.room)
            written, read, constants, _ = map(_specs, self.function.specs())
            order, number = _spec((self.room, batch), INT64), _spec((), INT64)
            specs = [written, read, constants, _specs(shapes), order, number, number]
            self._loops[key] = self._compiled(loop, noted, specs)
        return self._loops[key]

    def make_room(self, iterations: int) -> None:
        """Have room for what so many iterations of a loop of the plan collect, and for more."""
        while self._capacity < iterations:
            self._capacity *= 2
        self._step = None

    @property
    def cost(self) -> Mapping[str, float]:
        """What XLA says of one run: "flops", "bytes accessed" and more; not on all devices."""
        return self.step.call.cost_analysis() or {}

    def describe(self) -> str:
        """What a run costs, and its operations."""
        memory = self.step.call.memory_analysis()
        names = self.function.names
        lines = [
            f"{len(names)} operations in one program of XLA on {name_of(self.device)}",
            f"{int(self.cost.get('flops', 0)):,} FLOP",
            f"{int(self.cost.get('bytes accessed', 0)):,} bytes read and written",
            f"{getattr(memory, 'temp_size_in_bytes', 0):,} bytes of temporaries",
        ]
        return "\n".join([*lines, "", *self.function.lines()])

    def stablehlo(self, platform: str) -> str:
        """One run as the text that XLA compiles for a platform, which need not be there.

        Args:
            platform: as JAX calls it: "cpu", "cuda", "rocm" or "tpu".
        """
        from jax import export

        with compiling(self._precision):
            step = jax.jit(self._traceable(Checks()), donate_argnums=0)
            return str(export.export(step, platforms=[platform])(*self._specs).mlir_module())

    @property
    def _specs(self) -> list[Any]:
        """The shapes and dtypes of the arguments of one run."""
        return [*map(_specs, self.function.specs()), _spec((), INT64)]

    def _traceable(self, noted: Checks) -> Callable[..., Any]:
        """One run, for JAX to trace."""
        run = self._run(noted)

        def step(*arguments: Any) -> tuple[list[Any], list[Any], list[Any], Any]:
            made = run(*arguments)
            failure = made.failure if noted.may_fail else None
            return made.written, made.fetched, made.counts, failure

        return step

    def _run(self, noted: Checks) -> Callable[..., Outcome]:
        return partial(self.function, noted, self._capacity)

    def _compiled(
        self, function: Callable[..., Any], noted: Checks, specs: Sequence[Any]
    ) -> Compiled:
        on_device = SingleDeviceSharding(self.device)
        with compiling(self._precision):
            traced = jax.jit(
                function, donate_argnums=0, in_shardings=on_device, out_shardings=on_device
            )
            call = traced.lower(*specs).compile()
        return Compiled(call, tuple(noted.all), noted.may_fail)


def _spec(shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
    make: Any = jax.ShapeDtypeStruct
    with exact_types():
        return make(tuple(map(int, shape)), dtype)


def _specs(parts: Sequence[tuple[Sequence[int], np.dtype[Any]]]) -> list[Any]:
    return [_spec(*part) for part in parts]
