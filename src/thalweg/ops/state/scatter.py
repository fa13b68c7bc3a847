"""Updates of some rows of a variable, in place.

Such an operation takes as long as the rows that it changes, however many the variable has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import compatible, known, show
from thalweg.formula import Expr, Formula, Index, Lowered, Operand, apply, axes, cast
from thalweg.graph import Effects, Op, Sample, Spec, Tensor, Timing, home
from thalweg.ops.arrays.broadcast import broadcast_to
from thalweg.ops.arrays.create import zeros, zeros_like
from thalweg.ops.arrays.gather import GatherGrad, InRange, add_slices, check_indices
from thalweg.ops.arrays.join import concat
from thalweg.ops.arrays.repeated import IsLast
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.arrays.shape import shape
from thalweg.ops.build import convert, emit, scope
from thalweg.ops.elementwise.conversion import cast as cast_to
from thalweg.ops.elementwise.selection import where
from thalweg.ops.samples import TABLE
from thalweg.ops.scatter import combine_rows, replace_rows

__all__ = [
    "scatter_add",
    "scatter_div",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_sub",
    "scatter_update",
]


class ScatterUpdate(Op):
    """`variable[indices[i], ...] = updates[i, ...]` for all i in turn; the output is all of it.

    The indices must have been checked before: a write has no checks of its own, as those of all
    writes come before the first of them.
    """

    type: ClassVar[str] = "ScatterUpdate"
    differentiable: ClassVar[bool] = False
    effects: ClassVar[Effects] = Effects(reads=(0,), writes=(0,), timing=Timing.IN_TURN)

    def infer(self, handle: Spec, indices: Spec, updates: Spec) -> Spec:
        check_indices(indices)
        if handle.dtype != updates.dtype:
            raise DTypeError(f"the variable is {handle.dtype}, the updates {updates.dtype}")
        if not handle.shape:
            raise ShapeError("the variable must have rank 1 or more; it is a scalar")
        wanted = None if indices.shape is None else (*indices.shape, *handle.shape[1:])
        if not compatible(updates.shape, wanted):
            raise ShapeError(
                f"the variable is {show(handle.shape)}, the indices {show(indices.shape)}: the "
                f"updates must be {show(wanted)}, not {show(updates.shape)}"
            )
        return handle

    def evaluate(self, xp: Any, handle: Any, indices: Any, updates: Any) -> Any:
        return replace_rows(xp, handle, indices, updates)

    def lower(self, *inputs: Operand) -> Lowered:
        table, indices, updates = inputs
        every = axes(*updates.shape)
        row = cast(indices[every[: indices.rank]], dtypes.int64)
        place: list[Index] = [row, *every[indices.rank :]]
        body = self.element(table[place], updates[every])
        return Formula.make(every, body, place, table.shape, replaces=True)

    def element(self, old: Expr, update: Expr) -> Expr:
        """An element's new value."""
        return update

    def without_effects(self, *inputs: Tensor) -> Sequence[Tensor]:
        table, indices, updates = inputs
        extents = known(table.static_shape)
        rows, slices = reshape(indices, [-1]), reshape(updates, [-1, *extents[1:]])
        last = emit(IsLast(extents[0]), rows)
        chosen = where(last, slices, zeros_like(slices))
        named = add_slices(cast_to(last, dtypes.int32), rows, zeros([extents[0]], dtypes.int32), 0)
        return [where(named > 0, emit(GatherGrad(), chosen, rows, table), table)]


class UpdatedRows(Op):
    """A table after an update of some of its rows, as a new tensor.

    Attributes:
        update: of a variable with the same contents.
    """

    type: ClassVar[str] = "UpdatedRows"
    differentiable: ClassVar[bool] = False
    effects: ClassVar[Effects] = Effects(host=True)
    update: ScatterUpdate

    def infer(self, table: Spec, indices: Spec, updates: Spec) -> Spec:
        return table if table.shape is None else self.update.infer(table, indices, updates)

    def evaluate(self, xp: Any, table: Any, indices: Any, updates: Any) -> Any:
        return self.update.evaluate(xp, table, indices, updates)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for update in (ScatterUpdate(), ScatterMul()):
            yield Sample(cls(update), (TABLE, np.array([1, 0, 1]), TABLE[[0, 0, 1]]), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(ScatterAdd()), (TABLE, np.array([1]), TABLE), "the updates must be [1, 3]")


class _Combination(ScatterUpdate):
    """`variable[indices[i], ...]` combined with `updates[i, ...]`, for all i in turn.

    Class attributes:
        function: the one in `FUNCTIONS` that combines them.
        ufunc: NumPy's name for it.
    """

    function: ClassVar[str]
    ufunc: ClassVar[str]

    def evaluate(self, xp: Any, handle: Any, indices: Any, updates: Any) -> Any:
        return combine_rows(xp, self.ufunc, handle, indices, updates)

    def element(self, old: Expr, update: Expr) -> Expr:
        return apply(self.function, old, update)

    def without_effects(self, *inputs: Tensor) -> Sequence[Tensor]:
        return [emit(UpdatedRows(self), *inputs)]


