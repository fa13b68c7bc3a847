"""The record of an operation: everything about it, in one class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, dataclass_transform

import numpy as np

from thalweg.base.dtypes import DType
from thalweg.base.shapes import Shape, is_known, show
from thalweg.formula import Check, Lowered, Operand

if TYPE_CHECKING:
    from thalweg.graph.node import Operation, Tensor


@dataclass(frozen=True)
class Spec:
    """What is known of a tensor before it is computed: shape and dtype."""

    shape: Shape
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype}{show(self.shape)}"


@dataclass(frozen=True)
class Sample:
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


@dataclass_transform(frozen_default=True)
class Record:
    """Immutable objects whose annotated attributes are arguments of the class, in order.

    Two are equal if they are of one class and have equal fields. It is what a frozen dataclass
    would be, without the code that `dataclass` compiles for every class: there are over a hundred
    ops, and importing them must be quick.
    """

    fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Collect the fields: annotations that are not class variables."""
        own = [name for name, kind in get_annotations(cls).items() if "ClassVar" not in str(kind)]
        cls.fields = tuple(dict.fromkeys((*cls.fields, *own)))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = dict(zip(self.fields, args, strict=False))
        if len(args) > len(self.fields) or given.keys() & kwargs or kwargs.keys() - self.fields:
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.fields) or 'no fields'}")
        given.update(kwargs)
        missing = [f for f in self.fields if f not in given and not hasattr(type(self), f)]
        if missing:
            raise TypeError(f"{type(self).__name__} needs {', '.join(missing)}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} cannot be set")

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.fields])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.fields)
        return f"{type(self).__name__}({shown})"


class Op(Record):
    """An operation: shape rule, gradient, formula, reference evaluation, samples, docstring.

    The fields of a concrete op are its attributes, so that two records are equal exactly when they
    mean the same computation. Every node that uses it holds an instance. It is not an `ABC`: passes
    ask each node again and again what kind of op it is, which ABC's own `isinstance` makes slow.

    Class attributes:
        type: the name in saved graphs and of nodes (TensorFlow's, where it has the op).
        differentiable: whether `grad` is defined.
        stateful: whether two nodes with equal records and inputs may differ (random numbers,
            variables), so that they must not be merged, folded or dropped for a copy.
        shape_only: inputs whose shape matters but whose value is never read.
        static: inputs whose value must be known when a run is planned (a shape, say).
    """

    type: ClassVar[str]
    differentiable: ClassVar[bool] = True
    stateful: ClassVar[bool] = False
    shape_only: ClassVar[tuple[int, ...]] = ()
    static: ClassVar[tuple[int, ...]] = ()

    @abstractmethod
    def infer(self, *inputs: Any) -> Spec | tuple[Spec, ...]:
        """The specs of the outputs, from those of the inputs.

        Raises:
            ShapeError: if the shapes do not fit together.
            DTypeError: if the dtypes do not.
        """

    @abstractmethod
    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        """The outputs computed with an array module: what every backend must agree with."""

    def lower(self, *inputs: Operand) -> Lowered | tuple[Lowered, ...]:
        """The formula of each output, for known shapes."""
        raise NotImplementedError(f"{self.type} has no formula; it must be expanded first")

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        """What must hold of the inputs' elements, which only the run can tell."""
        return ()

    def expand(self, *inputs: Tensor) -> Tensor | None:
        """The same computation in simpler ops once all shapes are known; None to stay as it is."""
        return None

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        """The gradient for each input, from that of the first output; None where there is none."""
        raise NotImplementedError(f"{self.type} has no gradient")

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        """Uses of the op that the tests check on every backend."""
        return ()

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        """Uses that must fail when the graph is built, with the text that the error must hold."""
        return ()


def known_specs(specs: Sequence[Spec]) -> bool:
    """Whether every shape is fully known."""
    return all(is_known(spec.shape) for spec in specs)


@dataclass(frozen=True)
class Attribute:
    """An array as an op's attribute: compared by its bytes."""

    array: np.ndarray[Any, Any] = field(compare=False)
    key: tuple[Any, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        data = self.array.tobytes() if self.array.nbytes <= 4096 else id(self.array)
        object.__setattr__(self, "key", (self.array.shape, self.array.dtype.str, data))
