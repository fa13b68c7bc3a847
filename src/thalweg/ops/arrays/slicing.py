"""Parts of tensors: boxes with steps, and Python's indexing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base import shapes
from thalweg.base.dims import Dim, lift, replayed
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, is_known, known, same_shape, show
from thalweg.formula import (
    Affine,
    Axis,
    Expr,
    Formula,
    Lowered,
    Operand,
    Position,
    affine,
    apply,
    axes,
    inside,
    where,
)
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.graph.operators import Operators
from thalweg.ops.arrays.constant import constant_of
from thalweg.ops.arrays.reshape import Reshape, reshaped
from thalweg.ops.build import convert, emit, is_planned
from thalweg.ops.extents import as_position, check_ints, planned_ints
from thalweg.ops.samples import CUBE, TABLE
from thalweg.ops.scatter import scatter

Grads = Sequence[Tensor | None]


class Slice(Op):
    """`y[i] = x[begins + i * strides]` along each axis, for a result of shape `sizes`."""

    type: ClassVar[str] = "Slice"
    takes_strings: ClassVar[bool] = True
    begins: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    def infer(self, input: Spec) -> Spec:
        shape = shapes.merge(input.shape, (None,) * len(self.sizes)) or ()
        for extent, size, first, last in zip(
            shape, self.sizes, self.begins, self._lasts(), strict=True
        ):
            low, high = min(first, last), max(first, last)
            outside = low < 0 or (extent is not None and high >= extent)
            # An empty part may begin anywhere: Python's x[::-1] of nothing begins at -1.
            if size < 0 or (outside and size != 0):
                raise ShapeError(
                    f"begin {show(self.begins)} and size {show(self.sizes)} reach outside "
                    f"{show(shape)}"
                )
        return Spec(self.sizes, input.dtype)

    def _lasts(self) -> tuple[int, ...]:
        items = zip(self.begins, self.sizes, self.strides, strict=True)
        return tuple(b + max(n - 1, 0) * s for b, n, s in items)

    def evaluate(self, xp: Any, input: Any) -> Any:
        items = zip(self.begins, self.sizes, self.strides, strict=True)
        places = [int(b) + xp.arange(n) * int(s) for b, n, s in items]
        return input[xp.ix_(*places)] if places else input

    def lower(self, *inputs: Operand) -> Lowered:
        index = axes(*self.sizes)
        items = zip(index, self.begins, self.strides, strict=True)
        return Formula.make(index, inputs[0][[i * s + b for i, b, s in items]])

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        record = SliceGrad(self.begins, self.strides, known(node.inputs[0].static_shape))
        return [emit(record, dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((0, 1, 1), (2, 2, 3), (1, 1, 1)), (CUBE,), exact=True)
        yield Sample(cls((1, 0, 3), (1, 2, 2), (1, 2, -2)), (CUBE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        text = "begin [1, 0] and size [2, 3] reach outside [2, 3]"
        yield Sample(cls((1, 0), (2, 3), (1, 1)), (TABLE,), text)


class SliceGrad(Op):
    """The adjoint of `Slice`: zeros of a shape, with the input where the slice was taken."""

    type: ClassVar[str] = "SliceGrad"
    begins: tuple[int, ...]
    strides: tuple[int, ...]
    shape: tuple[int, ...]

    def infer(self, dy: Spec) -> Spec:
        shapes.merge(dy.shape, (None,) * len(self.shape))
        return Spec(self.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any) -> Any:
        if not self.shape:
            return dy
        items = zip(self.begins, dy.shape, self.strides, strict=True)
        places = xp.ix_(*(int(b) + xp.arange(n) * int(s) for b, n, s in items))
        return scatter(xp, self.shape, places, dy)

    def lower(self, *inputs: Operand) -> Lowered:
        (dy,) = inputs
        index = axes(*self.shape)
        conditions: list[Expr] = []
        read: list[Axis | Affine | Expr] = []
        for n, axis in enumerate(index):
            at, aligned = self._source(n, axis)
            if not (self.strides[n] == 1 and self.begins[n] == 0 and dy.shape[n] == axis.extent):
                conditions += [*aligned, inside(at, dy.shape[n])]
            read.append(at)
        return Formula.make(index, guarded(conditions, dy[read], 0))

    def _source(self, n: int, axis: Axis) -> tuple[Axis | Affine | Expr, list[Expr]]:
        """The index of dy that went to this position, and conditions for there being one."""
        begin, stride = self.begins[n], self.strides[n]
        distance = axis - begin if stride > 0 else affine(begin) - axis
        if abs(stride) == 1:
            return (axis if begin == 0 and stride == 1 else distance), []
        position = Position(affine(distance))
        aligned = apply("eq", apply("floormod", position, abs(stride)), 0)
        return apply("floordiv", position, abs(stride)), [aligned]

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        sizes = known(node.inputs[0].static_shape)
        return [emit(Slice(self.begins, sizes, self.strides), dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, 0), (1, 1), (4, 3)), (TABLE,), exact=True)
        yield Sample(cls((1, 5), (2, -2), (4, 7)), (TABLE,), exact=True)


def guarded(conditions: Sequence[Expr], value: Expr, other: float) -> Expr:
    """The value where every condition holds, else a number."""
    if not conditions:
        return value
    holds = conditions[0]
    for condition in conditions[1:]:
        holds = apply("and", holds, condition)
    return where(holds, value, other)


# -- indexing


_Bounds: TypeAlias = tuple[int | None, int | None, int | None]
_Part: TypeAlias = int | str | None
Item: TypeAlias = int | str | tuple[_Part, _Part, _Part]


COMPUTED = "?"  # in the place of a bound that is an input


class StridedSlice(Op):
    """Python's slicing, `x[1:, ::-2, None, ..., -1]`, of a tensor whose shape is not known yet.

    The inputs after the first are the bounds that are computed, scalars, in their order.

    Attributes:
        items: for each part of the key a number, `(start, stop, step)`, "new" or "...". A bound
            that is computed is "?".
    """

    type: ClassVar[str] = "StridedSlice"
    takes_strings: ClassVar[bool] = True
    items: tuple[Item, ...]

    @cached_property
    def static(self) -> tuple[int, ...]:  # type: ignore[override]
        """The bounds that are inputs: they decide about the shape."""
        return tuple(range(1, 1 + _count_computed(self.items)))

    def infer(self, input: Spec, *bounds: Spec) -> Spec:
        for bound in bounds:
            check_ints("the bounds of a slice", bound, 0)
        if input.shape is None:
            return Spec(None, input.dtype)
        return Spec(
            _sliced_shape(input.shape, _per_axis(self.items, len(input.shape))), input.dtype
        )

    def evaluate(self, xp: Any, input: Any, *bounds: Any) -> Any:
        return input[tuple(map(_python_item, _filled(self.items, map(int, bounds))))]

    def expand(self, *inputs: Tensor) -> Tensor | None:
        input, *bounds = inputs
        return _slice_known(input, _filled(self.items, _planned(bounds)))

    def shown(self) -> Mapping[str, str]:
        return {"items": f"[{', '.join(map(_shown, self.items))}]"}

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        _, *bounds = node.inputs
        return [emit(StridedSliceGrad(self.items), dy, *node.inputs), *[None for _ in bounds]]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, "...", (None, None, -2))), (CUBE,), exact=True)
        yield Sample(cls(("new", (0, 9, None), -1)), (CUBE,), exact=True)
        computed = ("...", (COMPUTED, None, COMPUTED)), ((None, COMPUTED, None), "new", 0)
        yield Sample(cls(computed[0]), (CUBE, np.int32(-2), np.int32(-1)), exact=True)
        yield Sample(cls(computed[1]), (CUBE, np.int64(1)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2,)), (TABLE,), "index 2 is outside axis 0 of [2, 3]")
        yield Sample(cls((0, 0, 0)), (TABLE,), "3 indices for a tensor of rank 2")
        text = "the bounds of a slice must"
        yield Sample(cls(((COMPUTED, None, None),)), (TABLE, np.float32(1)), f"{text} be integers")
        row = np.ones(1, np.int32)
        yield Sample(cls(((0, COMPUTED, None),)), (TABLE, row), f"{text} have rank 0")


class StridedSliceGrad(Op):
    """The adjoint of `StridedSlice`: zeros like x, with dy where the slice was taken."""

    type: ClassVar[str] = "StridedSliceGrad"
    shown = StridedSlice.shown
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    items: tuple[Item, ...]

    @cached_property
    def static(self) -> tuple[int, ...]:  # type: ignore[override]
        """The bounds that are inputs."""
        return tuple(range(2, 2 + _count_computed(self.items)))

    def infer(self, dy: Spec, x: Spec, *bounds: Spec) -> Spec:
        return Spec(x.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any, x: Any, *bounds: Any) -> Any:
        items = _filled(self.items, map(int, bounds))
        ranges = _ranges(x.shape, _per_axis(items, x.ndim))
        begins, sizes, strides = zip(*ranges, strict=True) if ranges else ((), (), ())
        return SliceGrad(begins, strides, x.shape).evaluate(xp, xp.reshape(dy, sizes))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, x, *bounds = inputs
        shape = known(x.static_shape)
        items = _filled(self.items, _planned(bounds))
        ranges = _ranges(shape, _per_axis(items, len(shape)))
        begins, sizes, strides = zip(*ranges, strict=True) if ranges else ((), (), ())
        return emit(SliceGrad(begins, strides, shape), reshaped(dy, sizes))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        _, _, *bounds = node.inputs
        return [emit(StridedSlice(self.items), dy, *bounds), None, *[None for _ in bounds]]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        row = np.array([5, 6], np.float32)
        yield Sample(cls((1, (None, None, 2))), (row, TABLE), exact=True)
        items = ((COMPUTED, None, None), (None, None, 2))
        yield Sample(cls(items), (row[None], TABLE, np.int32(1)), exact=True)


def _count_computed(items: tuple[Any, ...]) -> int:
    """How many bounds of the items are inputs."""
    return sum(part == COMPUTED for item in items if isinstance(item, tuple) for part in item)


def _filled(items: tuple[Any, ...], bounds: Iterable[int]) -> tuple[Any, ...]:
    """The items with numbers in the places of the bounds that are computed."""
    numbers = iter(bounds)
    made = tuple(
        tuple(next(numbers) if _is_computed(part) else part for part in item)
        if isinstance(item, tuple)
        else item
        for item in items
    )
    _check_steps(made)
    return made


def _is_computed(part: Any) -> bool:
    return isinstance(part, str)


def _planned(bounds: Iterable[Tensor]) -> list[int]:
    """The numbers of computed bounds."""
    return [planned_ints("strided_slice", bound)[0] for bound in bounds]


def _check_steps(items: Iterable[Any]) -> None:
    """Complain of a step of 0.

    Raises:
        ShapeError: as it says.
    """
    for item in items:
        if isinstance(item, tuple) and item[2] not in (None, COMPUTED) and int(item[2]) == 0:
            raise ShapeError("the step of a slice cannot be 0")


def _python_item(item: Any) -> Any:
    if isinstance(item, tuple):
        return slice(*item)
    return {"new": None, "...": Ellipsis}.get(item, item)


def _shown(item: Any) -> str:
    """An item as a graph's text has it: `start:stop:step`, or an index."""
    if not isinstance(item, tuple):
        return str(item)  # a number, "new" or "..."
    start, stop, *step = ("" if part is None else str(part) for part in item)
    return ":".join([start, stop, *filter(None, step)])