class ScatterAdd(_Combination):
    """`variable[indices[i], ...] += updates[i, ...]` for all i in turn."""

    type: ClassVar[str] = "ScatterAdd"
    function: ClassVar[str] = "add"
    ufunc: ClassVar[str] = "add"

    def without_effects(self, *inputs: Tensor) -> Sequence[Tensor]:
        return [inputs[0] + _total(*inputs)]


class ScatterSub(_Combination):
    """`variable[indices[i], ...] -= updates[i, ...]` for all i in turn."""

    type: ClassVar[str] = "ScatterSub"
    function: ClassVar[str] = "sub"
    ufunc: ClassVar[str] = "subtract"

    def without_effects(self, *inputs: Tensor) -> Sequence[Tensor]:
        return [inputs[0] - _total(*inputs)]


class ScatterMul(_Combination):
    """`variable[indices[i], ...] *= updates[i, ...]` for all i in turn."""

    type: ClassVar[str] = "ScatterMul"
    function: ClassVar[str] = "mul"
    ufunc: ClassVar[str] = "multiply"


class ScatterDiv(_Combination):
    """`variable[indices[i], ...] /= updates[i, ...]` for all i in turn."""

    type: ClassVar[str] = "ScatterDiv"
    function: ClassVar[str] = "div"
    ufunc: ClassVar[str] = "divide"

    def infer(self, handle: Spec, indices: Spec, updates: Spec) -> Spec:
        if not handle.dtype.is_floating:
            raise DTypeError(f"the variable must be floating, not {handle.dtype}")
        return super().infer(handle, indices, updates)


class ScatterMin(_Combination):
    """The smaller of `variable[indices[i], ...]` and `updates[i, ...]`, for all i in turn."""

    type: ClassVar[str] = "ScatterMin"
    function: ClassVar[str] = "min"
    ufunc: ClassVar[str] = "minimum"


class ScatterMax(_Combination):
    """The larger of `variable[indices[i], ...]` and `updates[i, ...]`, for all i in turn."""

    type: ClassVar[str] = "ScatterMax"
    function: ClassVar[str] = "max"
    ufunc: ClassVar[str] = "maximum"


def _total(table: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """A tensor of the table's shape, with the sums of the updates of each row."""
    return add_slices(updates, indices, table, 0)


def update_rows(record: ScatterUpdate, ref: Any, indices: Any, updates: Any, name: str) -> Tensor:
    """Add the operation that changes rows of a variable, and the check of their numbers."""
    handle: Tensor | None = getattr(ref, "handle", None)
    if handle is None:
        raise TypeError(f"Argument is not a variable: {ref!r}")
    with home(handle.graph).as_default(), scope(name, name, handle) as full:
        rows, values = convert(indices), convert(updates, hint=handle.dtype)
        if values.static_shape == () and handle.static_shape:
            values = broadcast_to(values, _slices_shape(rows, known(handle.static_shape)))
        record.infer(handle.spec, rows.spec, values.spec)
        checked = emit(InRange(known(handle.static_shape)[0], "indices"), rows)
        return emit(record, handle, checked, values, name=full)


def _slices_shape(rows: Tensor, table: Sequence[int]) -> Any:
    """The shape of the slices of a table at some rows."""
    return concat([shape(rows), convert(list(table[1:]), dtypes.int32)], 0)


# -- the public functions


def scatter_update(
    ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None
) -> Tensor:
    """Replace rows of a variable, in place; of those with one number the last stays.

    Args:
        ref: the variable, `[rows, ...]`.
        indices: row numbers, int32 or int64, of any shape.
        updates: `[*indices.shape, ...]`, or a number for all elements.
        use_locking: of no effect.
        name: of the operation.

    Returns:
        The variable's new value.

    Raises:
        ShapeError, DTypeError: if the updates do not fit the variable.
        InvalidArgumentError: in a run, if there is no such row; nothing has been written then.
    """
    return update_rows(ScatterUpdate(), ref, indices, updates, name or "ScatterUpdate")


def scatter_add(
    ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Add to rows of a variable, in place; what has one number adds up. See `scatter_update`."""
    return update_rows(ScatterAdd(), ref, indices, updates, name or "ScatterAdd")


def scatter_sub(
    ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Subtract from rows of a variable, in place. See `scatter_update`."""
    return update_rows(ScatterSub(), ref, indices, updates, name or "ScatterSub")


def scatter_mul(
    ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Multiply rows of a variable, in place. See `scatter_update`."""
    return update_rows(ScatterMul(), ref, indices, updates, name or "ScatterMul")


def scatter_div(
    ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Divide rows of a floating variable, in place. See `scatter_update`."""
    return update_rows(ScatterDiv(), ref, indices, updates, name or "ScatterDiv")


def scatter_min(
    ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Lower rows of a variable to updates that are smaller, in place. See `scatter_update`."""
    return update_rows(ScatterMin(), ref, indices, updates, name or "ScatterMin")


def scatter_max(
    ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
) -> Tensor:
    """Raise rows of a variable to updates that are larger, in place. See `scatter_update`."""
    return update_rows(ScatterMax(), ref, indices, updates, name or "ScatterMax")
