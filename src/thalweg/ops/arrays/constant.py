"""Values from outside the computation: constants and placeholders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dims import Dim, Node, pin
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.shapes import Shape
from thalweg.formula import Alias, Const, Formula, Lowered, Operand, axes
from thalweg.graph import Op, Operation, Origin, Sample, Spec, Tensor
from thalweg.graph.op import Attribute
from thalweg.ops.evaluation import flushed


class Constant(Op):
    """An array that is part of the graph.

    Attributes:
        value: the array.
        planned: how its value came from shapes that may differ in the next run, if it did; compiled
            code must read it from memory then rather than contain it.
        shape: the array's, if some of it may differ, too.
    """

    type: ClassVar[str] = "Const"
    takes_strings: ClassVar[bool] = True
    origin: ClassVar[Origin | None] = Origin.CONSTANT
    plan_only: ClassVar[tuple[str, ...]] = ("planned", "shape")
    value: Attribute
    planned: Node | None = None
    shape: tuple[int, ...] | None = None

    @staticmethod
    def of(
        array: np.ndarray[Any, Any],
        planned: Node | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> Constant:
        contents = Attribute(np.ascontiguousarray(array).reshape(array.shape))
        varies = shape is not None and any(isinstance(extent, Dim) for extent in shape)
        return Constant(contents, planned, shape if varies else None)

    @property
    def array(self) -> np.ndarray[Any, Any]:
        return self.value.array

    @property
    def pinned(self) -> np.ndarray[Any, Any]:
        """The array, where the plan depends on its values."""
        if self.planned is not None:
            pin(self.planned)
        return self.array

    def shown(self) -> Mapping[str, str]:
        return {"planned": "" if self.planned is None else "planned", "shape": ""}

    @property
    def extents(self) -> tuple[int, ...]:
        """The array's shape."""
        return self.array.shape if self.shape is None else self.shape

    def infer(self) -> Spec:
        return Spec(self.extents, as_dtype(self.array.dtype))

    def evaluate(self, xp: Any) -> Any:
        return xp.asarray(self.array)

    @property
    def is_uniform(self) -> bool:
        """Whether one number fills it, so that code can contain it."""
        may_be = self.array.size > 0 and not self.array.dtype.hasobject and self.planned is None
        return may_be and self._all_equal()

    def _all_equal(self) -> bool:
        """Whether all elements have the same bits: 0.0 and -0.0 are different numbers."""
        bits = self.array.reshape(-1).view(f"u{self.array.itemsize}")
        return bool((bits == bits[0]).all())

    def lower(self, *inputs: Operand) -> Lowered:
        number = Const(flushed(self.array.reshape(-1)[:1]).item(), as_dtype(self.array.dtype))
        return Formula.make(axes(*self.array.shape), number)

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return []

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls.of(np.array([[1, 2], [3, 4]], np.float32)), (), exact=True)
        yield Sample(cls.of(np.full((2, 3), 7, np.int32)), (), exact=True)

    def __repr__(self) -> str:
        text = np.array2string(self.array, threshold=8, separator=", ").replace("\n", "")
        return f"Constant(value={text})"


def constant_of(tensor: Tensor) -> Constant | None:
    """The record of a tensor that is a constant, else None."""
    record = tensor.op.record
    return record if isinstance(record, Constant) else None


class Placeholder(Op):
    """A tensor that every run must be given a value for, through `feed_dict`."""

    type: ClassVar[str] = "Placeholder"
    takes_strings: ClassVar[bool] = True
    origin: ClassVar[Origin | None] = Origin.FEED
    dtype: DType
    shape: Shape

    def infer(self) -> Spec:
        return Spec(self.shape, self.dtype)

    def evaluate(self, xp: Any) -> Any:
        raise AssertionError("a placeholder is fed, never evaluated")

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return []


class PlaceholderWithDefault(Op):
    """The input, unless a run feeds another value; the shape may say less than the input's."""

    type: ClassVar[str] = "PlaceholderWithDefault"
    takes_strings: ClassVar[bool] = True
    shape: Shape

    def infer(self, input: Spec) -> Spec:
        shapes.merge(self.shape, input.shape)
        return Spec(self.shape, input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return input

    def lower(self, *inputs: Operand) -> Lowered:
        return Alias(0)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        (input,) = inputs
        return input

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [dy]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((None, 2)), (np.array([[1, 2], [3, 4]], np.float32),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(
            cls((3,)), (np.array([1, 2], np.float32),), "shapes [3] and [2] are not compatible"
        )


class RunCounter(Op):
    """How many runs the session made before this one; what random numbers are indexed by."""

    type: ClassVar[str] = "RunCounter"
    origin: ClassVar[Origin | None] = Origin.RUN_COUNTER

    def infer(self) -> Spec:
        return Spec((), dtypes.int64)

    def evaluate(self, xp: Any) -> Any:
        raise AssertionError("the session provides the run counter")