def _per_axis(items: tuple[Any, ...], rank: int) -> list[Any]:
    """The items with the ellipsis spelt out, and ranges for the axes that are not mentioned."""
    named = sum(item not in ("new", "...") for item in items)
    if named > rank:
        raise ShapeError(f"{named} indices for a tensor of rank {rank}")
    whole = [(None, None, None)] * (rank - named)
    if "..." not in items:
        return [*items, *whole]
    at = items.index("...")
    return [*items[:at], *whole, *items[at + 1 :]]


def _sliced_shape(shape: tuple[int | None, ...], items: Sequence[Any]) -> Shape:
    result: list[int | None] = []
    axis = 0
    for item in items:
        if item == "new":
            result.append(1)
            continue
        if isinstance(item, tuple):
            result.append(_length(shape[axis], item))
        else:
            _check_position(item, axis, shape)
        axis += 1
    return tuple(result)


def _check_position(position: int, axis: int, shape: tuple[int | None, ...]) -> None:
    extent = shape[axis]
    if extent is not None and not -extent <= position < extent:
        raise ShapeError(f"index {position} is outside axis {axis} of {show(shape)}")


def _length(extent: int | None, item: _Bounds) -> int | None:
    if extent is None or any(map(_is_computed, item)):
        return None
    return _range(extent, item)[1]


