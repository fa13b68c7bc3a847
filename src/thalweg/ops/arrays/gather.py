"""Slices at positions that are read from a tensor, and sums at such positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, axis_index, compatible, known, show, size
from thalweg.formula import Axis, Check, Expr, Formula, Index, Lowered, Operand, axes, pointwise
from thalweg.formula import cast as cast_expr
from thalweg.graph import Gradient, IndexedSlices, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.broadcast import accumulator
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.arrays.shape import shape
from thalweg.ops.build import convert, emit
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.extents import axis_numbers
from thalweg.ops.samples import CUBE, TABLE, wave
from thalweg.ops.scatter import scatter_add

Grads = Sequence[Tensor | None]
_INDICES = (dtypes.int32, dtypes.int64)
MAX_SINGLE_TERMS = 512  # terms that may be added to one element in single precision


class Gather(Op):
    """`y[..., i, ...] = params[..., indices[i], ...]`: slices along an axis.

    The axes of the indices take the place of that axis.

    Attributes:
        axis: that axis.
        is_part: whether it takes a part such as `x[i]`, whose gradient is a dense tensor for users.
    """

    type: ClassVar[str] = "GatherV2"
    takes_strings: ClassVar[bool] = True
    axis: int = 0
    is_part: bool = False

    def infer(self, params: Spec, indices: Spec) -> Spec:
        check_indices(indices)
        if params.shape is None:
            return Spec(None, params.dtype)
        at = self._place(params.shape)
        if indices.shape is None:
            return Spec(None, params.dtype)
        shape = (*params.shape[:at], *indices.shape, *params.shape[at + 1 :])
        return Spec(shape, params.dtype)

    def _place(self, shape: Sequence[Any]) -> int:
        if not shape:
            raise ShapeError("params must have rank 1 or more; they are a scalar")
        return axis_index(self.axis, len(shape))

    def evaluate(self, xp: Any, params: Any, indices: Any) -> Any:
        return xp.take(params, indices, axis=self._place(params.shape))

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        params, _ = inputs
        return [Check(1, params.shape[self._place(params.shape)], "indices")]

    def lower(self, *inputs: Operand) -> Lowered:
        params, indices = inputs
        at = self._place(params.shape)
        lead, rows, rest = _axes(params.shape, indices.shape, at)
        row = _position(indices, rows)
        return Formula.make((*lead, *rows, *rest), params[(*lead, row, *rest)])

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Gradient | None]:
        params, indices = node.inputs
        slices = self._slices(dy, indices, params)
        return [add_slices(dy, indices, params, self.axis) if slices is None else slices, None]

    def _slices(self, dy: Tensor, indices: Tensor, params: Tensor) -> IndexedSlices | None:
        """The gradient as slices of the first axis, if that is what was taken."""
        table = params.static_shape
        if table is None or None in table[1:] or self._place(table) != 0:
            return None
        if indices.static_shape is None or len(indices.static_shape) != 1:
            dy, indices = reshape(dy, [-1, *table[1:]]), reshape(indices, [-1])
        return IndexedSlices(dy, indices, shape(params)).of_part(self.is_part)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        pick = np.array([2, 0, 2, 2, 1], np.int32)
        yield Sample(cls(), (wave(3, 20), pick), exact=True)
        yield Sample(cls(1), (CUBE, np.array([[0, 2], [1, 1]], np.int64)), exact=True)
        yield Sample(cls(-1), (CUBE, pick), exact=True)
        yield Sample(cls(), (CUBE, np.int32(1)), exact=True)
        yield Sample(cls(), (VECTOR, pick[:0]), exact=True)
        yield Sample(cls(), (np.int32(TABLE * 4), pick % 2), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        pick = np.array([1, 0], np.int32)
        yield Sample(cls(), (TABLE, TABLE), "indices must be int32 or int64, not float32")
        yield Sample(cls(2), (TABLE, pick), "axis 2 is out of range for rank 2")
        yield Sample(cls(), (np.float32(1), pick), "params must have rank 1 or more")


class GatherOwned(Gather):
    """`Gather` along the first axis, of which only some slices are wanted.

    The gradient of the others, marked by False in the third input, must be 0; as slices they do
    not count.
    """

    type: ClassVar[str] = "GatherOwned"
    shape_only: ClassVar[tuple[int, ...]] = (2,)

    def infer(self, params: Spec, indices: Spec, owned: Spec) -> Spec:  # type: ignore[override]
        if not owned.dtype.is_bool or not compatible(owned.shape, indices.shape):
            raise ShapeError(f"{indices} are the indices, {owned} says which are wanted")
        return super().infer(params, indices)

    def evaluate(self, xp: Any, params: Any, indices: Any, *owned: Any) -> Any:
        return super().evaluate(xp, params, indices)

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        return super().checks(*inputs[:2])

    def lower(self, *inputs: Operand) -> Lowered:
        return super().lower(*inputs[:2])

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Gradient | None]:
        params, indices, owned = node.inputs
        slices = self._slices(dy, indices, params)
        if slices is None:
            return [add_slices(dy, indices, params, self.axis), None, None]
        return [slices.where_used(reshape(owned, [-1])), None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        pick = np.array([2, 0, 2, 2, 1], np.int32)
        yield Sample(cls(), (wave(3, 20), pick, pick > 0), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        pick = np.array([1, 0], np.int32)
        text = "int32[2] are the indices, float32[2, 3] says which are wanted"
        yield Sample(cls(), (TABLE, pick, TABLE), text)


VECTOR = wave(5)


class InRange(Op):
    """The input itself; a run in which an element is not in `range(limit)` fails.

    Attributes:
        limit: one more than the largest number allowed.
        name: of what is checked, for the error.
    """

    type: ClassVar[str] = "InRange"
    limit: int
    name: str

    def infer(self, x: Spec) -> Spec:
        if not x.dtype.is_integer:
            raise DTypeError(f"{self.name} must be integers, not {x.dtype}")
        return x

    def evaluate(self, xp: Any, x: Any) -> Any:
        return x

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        return [Check(0, self.limit, self.name)]

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: x, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for dtype in (np.int32, np.int64, np.uint8):
            yield Sample(cls(3, "labels"), (np.array([[2, 0], [1, 1]], dtype),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(3, "labels"), (TABLE,), "labels must be integers, not float32")


class GatherGrad(Op):
    """The adjoint of `Gather` in its params: `dx[..., indices[i], ...] += dy[..., i, ...]`.

    It has the shape of params. An element that is added to more than once is summed in the order of
    the indices; in double precision where that may be often, as many small terms would be lost.
    """

    type: ClassVar[str] = "GatherGrad"
    shape_only: ClassVar[tuple[int, ...]] = (2,)
    axis: int = 0

    def infer(self, dy: Spec, indices: Spec, params: Spec) -> Spec:
        check_indices(indices)
        self._check(dy.shape, Gather(self.axis).infer(params, indices).shape)
        return Spec(params.shape, dy.dtype)

    def _check(self, given: Shape, expected: Shape) -> None:
        if given is None or expected is None:
            return
        pairs = zip(given, expected, strict=False)
        if len(given) != len(expected) or any(None not in (a, b) and a != b for a, b in pairs):
            raise ShapeError(f"the slices are {show(expected)}, their gradient {show(given)}")

    def evaluate(self, xp: Any, dy: Any, indices: Any, params: Any) -> Any:
        at = axis_index(self.axis, params.ndim)
        place = (*(slice(None) for _ in range(at)), indices)
        wide = accumulator(as_dtype(dy.dtype)).numpy
        return xp.asarray(scatter_add(xp, params.shape, wide, place, dy), dy.dtype)

    def checks(self, *inputs: Operand) -> Sequence[Check]:
        params = inputs[2]
        return [Check(1, params.shape[axis_index(self.axis, params.rank)], "indices")]

    def lower(self, *inputs: Operand) -> Lowered:
        dy, indices, params = inputs
        at = axis_index(self.axis, params.rank)
        lead, rows, rest = _axes(params.shape, indices.shape, at)
        store: list[Index] = [*lead, _position(indices, rows), *rest]
        every = (*lead, *rows, *rest)
        return Formula.make(every, dy[every], store, params.shape)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, indices, params = inputs
        if dy.dtype != dtypes.float32 or size(known(indices.static_shape)) <= MAX_SINGLE_TERMS:
            return None
        wide = emit(GatherGrad(self.axis), cast(dy, dtypes.float64), indices, params)
        return cast(wide, dtypes.float32)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(Gather(self.axis), dy, node.inputs[1]), None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        pick = np.array([2, 0, 2, 2, 1], np.int32)
        table = np.zeros((4, 20), np.float32)
        yield Sample(cls(), (wave(5, 20), pick, table), exact=True)
        yield Sample(cls(1), (wave(2, 2, 2, 4), np.array([[0, 2], [1, 1]]), CUBE), exact=True)
        yield Sample(cls(-1), (wave(2, 3, 5), pick, CUBE), exact=True)
        yield Sample(cls(), (wave(3, 4), np.int32(1), CUBE), exact=True)
        yield Sample(cls(), (wave(0), pick[:0], VECTOR), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        pick = np.array([1, 0], np.int32)
        text = "the slices are [2, 3], their gradient [3, 3]"
        yield Sample(cls(), (np.ones((3, 3), np.float32), pick, TABLE), text)


def check_indices(indices: Spec) -> None:
    """Complain unless the dtype is one of indices.

    Raises:
        DTypeError: if it is not int32 or int64.
    """
    if indices.dtype not in _INDICES:
        raise DTypeError(f"indices must be int32 or int64, not {indices.dtype}")


def _axes(
    params: Sequence[int], indices: Sequence[int], at: int
) -> tuple[tuple[Axis, ...], tuple[Axis, ...], tuple[Axis, ...]]:
    """Axes over what is before the gathered axis, over the indices, and over what is behind."""
    every = axes(*params[:at], *indices, *params[at + 1 :])
    end = at + len(indices)
    return every[:at], every[at:end], every[end:]


def _position(indices: Operand, rows: Sequence[Axis]) -> Expr:
    return cast_expr(indices[rows], dtypes.int64)


def add_slices(dy: Tensor, indices: Tensor, params: Tensor, axis: int) -> Tensor:
    """A tensor of the shape of params, to which slices are added in at least single precision."""
    wide = accumulator(dy.dtype)
    return cast(emit(GatherGrad(axis), cast(dy, wide), indices, params), dy.dtype)


# -- the public function


def gather(
    params: Any,
    indices: Any,
    validate_indices: bool | None = None,
    name: str | None = None,
    axis: Any = 0,
) -> Tensor:
    """Slices of `params` along an axis: `y[i, ...] = params[indices[i], ...]` for axis 0.

    Args:
        params: a tensor of rank 1 or more.
        indices: int32 or int64, of any shape, which takes the place of the axis in the result.
        validate_indices: of no effect, as in TensorFlow: indices are always checked.
        name: of the operation.
        axis: which axis; from the end if negative.

    Raises:
        DTypeError: if the indices are not int32 or int64.
        ShapeError: if there is no such axis.
        InvalidArgumentError: in a run, if an index is not in `[0, extent of the axis)`.
    """
    table = convert(params)
    along = axis_numbers(axis)[0]
    return emit(Gather(along), table, convert(indices), name=name or "Gather")
