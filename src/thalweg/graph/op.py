"""The record of an operation: everything about it, in one class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.base.shapes import Shape, is_known, show
from thalweg.formula import Check, Lowered, Operand
from thalweg.graph.effects import Effects, Origin

if TYPE_CHECKING:
    from thalweg.graph.body import Body
    from thalweg.graph.indexed_slices import Gradient
    from thalweg.graph.node import Operation, Tensor


class Spec(Record):
    """What is known of a tensor before it is computed: shape and dtype."""

    shape: Shape
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype}{show(self.shape)}"


_NO_EFFECTS = Effects()


class Sample(Record):
    """One use of an op for the tests: the record, and its input arrays.

    Attributes:
        op: the record with its attributes set.
        inputs: arrays; the generic tests cast floating ones to each dtype.
        error: for `bad_samples`, a part of the message that must appear.
        exact: whether every backend must agree with NumPy bit for bit.
        differentiable: false where the gradient test must not run (at a kink, say).
    """

    op: Op
    inputs: tuple[Any, ...]
    error: str = ""
    exact: bool = False
    differentiable: bool = True

    def arrays(self) -> tuple[np.ndarray[Any, Any], ...]:
        """The inputs as arrays."""
        return tuple(map(np.asarray, self.inputs))


class Op(Record):
    """An operation: shape rule, gradient, formula, reference evaluation, samples, docstring.

    The fields of a concrete op are its attributes, so that two records are equal exactly when they
    mean the same computation. Every node that uses it holds an instance. It is not an `ABC`: passes
    ask each node again and again what kind of op it is, which ABC's own `isinstance` makes slow.

    Class attributes:
        type: the name in saved graphs and of nodes (TensorFlow's, where it has the op).
        differentiable: whether `grad` is defined.
        origin: where the value comes from if the op does not compute it.
        shape_only: inputs whose shape matters but whose value is never read.
        static: inputs whose value must be known when a run is planned (a shape, say).
        takes_strings: whether a tensor that it reads or makes may hold strings.
        plan_only: fields that only plans set, and so no part of a saved graph.
        borrows: whether it keeps none of the arrays that it is given, and those that it returns may
            be overwritten by the next run; of what Python runs.
        passes_slices: whether `grad` takes `IndexedSlices`; they become dense tensors if not.
    """

    type: ClassVar[str]
    differentiable: ClassVar[bool] = True
    origin: ClassVar[Origin | None] = None
    shape_only: ClassVar[Container[int]] = ()
    static: ClassVar[tuple[int, ...]] = ()
    takes_strings: ClassVar[bool] = False
    plan_only: ClassVar[tuple[str, ...]] = ()
    borrows: ClassVar[bool] = False
    passes_slices: ClassVar[bool] = False

    @property
    def effects(self) -> Effects:
        """What the op does beside computing its outputs; nothing, unless it says so.

        A record whose effects are always the same sets them as a class attribute. All that passes
        and backends do with variables, random numbers and the like follows from them: an op with
        effects is not merged with another nor folded, one that writes or acts always runs, and
        variables are written after all that may fail.
        """
        return _NO_EFFECTS

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The parts of a computation that the op runs in its turn."""
        return ()

    @property
    def collects_until(self) -> bool:
        """Whether it collects values until a condition fails: only its end tells how many."""
        return False

    def iterations(self, *inputs: Tensor) -> int:
        """How often its bodies run, as far as known shapes tell; 1 where they do not."""
        return 1

    @abstractmethod
    def infer(self, *inputs: Any) -> Spec | tuple[Spec, ...]:
        """The specs of the outputs, from those of the inputs.

        Raises:
            ShapeError: if the shapes do not fit together.
            DTypeError: if the dtypes do not.
        """

    @abstractmethod
    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        """The outputs computed with an array module: what every backend must agree with.

        It is a pure function of arrays that have passed the checks: it changes none of them, and
        asks the module for what others than NumPy have, too.
        """

    def lower(self, *inputs: Operand) -> Lowered | tuple[Lowered, ...]:
        """The formula of each output, for known shapes."""
        raise NotImplementedError(f"{self.type} has no formula; it must be expanded first")

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        """What must hold of the inputs' elements, which only the run can tell."""
        return ()

    def expand(self, *inputs: Tensor) -> Tensor | Sequence[Tensor] | None:
        """The outputs in simpler ops once all shapes are known; None to stay as it is."""
        return None

    def without_effects(self, *inputs: Tensor) -> Sequence[Tensor]:
        """The outputs in operations that read and write nothing, for use in loops and branches.

        Args:
            inputs: in the place of handles, the contents of what they stand for.
        """
        raise NotImplementedError(f"{self.type} cannot be used inside a loop or a branch")

    def grad(self, node: Operation, *dys: Any) -> Sequence[Gradient | None]:
        """The gradient for each input, a tensor or slices of one; None where there is none.

        Args:
            node: the operation.
            dys: the gradient of each output, None where none flows; at least one is a tensor.
        """
        raise NotImplementedError(f"{self.type} has no gradient")

    def shown(self) -> Mapping[str, str]:
        """What a graph's text has instead of some attributes; nothing in place of an empty one."""
        return {}

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        """Uses of the op that the tests check on every backend."""
        return ()

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        """Uses that must fail when the graph is built, with the text that the error must hold."""
        return ()


def is_planned(op: Operation) -> bool:
    """Whether the shapes of an operation's outputs are known, but for how much a loop collects."""
    parts = op.record.bodies if op.record.collects_until else (op,)
    return known_specs([tensor.spec for part in parts for tensor in part.outputs])


def known_specs(specs: Sequence[Spec]) -> bool:
    """Whether every shape is fully known."""
    return all(is_known(spec.shape) for spec in specs)


class Attribute(Record):
    """An array as an op's attribute: compared by its elements, or as itself if it is large."""

    array: np.ndarray[Any, Any]

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What makes two of them equal."""
        return self.array.shape, self.array.dtype.str, self._data()

    def _data(self) -> Hashable:
        if self.array.nbytes > 4096:
            return id(self.array)
        is_text = self.array.dtype.hasobject
        return tuple(self.array.flat) if is_text else self.array.tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attribute) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)