def _range(extent: int, item: _Bounds) -> tuple[int, int, int]:
    """Begin, size and stride of a Python slice; what depends on a `Dim` is one."""
    start, stop, step = item
    computed = [part for part in (start, stop) if isinstance(part, Dim)]
    if not computed and start in (None, 0) and stop is None and step in (None, 1):
        return 0, extent, 1
    stride = 1 if step is None else int(step)
    first, count = (lift(f, extent, start, stop, stride) for f in (_first, _count))
    if computed or not isinstance(extent, Dim):
        return first, count, stride
    if (start is None and stride > 0) or (start is not None and start >= 0):
        first = int(first)
    # A range that fits and is counted from one end has the same size whatever the extent is.
    if start is not None and stop is not None and (start < 0) == (stop < 0):
        count = int(count)
    return first, count, stride


@replayed
def _first(extent: int, *bounds: int | None) -> int:
    return slice(*bounds).indices(extent)[0]


@replayed
def _count(extent: int, *bounds: int | None) -> int:
    return len(range(*slice(*bounds).indices(extent)))


def _ranges(shape: Sequence[int], items: Sequence[Any]) -> list[tuple[int, int, int]]:
    """Begin, size and stride along every axis of the input."""
    own = [item for item in items if item != "new"]
    result: list[tuple[int, int, int]] = []
    for axis, (extent, item) in enumerate(zip(shape, own, strict=True)):
        if isinstance(item, tuple):
            result.append(_range(extent, item))
        else:
            _check_position(item, axis, tuple(shape))
            result.append((item if item >= 0 else extent + item, 1, 1))
    return result


