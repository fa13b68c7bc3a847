"""Parts of tensors: boxes with steps, Python's indexing, boxes at computed positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base import shapes
from thalweg.base.dims import Dim, lift, replayed
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, is_known, known, show
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
from thalweg.ops.arrays.reshape import Reshape, reshaped
from thalweg.ops.arrays.shape import known_dims, shape
from thalweg.ops.build import INDEX, checking, convert, emit, scope
from thalweg.ops.extents import (
    as_position,
    computed_dims,
    has_dim,
    numbers_of,
    planned_ints,
    planned_shape,
    unless_negative,
)
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
Item: TypeAlias = int | str | _Bounds


class StridedSlice(Op):
    """Python's slicing, `x[1:, ::-2, None, ..., -1]`, of a tensor whose shape is not known yet.

    Attributes:
        items: for each part of the key a number, `(start, stop, step)`, "new" or "...".
    """

    type: ClassVar[str] = "StridedSlice"
    takes_strings: ClassVar[bool] = True
    items: tuple[Item, ...]

    def infer(self, input: Spec) -> Spec:
        if input.shape is None:
            return Spec(None, input.dtype)
        return Spec(
            _sliced_shape(input.shape, _per_axis(self.items, len(input.shape))), input.dtype
        )

    def evaluate(self, xp: Any, input: Any) -> Any:
        return input[tuple(map(_python_item, self.items))]

    def expand(self, *inputs: Tensor) -> Tensor | None:
        (input,) = inputs
        return _slice_known(input, self.items)

    def shown(self) -> Mapping[str, str]:
        return {"items": f"[{', '.join(map(_shown, self.items))}]"}

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(StridedSliceGrad(self.items), dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, "...", (None, None, -2))), (CUBE,), exact=True)
        yield Sample(cls(("new", (0, 9, None), -1)), (CUBE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2,)), (TABLE,), "index 2 is outside axis 0 of [2, 3]")
        yield Sample(cls((0, 0, 0)), (TABLE,), "3 indices for a tensor of rank 2")


class StridedSliceGrad(Op):
    """The adjoint of `StridedSlice`: zeros like x, with dy where the slice was taken."""

    type: ClassVar[str] = "StridedSliceGrad"
    shown = StridedSlice.shown
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    items: tuple[Item, ...]

    def infer(self, dy: Spec, x: Spec) -> Spec:
        return Spec(x.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any, x: Any) -> Any:
        ranges = _ranges(x.shape, _per_axis(self.items, x.ndim))
        begins, sizes, strides = zip(*ranges, strict=True) if ranges else ((), (), ())
        return SliceGrad(begins, strides, x.shape).evaluate(xp, xp.reshape(dy, sizes))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, x = inputs
        shape = known(x.static_shape)
        ranges = _ranges(shape, _per_axis(self.items, len(shape)))
        begins, sizes, strides = zip(*ranges, strict=True) if ranges else ((), (), ())
        return emit(SliceGrad(begins, strides, shape), reshaped(dy, sizes))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(StridedSlice(self.items), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, (None, None, 2))), (np.array([5, 6], np.float32), TABLE), exact=True)


def _python_item(item: Any) -> Any:
    if isinstance(item, tuple):
        return slice(*item)
    return {"new": None, "...": Ellipsis}.get(item, item)


def _shown(item: Any) -> str:
    """An item as a graph's text has it: `start:stop:step`, or an index."""
    if not isinstance(item, tuple):
        return str(item)  # a number, "new" or "..."
    start, stop, *step = ("" if part is None else repr(part) for part in item)
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
    if extent is None:
        return None
    return _range(extent, item)[1]


def _range(extent: int, item: _Bounds) -> tuple[int, int, int]:
    """Begin, size and stride of a Python slice; what depends on a `Dim` is one."""
    start, stop, step = item
    if (start in (None, 0)) and stop is None and step in (None, 1):
        return 0, extent, 1
    stride = 1 if step is None else int(step)
    first, count = (lift(f, extent, start, stop, stride) for f in (_first, _count))
    if not isinstance(extent, Dim):
        return int(first), int(count), stride
    if (start is None and stride > 0) or (
        start is not None and start >= 0 and not isinstance(start, Dim)
    ):
        first = int(first)
    # A range that fits and is counted from one end has the same size whatever the extent is.
    anchored = start is not None and stop is not None and (start < 0) == (stop < 0)
    if anchored and not has_dim((start or 0, stop or 0)):
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
    whole = sizes == shape and all(s == 1 for s in strides)
    same = sizes == target
    part = x if whole else emit(Slice(begins, sizes, strides), x, name=name if same else None)
    if same and (not whole or name is None):
        return part
    return emit(Reshape(target), part, name=name)


