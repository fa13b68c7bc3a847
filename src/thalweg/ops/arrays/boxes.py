"""Boxes of tensors at computed positions: `slice`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, is_known, known, show
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.shape import known_dims, shape
from thalweg.ops.arrays.slicing import Slice, SliceGrad, strided
from thalweg.ops.arrays.window import window
from thalweg.ops.build import INDEX, checking, convert, emit, scope
from thalweg.ops.extents import (
    computed_dims,
    numbers_of,
    planned_ints,
    planned_shape,
    unless_negative,
)
from thalweg.ops.samples import TABLE

Grads = Sequence[Tensor | None]


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

    Args:
        input_: a tensor.
        begin: a vector of integers, or a list in which some may be tensors.
        size: likewise. Where all sizes are numbers, native code takes the box wherever it begins;
            a size that is computed is known when the next segment begins.
        name: of the operation.

    Raises:
        ShapeError: if it reaches outside.
        InvalidArgumentError: in a run, if a box that begins at a computed position does.
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
        if computed_size is None and _is_windows(x.static_shape, begins, sizes):
            return _windows(x, begins or (), first, numbers_of(sizes), full)
        return emit(DynamicSlice(sizes), x, first, wanted, name=full)


def _is_windows(shape: Shape, begins: Shape, sizes: Shape) -> bool:
    """Whether a box has a known size along each axis along which it begins anywhere."""
    if shape is None or begins is None or sizes is None or None not in begins:
        return False
    if not len(shape) == len(begins) == len(sizes):
        return False
    items = zip(shape, begins, sizes, strict=True)
    return all(n != -1 if b is None else d is not None or (b, n) == (0, -1) for d, b, n in items)


def _windows(
    x: Tensor, begins: Sequence[int | None], begin: Tensor, sizes: Sequence[int], name: str
) -> Tensor:
    """The box, axis by axis where it begins anywhere."""
    with checking("slice", input=x):
        ranges = zip(begins, sizes, x.static_shape or (), strict=True)
        key = [slice(None) if b is None else _fixed(b, n, d) for b, n, d in ranges]
    moving = [n for n, first in enumerate(begins) if first is None]
    part = x if all(item == slice(None) for item in key) else strided(x, tuple(key))
    for n in moving:
        last = name if n == moving[-1] else None
        part = window(part, strided(begin, n), sizes[n], n, name=last)
    return part


def _fixed(begin: int, size: int, extent: int | None) -> slice:
    """The range along an axis along which a box always begins at one place."""
    if extent is None or (begin == 0 and size in (-1, extent)):
        return slice(None)
    (end,) = [begin + n for n in _box((begin,), (size,), (extent,)).sizes]
    if not 0 <= begin <= end <= extent:
        raise ShapeError(f"begin {begin} and size {size} reach outside an axis of {extent}")
    return slice(begin, end)