def _slice_known(x: Tensor, items: tuple[Any, ...], name: str | None = None) -> Tensor:
    """A strided slice of a tensor whose shape is known."""
    shape = known(x.static_shape)
    parts = _per_axis(items, len(shape))
    target = known(_sliced_shape(shape, parts))
    ranges = _ranges(shape, parts)
    begins, sizes, strides = zip(*ranges, strict=True) if ranges else ((), (), ())
    whole = same_shape(sizes, shape) and all(s == 1 for s in strides)
    same = sizes == target
    part = x if whole else emit(Slice(begins, sizes, strides), x, name=name if same else None)
    if same and (not whole or name is None):
        return part
    return emit(Reshape(target), part, name=name)


def strided(x: Tensor, key: Any, name: str | None = None) -> Tensor:
    """`x[key]` for ints, slices, None and `...`; the bounds of a slice may be scalar tensors."""
    items = strided_items(key)
    if sum(item == "..." for item in items if isinstance(item, str)) > 1:
        raise ShapeError("an index may hold only one '...'")
    parts = [part for item in items if isinstance(item, tuple) for part in item]
    bounds = [part for part in parts if isinstance(part, Tensor)]
    plain = tuple(map(_without_tensors, items))
    # Let the record complain, with the user's line, if the key does not fit.
    if not bounds and is_known(x.static_shape) and _fits(plain, known(x.static_shape)):
        return _slice_known(x, plain, name)
    return emit(StridedSlice(plain), x, *bounds, name=name)


def strided_items(key: Any) -> tuple[Any, ...]:
    """The `items` of a `StridedSlice` for an index, with tensors for what is computed."""
    items = tuple(map(_item, key if isinstance(key, tuple) else (key,)))
    _check_steps(map(_without_tensors, items))
    return items


def _without_tensors(item: Any) -> Any:
    if not isinstance(item, tuple):
        return item
    return tuple(COMPUTED if isinstance(part, Tensor) else part for part in item)


def _fits(items: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    try:
        _sliced_shape(shape, _per_axis(items, len(shape)))
    except ShapeError:
        return False
    return True


def _item(item: Any) -> Any:
    if item is None:
        return "new"
    if item is Ellipsis:
        return "..."
    if isinstance(item, slice):
        return tuple(map(_bound, (item.start, item.stop, item.step)))
    return as_position(item)


def _bound(value: Any) -> Any:
    """A bound of a slice: a number, or a tensor of one that is not known yet."""
    if value is None or not isinstance(value, Operators):
        return None if value is None else as_position(value)
    tensor = convert(value)
    is_open = tensor.dtype.is_integer and (constant_of(tensor) is None or is_planned(tensor))
    return tensor if is_open else as_position(tensor)