def strided(x: Tensor, key: Any, name: str | None = None) -> Tensor:
    """`x[key]` for ints, slices, None and `...`."""
    items = strided_items(key)
    if sum(item == "..." for item in items) > 1:
        raise ShapeError("an index may hold only one '...'")
    # Let the record complain, with the user's line, if the key does not fit.
    if is_known(x.static_shape) and _fits(items, known(x.static_shape)):
        return _slice_known(x, items, name)
    return emit(StridedSlice(items), x, name=name)


def strided_items(key: Any) -> tuple[Any, ...]:
    """The `items` of a `StridedSlice` for an index."""
    return tuple(map(_item, key if isinstance(key, tuple) else (key,)))


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
        if item.step is not None and as_position(item.step) == 0:
            raise ShapeError("the step of a slice cannot be 0")
        return tuple(
            None if v is None else as_position(v) for v in (item.start, item.stop, item.step)
        )
    return as_position(item)


# -- boxes at computed positions


class DynamicSlice(Op):
    """`input[begin : begin + size]` along every axis, for computed bounds; -1 is up to the end.

    Attributes:
        dims: what is known of the result's shape when the graph is built.
    """

    type: ClassVar[str] = "DynamicSlice"
    takes_strings: ClassVar[bool] = True
    static: ClassVar[tuple[int, ...]] = (1, 2)
    dims: Shape = None

    def infer(self, input: Spec, begin: Spec, size: Spec) -> Spec:
        dims = computed_dims(self.dims, size)
        if dims is None and input.shape is not None:
            dims = (None,) * len(input.shape)
        if dims is not None:
            shapes.merge(input.shape, (None,) * len(dims))
            dims = unless_negative(dims)
        computed_dims(None, begin)
        return Spec(dims, input.dtype)

    def evaluate(self, xp: Any, input: Any, begin: Any, size: Any) -> Any:
        return _box(begin.tolist(), size.tolist(), input.shape).evaluate(xp, input)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        input, begin, size = inputs
        begins, sizes = planned_ints("slice", begin), planned_shape("slice", self.dims, size)
        return emit(_box(begins, sizes, known(input.static_shape)), input)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(DynamicSliceGrad(), dy, *node.inputs[:2]), None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(
            cls(), (TABLE, np.array([0, 1], np.int32), np.array([-1, 2], np.int32)), exact=True
        )

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        bounds = np.array([0], np.int32), np.array([1], np.int32)
        yield Sample(cls(), (TABLE, *bounds), "shapes [2, 3] and [?] are not compatible")


def _box(begins: Sequence[int], sizes: Sequence[int], shape: tuple[int, ...]) -> Slice:
    """The slice from a position on, of a size in which -1 is up to the end."""
    if not len(begins) == len(sizes) == len(shape):
        raise ShapeError(
            f"begin {show(tuple(begins))} and size {show(tuple(sizes))} must have "
            f"{len(shape)} elements each, for {show(shape)}"
        )
    wanted = tuple(d - b if n == -1 else n for n, b, d in zip(sizes, begins, shape, strict=True))
    return Slice(tuple(begins), wanted, (1,) * len(shape))


class DynamicSliceGrad(Op):
    """The adjoint of `DynamicSlice`: zeros like x, with dy from `begin` on."""

    type: ClassVar[str] = "DynamicSliceGrad"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    static: ClassVar[tuple[int, ...]] = (2,)

    def infer(self, dy: Spec, x: Spec, begin: Spec) -> Spec:
        return Spec(x.shape, dy.dtype)

    def evaluate(self, xp: Any, dy: Any, x: Any, begin: Any) -> Any:
        begins = tuple(int(b) for b in begin)
        return SliceGrad(begins, (1,) * len(begins), x.shape).evaluate(xp, dy)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        dy, x, begin = inputs
        begins = tuple(planned_ints("slice", begin))
        return emit(SliceGrad(begins, (1,) * len(begins), known(x.static_shape)), dy)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        size = shape(node.inputs[0])
        return [emit(DynamicSlice(), dy, node.inputs[2], size), None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE[:, :2], TABLE, np.array([0, 1], np.int32)), exact=True)


def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """The box of a given size from a given position on; a size of -1 goes up to the end.

    Raises:
        ShapeError: if it reaches outside.
    """
    x = convert(input_)
    with scope(name, "Slice", x) as full:
        begins, computed_begin = known_dims(begin)
        sizes, computed_size = known_dims(size)
        static = computed_begin is None and computed_size is None
        if static and begins is not None and sizes is not None and is_known(x.static_shape):
            with checking("slice", input=x):
                box = _box(numbers_of(begins), numbers_of(sizes), known(x.static_shape))
            return emit(box, x, name=full)
        first = computed_begin if computed_begin is not None else convert(begins, hint=INDEX)
        wanted = computed_size if computed_size is not None else convert(sizes, hint=INDEX)
        return emit(DynamicSlice(sizes), x, first, wanted, name=full)
