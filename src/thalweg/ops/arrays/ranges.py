"""Numbers at equal distances: `range`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base.dims import replayed
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import show
from thalweg.formula import Formula, Lowered, Operand, Position, affine, axes
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor, default_graph
from thalweg.graph.operators import Operators
from thalweg.ops.build import (
    checking,
    constant_like,
    constant_value,
    convert,
    emit,
    is_planned,
    scope,
    to_array,
)
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.extents import planned_number, static_constant

Array = np.ndarray[Any, Any]
Grads = Sequence[Tensor | None]


class Range(Op):
    """`start, start + delta, ...` up to but without `limit`, for computed bounds."""

    type: ClassVar[str] = "Range"
    static: ClassVar[tuple[int, ...]] = (0, 1, 2)

    def infer(self, start: Spec, limit: Spec, delta: Spec) -> Spec:
        for bound in (start, limit, delta):
            if bound.dtype != start.dtype:
                raise DTypeError(f"the bounds are {start.dtype} and {bound.dtype}")
            if bound.shape not in (None, ()):
                raise ShapeError(f"a bound must be a scalar, not {show(bound.shape)}")
        return Spec((None,), start.dtype)

    def evaluate(self, xp: Any, start: Any, limit: Any, delta: Any) -> Any:
        return Progression(_count(start, limit, delta)).evaluate(xp, start, delta)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        start, _, delta = inputs
        for bound in inputs:
            static_constant("range", bound)
        return emit(Progression(planned_number(_count, *inputs)), start, delta)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None, None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.int32(1), np.int32(8), np.int32(3)), differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(
            cls(), (np.int32(1), np.array([8], np.int32), np.int32(3)), "a bound must be a scalar"
        )
        yield Sample(cls(), (np.int32(1), np.float32(8), np.int32(3)), "are int32 and float32")


@replayed
def _count(start: Array, limit: Array, delta: Array) -> int:
    """How many numbers a range has."""
    first, last, step = (bound.item() for bound in (start, limit, delta))
    _check_bounds(first, last, step)
    if start.dtype.kind in "iu":
        return int(-((first - last) // step))
    return int(np.ceil((last - first) / step))


def _check_bounds(start: float, limit: float, delta: float) -> None:
    """Check that steps of `delta` lead from start to limit.

    Raises:
        ShapeError: if not.
    """
    leads = start <= limit if delta > 0 else delta < 0 and start >= limit
    if not (leads and math.isfinite(start) and math.isfinite(limit)):
        raise ShapeError(f"steps of {delta} do not lead from {start} to {limit}")


class Progression(Op):
    """`start + n * delta` for n from 0 up to but without `count`."""

    type: ClassVar[str] = "Progression"
    count: int

    def infer(self, start: Spec, delta: Spec) -> Spec:
        return Spec((self.count,), start.dtype)

    def evaluate(self, xp: Any, start: Any, delta: Any) -> Any:
        return start + xp.asarray(xp.arange(self.count), start.dtype) * delta

    def lower(self, *inputs: Operand) -> Lowered:
        start, delta = inputs
        (index,) = axes(self.count)
        number = cast_expr(Position(affine(index)), start.dtype)
        return Formula.make((index,), start[()] + number * delta[()])

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for start, delta in ((np.int32(5), np.int32(-2)), (np.float32(0.5), np.float32(0.25))):
            yield Sample(cls(7), (start, delta), exact=True, differentiable=False)


# -- the public functions


def range_(
    start: Any,
    limit: Any = None,
    delta: Any = 1,
    dtype: Any = None,
    name: str | None = "range",
) -> Tensor:
    """`start, start + delta, ...` up to but without `limit`; `range_(n)` counts from 0.

    Args:
        start: a number, or a scalar tensor; the first element.
        limit: the same; what the elements do not reach.
        delta: the same; the distance between elements.
        dtype: of the elements; that of the bounds if not given.
        name: of the operation.

    Returns:
        a vector.

    Raises:
        ShapeError: if delta is 0 or leads away from the limit; by the run, where only that can
            tell.
    """
    if limit is None:
        start, limit = 0, start
    bounds = [convert(b) if isinstance(b, Operators) else b for b in (start, limit, delta)]
    with scope(name, "range", *bounds) as full:
        with checking("range"):
            kind = _range_dtype(bounds) if dtype is None else as_dtype(dtype)
            numbers = [_bound(b) for b in bounds]
            if None not in numbers:
                _check_bounds(*numbers)
        if None in numbers:
            tensors = [convert(b, hint=kind) for b in bounds]
            if dtype is not None:
                tensors = [b if b.dtype == kind else cast(b, kind) for b in tensors]
            return emit(Range(), *tensors, name=full)
        array = np.arange(*numbers).astype(kind.numpy)
        return constant_like(default_graph(), array, name=full)


def _bound(value: Any) -> Any:
    """The number that a bound is, if it is known already."""
    if isinstance(value, Tensor):
        array = None if is_planned(value) else constant_value(value)
    else:
        array = to_array(value)
    if array is not None and array.ndim:
        raise ShapeError(f"a bound must be a scalar, not {show(array.shape)}")
    return None if array is None else array.item()


def _range_dtype(bounds: Sequence[Any]) -> DType:
    kinds = [b.dtype if isinstance(b, Tensor) else as_dtype(to_array(b).dtype) for b in bounds]
    given = [k for k, b in zip(kinds, bounds, strict=True) if isinstance(b, Tensor)]
    return given[0] if given else next((k for k in kinds if k.is_floating), kinds[0])
