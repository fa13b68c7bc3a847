"""Convolution and pooling over images: NHWC, filters HWIO.

The records know VALID windows only; the public functions pad first and transpose for NCHW. The
gradients are written in gather form over phases: the row `s * i + r` of a gradient, with
`0 <= r < s`, is touched only by filter rows `r + s * t`, so for each phase r it is an ordinary
convolution, without guards and without scattered additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.base.shapes import Shape, known, show
from thalweg.formula import (
    Expr,
    Formula,
    Index,
    Lowered,
    Operand,
    Position,
    affine,
    apply,
    axes,
    inside,
    reduce,
    sum_over,
    where,
)
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops import math as arithmetic
from thalweg.ops import views
from thalweg.ops.build import convert, convert_pair, emit
from thalweg.ops.pointwise import FLOATING, NUMERIC, Div, check_kind

Grads: TypeAlias = Sequence[Tensor | None]
Pair: TypeAlias = tuple[int, int]
Extent: TypeAlias = int | None


# -- windows


def window_count(extent: Extent, size: int, stride: int) -> Extent:
    """How many windows fit: `floor((extent - size) / stride) + 1`."""
    return None if extent is None else (extent - size) // stride + 1


def up(extent: int, factor: int) -> int:
    """`ceil(extent / factor)`."""
    return -(-extent // factor)


def same_padding(extent: int, size: int, stride: int) -> Pair:
    """What SAME adds before and after, so that there are `ceil(extent / stride)` windows."""
    total = max((up(extent, stride) - 1) * stride + size - extent, 0)
    before = total // 2
    return before, total - before


def _image(shape: Shape, what: str) -> tuple[Extent, Extent, Extent, Extent]:
    """The four extents of an image batch.

    Raises:
        ShapeError: if the rank is another.
    """
    if shape is None:
        return None, None, None, None
    if len(shape) != 4:
        raise ShapeError(f"the {what} must have rank 4; it is {show(shape)}")
    return shape[0], shape[1], shape[2], shape[3]


def _check_windows(extents: Sequence[Extent], size: Sequence[Extent], shape: Shape) -> None:
    for extent, window in zip(extents, size, strict=True):
        if extent is not None and window is not None and extent < window:
            raise ShapeError(
                f"windows of {show(tuple(size))} do not fit into the input, which is {show(shape)}"
            )


def _counts(extents: Sequence[Extent], size: Sequence[Extent], strides: Pair) -> Sequence[Extent]:
    return [
        None if window is None else window_count(extent, window, stride)
        for extent, window, stride in zip(extents, size, strides, strict=True)
    ]


def _slab(x: Any, p: int, q: int, counts: Sequence[int], strides: Pair) -> Any:
    """The element (p, q) of every window."""
    (rows, columns), (sh, sw) = counts, strides
    return x[:, p : p + (rows - 1) * sh + 1 : sh, q : q + (columns - 1) * sw + 1 : sw, :]


def _wide(*arrays: Any) -> tuple[Any, ...]:
    """Half-precision arrays as float32, in which sums are accumulated."""
    return tuple(a.astype(np.float32) if a.dtype.itemsize == 2 else a for a in arrays)


def _unphased(xp: Any, parts: Any) -> Any:
    """`[n, i, r, j, u, c]` as an image of `[n, s * i + r, s * j + u, c]`."""
    n, i, r, j, u, c = parts.shape
    return xp.reshape(parts, (n, i * r, j * u, c))


def _pad_array(xp: Any, x: Any, rows: Pair, columns: Pair, value: Any = 0) -> Any:
    return xp.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=value)


def _pad(x: Tensor, rows: Pair, columns: Pair, value: float = 0, name: str | None = None) -> Tensor:
    """The image with rows and columns of `value` around it."""
    if name is None and not any((*rows, *columns)):
        return x
    paddings = ((0, 0), rows, columns, (0, 0))
    return emit(views.Pad(paddings, value), x, name=name)


def _crop(x: Tensor, begin: Pair, extents: Pair) -> Tensor:
    """The part of the image that begins at a row and column."""
    n, h, w, c = known(x.static_shape)
    if (h, w) == extents and begin == (0, 0):
        return x
    return emit(views.Slice((0, *begin, 0), (n, *extents, c), (1, 1, 1, 1)), x)


def _resize(x: Tensor, extents: Pair) -> Tensor:
    """The image cut off or filled up with zeros at its end."""
    _, h, w, _ = known(x.static_shape)
    x = _pad(x, (0, max(extents[0] - h, 0)), (0, max(extents[1] - w, 0)))
    return _crop(x, (0, 0), extents)


# -- convolution


def _check_channels(have: Extent, need: Extent, x: Spec, w: Spec, what: str) -> None:
    if None not in (have, need) and have != need:
        raise ShapeError(
            f"{what} has {have} channels but the filter takes {need}: "
            f"{what} is {show(x.shape)}, filter is {show(w.shape)}"
        )


def _same_dtype(*specs: Spec) -> DType:
    first = specs[0].dtype
    for spec in specs:
        if spec.dtype != first:
            raise DTypeError(f"the inputs are {first} and {spec.dtype}")
    check_kind(FLOATING, first)
    return first


class Conv2D(Op):
    """Convolution (cross-correlation, as everywhere in deep learning) without padding.

    `y[n,i,j,o] = sum over (p,q,c) of x[n, i*sh+p, j*sw+q, c] * w[p,q,c,o]`
    """

    type: ClassVar[str] = "Conv2D"
    strides: Pair

    def infer(self, input: Spec, filter: Spec) -> Spec:
        n, h, w, c = _image(input.shape, "input")
        kh, kw, depth, o = _image(filter.shape, "filter")
        _check_channels(c, depth, input, filter, "input")
        _check_windows((h, w), (kh, kw), input.shape)
        rows, columns = _counts((h, w), (kh, kw), self.strides)
        return Spec((n, rows, columns, o), _same_dtype(input, filter))

    def evaluate(self, xp: Any, input: Any, filter: Any) -> Any:
        x, w = _wide(input, filter)
        kh, kw = w.shape[:2]
        counts = [
            (e - k) // s + 1 for e, k, s in zip(x.shape[1:3], (kh, kw), self.strides, strict=True)
        ]
        y = sum(
            xp.tensordot(_slab(x, p, q, counts, self.strides), w[p, q], ((3,), (0,)))
            for p in range(kh)
            for q in range(kw)
        )
        return xp.asarray(y).astype(input.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        input, filter = inputs
        (batch, h, w, _), (kh, kw, depth, out) = input.shape, filter.shape
        sh, sw = self.strides
        n, i, j, o = axes(batch, (h - kh) // sh + 1, (w - kw) // sw + 1, out, names="nijo")
        p, q, c = axes(kh, kw, depth, names="pqc")
        term = input[n, i * sh + p, j * sw + q, c] * filter[p, q, c, o]
        return Formula.make((n, i, j, o), sum_over((p, q, c), term))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, w = node.inputs
        return [
            emit(Conv2DInputGrad(self.strides), dy, w, x),
            emit(Conv2DFilterGrad(self.strides, _filter_size(w)), x, dy),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for strides, x, w in _CASES:
            yield Sample(cls(strides), (_wave(*x), _wave(*w)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        x, w = np.ones((1, 5, 5, 3), np.float32), np.ones((3, 3, 4, 2), np.float32)
        text = (
            "input has 3 channels but the filter takes 4: "
            "input is [1, 5, 5, 3], filter is [3, 3, 4, 2]"
        )
        yield Sample(cls((1, 1)), (x, w), text)
        yield Sample(cls((1, 1)), (x[0], w), "the input must have rank 4; it is [5, 5, 3]")
        yield Sample(cls((1, 1)), (x, w[0]), "the filter must have rank 4; it is [3, 4, 2]")
        yield Sample(cls((1, 1)), (x[:, :2], w[:, :, :3]), "windows of [3, 3] do not fit into")
        yield Sample(cls((1, 1)), (x, w[:, :, :3].astype(np.float64)), "float32 and float64")
        yield Sample(cls((1, 1)), (x > 0, w[:, :, :3] > 0), "takes floating tensors, not bool")


def _filter_size(w: Tensor) -> Pair:
    kh, kw, _, _ = _image(w.static_shape, "filter")
    if kh is None or kw is None:
        raise ShapeError(
            f"the gradient by a filter needs its height and width; {w.name!r} is "
            f"{show(w.static_shape)}"
        )
    return kh, kw


# (strides, input shape, filter shape): windows and phases meet the edges differently in each.
_CASES: list[tuple[Pair, tuple[int, ...], tuple[int, ...]]] = [
    ((1, 1), (2, 5, 6, 3), (3, 2, 3, 4)),
    ((2, 2), (1, 6, 8, 2), (2, 2, 2, 3)),
    ((2, 1), (2, 7, 5, 2), (3, 3, 2, 2)),
    ((3, 2), (1, 9, 6, 1), (2, 5, 1, 2)),
    ((1, 1), (2, 3, 4, 2), (1, 1, 2, 5)),
]


def _wave(*shape: int, step: float = 0.7) -> np.ndarray[Any, Any]:
    """Numbers without ties or patterns, as sample inputs."""
    values = np.sin(step * np.arange(1, np.prod(shape) + 1))
    return np.asarray(values.reshape(shape), np.float32)


class Conv2DInputGrad(Op):
    """The adjoint of `Conv2D` in its input: what `dy` says about each element of the input.

    `dx[n,a,b,c] = sum over (p,q,o), where a = i*sh+p and b = j*sw+q, of dy[n,i,j,o] * w[p,q,c,o]`
    """

    type: ClassVar[str] = "Conv2DInputGrad"
    shape_only: ClassVar[tuple[int, ...]] = (2,)
    strides: Pair

    def infer(self, dy: Spec, filter: Spec, like: Spec) -> Spec:
        n, rows, columns, out = _image(dy.shape, "gradient")
        kh, kw, depth, o = _image(filter.shape, "filter")
        _, h, w, c = _image(like.shape, "input")
        _check_channels(out, o, dy, filter, "gradient")
        _check_channels(c, depth, like, filter, "input")
        _check_windows((h, w), (kh, kw), like.shape)
        expected = _counts((h, w), (kh, kw), self.strides)
        if any(
            None not in (a, b) and a != b for a, b in zip(expected, (rows, columns), strict=True)
        ):
            raise ShapeError(
                f"an input of {show(like.shape)} under a filter of {show(filter.shape)} has "
                f"{show(tuple(expected))} windows; the gradient is {show(dy.shape)}"
            )
        batch = like.shape[0] if like.shape else None
        return Spec((n if batch is None else batch, h, w, depth), _same_dtype(dy, filter))

    def evaluate(self, xp: Any, dy: Any, filter: Any, like: Any) -> Any:
        plan = _Phases.of(self.strides, filter.shape[:2], like.shape[1:3], dy.shape[1:3])
        padded = _pad_array(xp, dy, *plan.around)
        w = xp.pad(filter, (*((0, e) for e in plan.filter_padding), (0, 0), (0, 0)))
        full = Conv2DTransposed(self.strides).evaluate(xp, padded, w)
        return full[:, : like.shape[1], : like.shape[2], :]

    def expand(self, *inputs: Tensor) -> Tensor:
        dy, filter, like = inputs
        (kh, kw, _, _), (_, h, w, _) = known(filter.static_shape), known(like.static_shape)
        _, rows, columns, _ = known(dy.static_shape)
        plan = _Phases.of(self.strides, (kh, kw), (h, w), (rows, columns))
        below, right = plan.filter_padding
        if below or right:
            paddings = ((0, below), (0, right), (0, 0), (0, 0))
            filter = emit(views.Pad(paddings, 0), filter)
        full = emit(Conv2DTransposed(self.strides), _pad(dy, *plan.around), filter)
        return _crop(full, (0, 0), (h, w))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        inner, w, _ = node.inputs
        return [
            emit(Conv2D(self.strides), dy, w),
            emit(Conv2DFilterGrad(self.strides, _filter_size(w)), dy, inner),
            None,
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for strides, x, w in _CASES:
            like = np.zeros(x, np.float32)
            dy = Conv2D(strides).evaluate(np, like, _wave(*w))
            yield Sample(cls(strides), (_wave(*dy.shape, step=1.1), _wave(*w), like))


@dataclass(frozen=True)
class _Phases:
    """How a strided gradient splits into phases.

    Attributes:
        taps: windows that may touch one element, along rows and columns.
        around: zeros to put around `dy`, so that no read leaves it.
        filter_padding: zeros to put after the filter, up to a multiple of the strides.
    """

    taps: Pair
    around: tuple[Pair, Pair]
    filter_padding: Pair

    @staticmethod
    def of(
        strides: Pair, size: Sequence[int], extents: Sequence[int], counts: Sequence[int]
    ) -> Any:
        taps = [up(k, s) for k, s in zip(size, strides, strict=True)]
        around = [
            (t - 1, up(e, s) - c) for t, e, s, c in zip(taps, extents, strides, counts, strict=True)
        ]
        missing = [t * s - k for t, s, k in zip(taps, strides, size, strict=True)]
        return _Phases((taps[0], taps[1]), (around[0], around[1]), (missing[0], missing[1]))


class Conv2DTransposed(Op):
    """What `Conv2DInputGrad` becomes: a contraction over phases, with the zeros already in place.

    `y[n, sh*i+r, sw*j+u, c]
    = sum over (t,v,o) of x[n, i-t+T-1, j-v+U-1, o] * w[r+sh*t, u+sw*v, c, o]`

    for a filter of `sh*T` by `sw*U`. It has `sh * (h - T + 1)` rows for the h of its input.
    """

    type: ClassVar[str] = "Conv2DTransposed"
    strides: Pair

    def _extents(self, x: Sequence[int], w: Sequence[int]) -> tuple[Pair, Pair]:
        """The taps, and how many elements there are of each phase."""
        taps = w[0] // self.strides[0], w[1] // self.strides[1]
        return taps, (x[1] - taps[0] + 1, x[2] - taps[1] + 1)

    def infer(self, input: Spec, filter: Spec) -> Spec:
        x, w = known(input.shape), known(filter.shape)
        _check_channels(x[3], w[3], input, filter, "input")
        if w[0] % self.strides[0] or w[1] % self.strides[1]:
            raise ShapeError(f"the filter, {show(w)}, is no multiple of the strides {self.strides}")
        _, (rows, columns) = self._extents(x, w)
        shape = (x[0], rows * self.strides[0], columns * self.strides[1], w[2])
        return Spec(shape, _same_dtype(input, filter))

    def evaluate(self, xp: Any, input: Any, filter: Any) -> Any:
        x, w = _wide(input, filter)
        (sh, sw), ((T, U), (rows, columns)) = self.strides, self._extents(x.shape, w.shape)
        total = 0
        for t in range(T):
            for v in range(U):
                part = x[:, T - 1 - t :, U - 1 - v :, :][:, :rows, :columns, :]
                phase = w[sh * t : sh * t + sh, sw * v : sw * v + sw]
                total = total + xp.tensordot(part, phase, ((3,), (3,)))
        return _unphased(xp, xp.transpose(total, (0, 1, 3, 2, 4, 5))).astype(input.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        input, filter = inputs
        (sh, sw), ((T, U), (rows, columns)) = (
            self.strides,
            self._extents(input.shape, filter.shape),
        )
        n, i, r, j, u, c = axes(
            input.shape[0], rows, sh, columns, sw, filter.shape[2], names="nirjuc"
        )
        t, v, o = axes(T, U, filter.shape[3], names="tvo")
        x = input[n, i - t + (T - 1), j - v + (U - 1), o]
        body = sum_over((t, v, o), x * filter[t * sh + r, v * sw + u, c, o])
        shape = (input.shape[0], rows * sh, columns * sw, filter.shape[2])
        return Formula.make((n, i, r, j, u, c), body, (n, i * sh + r, j * sw + u, c), shape)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        # The op is the adjoint of a convolution of a wider image, cut at both ends.
        x, w = node.inputs
        (T, U), _ = self._extents(known(x.static_shape), known(w.static_shape))
        (sh, sw) = self.strides
        wide = _pad(dy, ((T - 1) * sh, (T - 1) * sh), ((U - 1) * sw, (U - 1) * sw))
        return [
            emit(Conv2D(self.strides), wide, w),
            emit(Conv2DFilterGrad(self.strides, _filter_size(w)), wide, x),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, 1)), (_wave(2, 6, 5, 3), _wave(3, 2, 4, 3)))
        yield Sample(cls((2, 3)), (_wave(1, 4, 4, 2), _wave(4, 3, 2, 2)))


class Conv2DFilterGrad(Op):
    """The adjoint of `Conv2D` in its filter.

    `dw[p,q,c,o] = sum over (n,i,j) of x[n, i*sh+p, j*sw+q, c] * dy[n,i,j,o]`
    """

    type: ClassVar[str] = "Conv2DFilterGrad"
    strides: Pair
    size: Pair

    def infer(self, input: Spec, dy: Spec) -> Spec:
        n, h, w, c = _image(input.shape, "input")
        batch, rows, columns, o = _image(dy.shape, "gradient")
        expected = _counts((h, w), self.size, self.strides)
        pairs = zip((n, *expected), (batch, rows, columns), strict=True)
        if any(None not in (a, b) and a != b for a, b in pairs):
            raise ShapeError(
                f"windows of {show(self.size)} on an input of {show(input.shape)} give "
                f"{show((n, *expected, o))}; the gradient is {show(dy.shape)}"
            )
        return Spec((*self.size, c, o), _same_dtype(input, dy))

    def evaluate(self, xp: Any, input: Any, dy: Any) -> Any:
        x, g = _wide(input, dy)
        kh, kw = self.size
        parts = [
            xp.tensordot(_slab(x, p, q, g.shape[1:3], self.strides), g, ((0, 1, 2), (0, 1, 2)))
            for p in range(kh)
            for q in range(kw)
        ]
        shape = (kh, kw, x.shape[3], g.shape[3])
        return xp.reshape(xp.stack(parts), shape).astype(input.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        input, dy = inputs
        (sh, sw), (batch, rows, columns, out) = self.strides, dy.shape
        p, q, c, o = axes(*self.size, input.shape[3], out, names="pqco")
        n, i, j = axes(batch, rows, columns, names="nij")
        term = input[n, i * sh + p, j * sw + q, c] * dy[n, i, j, o]
        return Formula.make((p, q, c, o), sum_over((n, i, j), term))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, inner = node.inputs
        return [
            emit(Conv2DInputGrad(self.strides), inner, dy, x),
            emit(Conv2D(self.strides), x, dy),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for strides, x, w in _CASES:
            dy = Conv2D(strides).evaluate(np, _wave(*x), _wave(*w))
            yield Sample(cls(strides, (w[0], w[1])), (_wave(*x), _wave(*dy.shape, step=1.1)))


# -- pooling


class Pool(Op):
    """What pools share: windows over height and width, each channel by itself."""

    size: Pair
    strides: Pair

    def pooled(self, input: Spec) -> Shape:
        """The shape of the result, for an input's."""
        n, h, w, c = _image(input.shape, "input")
        _check_windows((h, w), self.size, input.shape)
        check_kind(NUMERIC, input.dtype)
        return (n, *_counts((h, w), self.size, self.strides), c)

    def counts(self, extents: Sequence[int]) -> Pair:
        """How many windows there are, for the input's height and width."""
        h, w = (
            ((e - k) // s + 1) for e, k, s in zip(extents, self.size, self.strides, strict=True)
        )
        return h, w

    def slabs(self, xp: Any, x: Any, counts: Pair) -> Any:
        """The elements of every window, stacked along a new first axis."""
        kh, kw = self.size
        positions = [(p, q) for p in range(kh) for q in range(kw)]
        return xp.stack([_slab(x, p, q, counts, self.strides) for p, q in positions])

    def check_gradient(self, dy: Spec, like: Spec) -> Spec:
        """The spec of the gradient by an input.

        Raises:
            ShapeError: if `dy` is not what windows on such an input would make.
        """
        n, h, w, c = _image(like.shape, "input")
        expected = self.pooled(like)
        if dy.shape is not None and expected is not None:
            pairs = zip(expected, _image(dy.shape, "gradient"), strict=True)
            if any(None not in (a, b) and a != b for a, b in pairs):
                raise ShapeError(
                    f"windows of {show(self.size)} on an input of {show(like.shape)} give "
                    f"{show(expected)}; the gradient is {show(dy.shape)}"
                )
        return Spec((n, h, w, c), dy.dtype)

    @property
    def taps(self) -> Pair:
        """How many windows may touch one element, along rows and columns."""
        return up(self.size[0], self.strides[0]), up(self.size[1], self.strides[1])

    def in_window(self, body: Expr, rows: Index, columns: Index) -> Expr:
        """The body where the offsets lie in the window; no guard where they always do."""
        (kh, kw), (sh, sw), (T, U) = self.size, self.strides, self.taps
        for offset, extent, reach in ((columns, kw, sw * U), (rows, kh, sh * T)):
            if reach != extent:
                body = where(inside(offset, extent), body, 0)
        return body


# (size, strides, input shape): touching, overlapping, apart, and with a rest at the end.
_POOLS: list[tuple[Pair, Pair, tuple[int, ...]]] = [
    ((2, 2), (2, 2), (2, 4, 6, 3)),
    ((2, 2), (2, 2), (1, 5, 5, 2)),
    ((3, 3), (2, 2), (1, 7, 8, 2)),
    ((2, 3), (1, 2), (1, 4, 7, 2)),
    ((1, 2), (2, 3), (2, 5, 6, 1)),
]


class MaxPool(Pool):
    """The largest element of each window, and where in the window it stood.

    The second output is `p * kw + q` as int32; of equal elements the first one wins.
    """

    type: ClassVar[str] = "MaxPool"
    size: Pair
    strides: Pair

    def infer(self, input: Spec) -> tuple[Spec, Spec]:
        shape = self.pooled(input)
        return Spec(shape, input.dtype), Spec(shape, dtypes.int32)

    def evaluate(self, xp: Any, input: Any) -> Any:
        elements = self.slabs(xp, input, self.counts(input.shape[1:3]))
        index = xp.argmax(elements, axis=0)
        return xp.max(elements, axis=0), index.astype(np.int32)

    def lower(self, *inputs: Operand) -> tuple[Lowered, ...]:
        (input,) = inputs
        return self._formula(input, "max", input.dtype), self._formula(
            input, "argmax", dtypes.int32
        )

    def _formula(self, input: Operand, combiner: str, dtype: DType) -> Formula:
        batch, h, w, depth = input.shape
        n, i, j, c = axes(batch, *self.counts((h, w)), depth, names="nijc")
        p, q = axes(*self.size, names="pq")
        body = input[n, i * self.strides[0] + p, j * self.strides[1] + q, c]
        return Formula.make((n, i, j, c), reduce(combiner, (p, q), body, dtype))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(MaxPoolGrad(self.size, self.strides), dy, node.outputs[1], node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in _POOLS:
            yield Sample(cls(size, strides), (_wave(*shape),), exact=True)
        ties = np.zeros((1, 4, 4, 1), np.float32)
        yield Sample(cls((2, 2), (2, 2)), (ties,), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        x = np.ones((1, 2, 4, 1), np.float32)
        yield Sample(cls((3, 3), (1, 1)), (x,), "windows of [3, 3] do not fit into the input")
        yield Sample(cls((2, 2), (1, 1)), (x[0],), "the input must have rank 4; it is [2, 4, 1]")
        yield Sample(cls((2, 2), (1, 1)), (x > 0,), "takes numeric tensors, not bool")


class MaxPoolGrad(Pool):
    """The gradient of `MaxPool` by its input: each `dy` goes to the element that won its window."""

    type: ClassVar[str] = "MaxPoolGrad"
    shape_only: ClassVar[tuple[int, ...]] = (2,)
    size: Pair
    strides: Pair

    def infer(self, dy: Spec, index: Spec, like: Spec) -> Spec:
        return self.check_gradient(dy, like)

    def evaluate(self, xp: Any, dy: Any, index: Any, like: Any) -> Any:
        _, h, w, _ = like.shape
        full = MaxPoolScatter(self.size, self.strides, self._blocks(h, w)).evaluate(xp, dy, index)
        rest = [(0, max(e - f, 0)) for e, f in zip((h, w), full.shape[1:3], strict=True)]
        return _pad_array(xp, full, rest[0], rest[1])[:, :h, :w, :]

    def _blocks(self, h: int, w: int) -> Pair:
        """The extents of i and j: all, or those with windows where that does."""
        if self.taps == (1, 1):
            return self.counts((h, w))
        return up(h, self.strides[0]), up(w, self.strides[1])

    def expand(self, *inputs: Tensor) -> Tensor:
        dy, index, like = inputs
        _, h, w, _ = known(like.static_shape)
        scatter = MaxPoolScatter(self.size, self.strides, self._blocks(h, w))
        return _resize(emit(scatter, dy, index), (h, w))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(MaxPoolGather(self.size, self.strides), dy, node.inputs[1]), None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in _POOLS:
            y, index = MaxPool(size, strides).evaluate(np, _wave(*shape))
            dy = _wave(*y.shape, step=1.1)
            yield Sample(cls(size, strides), (dy, index, np.zeros(shape, np.float32)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        dy, like = np.ones((1, 2, 2, 1), np.float32), np.ones((1, 6, 4, 1), np.float32)
        index = np.zeros(dy.shape, np.int32)
        yield Sample(cls((2, 2), (2, 2)), (dy, index, like), "give [1, 3, 2, 1]; the gradient is")


class MaxPoolScatter(Pool):
    """What `MaxPoolGrad` becomes: each phase looks at the windows that cover it.

    `y[n, sh*i+r, sw*j+u, c] = sum over (t,v), where index[n,i-t,j-v,c] = (r+sh*t)*kw + u+sw*v,
    of dy[n,i-t,j-v,c]`

    Attributes:
        size: the height and width of a window.
        strides: the steps between windows.
        blocks: the extents of i and j.
    """

    type: ClassVar[str] = "MaxPoolScatter"
    size: Pair
    strides: Pair
    blocks: Pair

    def infer(self, dy: Spec, index: Spec) -> Spec:
        n, _, _, c = known(dy.shape)
        (sh, sw), (rows, columns) = self.strides, self.blocks
        return Spec((n, rows * sh, columns * sw, c), dy.dtype)

    def evaluate(self, xp: Any, dy: Any, index: Any) -> Any:
        (_kh, kw), (sh, sw), (T, U), (rows, columns) = (
            self.size,
            self.strides,
            self.taps,
            self.blocks,
        )
        (g,) = _wide(dy)
        above = (T - 1, rows - dy.shape[1]), (U - 1, columns - dy.shape[2])
        g = _pad_array(xp, g, *above)[:, :, None, :, None, :]
        index = _pad_array(xp, index, *above, value=-1)[:, :, None, :, None, :]
        r, u = np.arange(sh)[:, None, None, None], np.arange(sw)[:, None]
        total = 0
        for t in range(T):
            for v in range(U):
                at = slice(T - 1 - t, T - 1 - t + rows), slice(U - 1 - v, U - 1 - v + columns)
                code = np.where(u + sw * v < kw, (r + sh * t) * kw + u + sw * v, -2)
                won = index[:, at[0], :, at[1]] == code
                total = total + xp.where(
                    won, g[:, at[0], :, at[1]], xp.zeros_like(g[:1, :1, :, :1])
                )
        return _unphased(xp, total).astype(dy.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        dy, index = inputs
        batch, have_rows, have_columns, depth = dy.shape
        (sh, sw), (T, U), (rows, columns) = self.strides, self.taps, self.blocks
        n, i, r, j, u, c = axes(batch, rows, sh, columns, sw, depth, names="nirjuc")
        if (T, U) == (1, 1):
            body = self._won(dy, index, (n, i, j, c), r, u)
        else:
            t, v = axes(T, U, names="tv")
            at = n, i - t, j - v, c
            term = self._won(dy, index, at, t * sh + r, v * sw + u)
            term = where(inside(at[2], have_columns), term, 0)
            body = sum_over((t, v), where(inside(at[1], have_rows), term, 0))
        shape = (batch, rows * sh, columns * sw, depth)
        return Formula.make((n, i, r, j, u, c), body, (n, i * sh + r, j * sw + u, c), shape)

    def _won(
        self, dy: Operand, index: Operand, at: Sequence[Index], row: Index, column: Index
    ) -> Expr:
        kw = self.size[1]
        code = Position(affine(row) * kw + column, dtypes.int32)
        return self.in_window(where(apply("eq", index[at], code), dy[at], 0), row, column)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        # Rounded-up images hold the same windows, and perhaps more than there are indices for.
        _, h, w, _ = known(node.inputs[0].static_shape)
        reach = [(e - 1) * s + k for e, s, k in zip((h, w), self.strides, self.size, strict=True)]
        return [
            emit(
                MaxPoolGather(self.size, self.strides),
                _resize(dy, (reach[0], reach[1])),
                node.inputs[1],
            ),
            None,
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in _POOLS:
            y, index = MaxPool(size, strides).evaluate(np, _wave(*shape))
            blocks = MaxPoolGrad(size, strides)._blocks(shape[1], shape[2])
            yield Sample(cls(size, strides, blocks), (_wave(*y.shape, step=1.1), index))


class MaxPoolGather(Pool):
    """The element of each window that an index names: the adjoint of `MaxPoolGrad`."""

    type: ClassVar[str] = "MaxPoolGather"
    size: Pair
    strides: Pair

    def infer(self, input: Spec, index: Spec) -> Spec:
        return Spec(self.pooled(input), input.dtype)

    def evaluate(self, xp: Any, input: Any, index: Any) -> Any:
        elements = self.slabs(xp, input, self.counts(input.shape[1:3]))
        return xp.take_along_axis(elements, index[None].astype(np.int64), axis=0)[0]

    def lower(self, *inputs: Operand) -> Lowered:
        input, index = inputs
        batch, h, w, depth = input.shape
        n, i, j, c = axes(batch, *self.counts((h, w)), depth, names="nijc")
        p, q = axes(*self.size, names="pq")
        element = input[n, i * self.strides[0] + p, j * self.strides[1] + q, c]
        code = Position(p * self.size[1] + q, dtypes.int32)
        chosen = where(apply("eq", index[n, i, j, c], code), element, 0)
        return Formula.make((n, i, j, c), sum_over((p, q), chosen))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, index = node.inputs
        return [emit(MaxPoolGrad(self.size, self.strides), dy, index, x), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in _POOLS:
            _, index = MaxPool(size, strides).evaluate(np, _wave(*shape))
            yield Sample(cls(size, strides), (_wave(*shape, step=1.1), index))


class SumPool(Pool):
    """The sum of each window: `y[n,i,j,c] = sum over (p,q) of x[n, i*sh+p, j*sw+q, c]`."""

    type: ClassVar[str] = "SumPool"
    size: Pair
    strides: Pair

    def infer(self, input: Spec) -> Spec:
        return Spec(self.pooled(input), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        (x,) = _wide(input)
        total = xp.sum(self.slabs(xp, x, self.counts(x.shape[1:3])), axis=0)
        return total.astype(input.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        (input,) = inputs
        batch, h, w, depth = input.shape
        n, i, j, c = axes(batch, *self.counts((h, w)), depth, names="nijc")
        p, q = axes(*self.size, names="pq")
        element = input[n, i * self.strides[0] + p, j * self.strides[1] + q, c]
        return Formula.make((n, i, j, c), sum_over((p, q), element))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(SumPoolGrad(self.size, self.strides), dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in _POOLS:
            yield Sample(cls(size, strides), (_wave(*shape),))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        x = np.ones((1, 2, 4, 1), np.float32)
        yield Sample(cls((3, 3), (1, 1)), (x,), "windows of [3, 3] do not fit into the input")


class SumPoolGrad(Pool):
    """The adjoint of `SumPool`: every element gets the sum over the windows that hold it."""

    type: ClassVar[str] = "SumPoolGrad"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    size: Pair
    strides: Pair

    def infer(self, dy: Spec, like: Spec) -> Spec:
        return self.check_gradient(dy, like)

    def evaluate(self, xp: Any, dy: Any, like: Any) -> Any:
        plan = _Phases.of(self.strides, self.size, like.shape[1:3], dy.shape[1:3])
        padded = _pad_array(xp, dy, *plan.around)
        full = SumPoolSpread(self.size, self.strides).evaluate(xp, padded)
        return full[:, : like.shape[1], : like.shape[2], :]

    def expand(self, *inputs: Tensor) -> Tensor:
        dy, like = inputs
        _, h, w, _ = known(like.static_shape)
        _, rows, columns, _ = known(dy.static_shape)
        plan = _Phases.of(self.strides, self.size, (h, w), (rows, columns))
        full = emit(SumPoolSpread(self.size, self.strides), _pad(dy, *plan.around))
        return _crop(full, (0, 0), (h, w))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(SumPool(self.size, self.strides), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in _POOLS:
            y = SumPool(size, strides).evaluate(np, _wave(*shape))
            dy = _wave(*y.shape, step=1.1)
            yield Sample(cls(size, strides), (dy, np.zeros(shape, np.float32)))


class SumPoolSpread(Pool):
    """What `SumPoolGrad` becomes, with zeros already around its input.

    `y[n, sh*i+r, sw*j+u, c] = sum over (t,v), where (r+sh*t, u+sw*v) is in the window, of
    x[n, i-t+T-1, j-v+U-1, c]`
    """

    type: ClassVar[str] = "SumPoolSpread"
    size: Pair
    strides: Pair

    def _extents(self, x: Sequence[int]) -> Pair:
        return x[1] - self.taps[0] + 1, x[2] - self.taps[1] + 1

    def infer(self, input: Spec) -> Spec:
        x = known(input.shape)
        rows, columns = self._extents(x)
        return Spec((x[0], rows * self.strides[0], columns * self.strides[1], x[3]), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        (kh, kw), (sh, sw), (T, U) = self.size, self.strides, self.taps
        (x,) = _wide(input)
        rows, columns = self._extents(x.shape)
        total = 0
        for t in range(T):
            for v in range(U):
                part = x[:, T - 1 - t :, U - 1 - v :, :][:, :rows, None, :columns, None, :]
                held = np.arange(sh)[:, None] + sh * t < kh, np.arange(sw) + sw * v < kw
                mask = (held[0] & held[1])[:, None, :, None]
                total = total + part * mask.astype(x.dtype)
        return _unphased(xp, total).astype(input.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        (input,) = inputs
        (sh, sw), (T, U), (rows, columns) = self.strides, self.taps, self._extents(input.shape)
        n, i, r, j, u, c = axes(
            input.shape[0], rows, sh, columns, sw, input.shape[3], names="nirjuc"
        )
        if (T, U) == (1, 1):
            body = self.in_window(input[n, i, j, c], r, u)
        else:
            t, v = axes(T, U, names="tv")
            element = input[n, i - t + (T - 1), j - v + (U - 1), c]
            body = sum_over((t, v), self.in_window(element, t * sh + r, v * sw + u))
        shape = (input.shape[0], rows * sh, columns * sw, input.shape[3])
        return Formula.make((n, i, r, j, u, c), body, (n, i * sh + r, j * sw + u, c), shape)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        (T, U), (sh, sw) = self.taps, self.strides
        _, h, w, _ = known(node.inputs[0].static_shape)
        before = (T - 1) * sh, (U - 1) * sw
        _, have_rows, have_columns, _ = known(dy.static_shape)
        reach = (h - 1) * sh + self.size[0], (w - 1) * sw + self.size[1]
        wide = _pad(
            dy,
            (before[0], max(reach[0] - before[0] - have_rows, 0)),
            (before[1], max(reach[1] - before[1] - have_columns, 0)),
        )
        return [emit(SumPool(self.size, self.strides), _crop(wide, (0, 0), reach))]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2, 2), (2, 2)), (_wave(2, 2, 3, 3),))
        yield Sample(cls((3, 3), (2, 2)), (_wave(1, 5, 4, 2),))
        yield Sample(cls((1, 2), (2, 3)), (_wave(1, 3, 2, 2),))


# -- padding that depends on extents that are not known yet


class SamePad(Op):
    """An image with a border of `value`, such that `ceil(extent / stride)` windows fit."""

    type: ClassVar[str] = "SamePad"
    size: Pair
    strides: Pair
    value: float = 0.0

    def _paddings(self, extents: Sequence[int]) -> tuple[Pair, Pair]:
        rows, columns = map(same_padding, extents, self.size, self.strides)
        return rows, columns

    def infer(self, input: Spec) -> Spec:
        n, h, w, c = _image(input.shape, "input")
        extents = (
            None if e is None else e + sum(same_padding(e, k, s))
            for e, k, s in zip((h, w), self.size, self.strides, strict=True)
        )
        return Spec((n, *extents, c), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return _pad_array(xp, input, *self._paddings(input.shape[1:3]), value=self.value)

    def expand(self, *inputs: Tensor) -> Tensor:
        (input,) = inputs
        paddings = self._paddings(known(input.static_shape)[1:3])
        return _pad(input, *paddings, self.value)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(SameCrop(self.size, self.strides), dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((3, 2), (1, 2)), (_wave(1, 4, 3, 2),), exact=True)
        yield Sample(cls((1, 1), (2, 2), -1.0), (_wave(1, 4, 3, 2),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2, 2), (1, 1)), (_wave(4, 3, 2),), "the input must have rank 4")


class SameCrop(Op):
    """What `SamePad` added taken off again, for an image of the shape of `like`."""

    type: ClassVar[str] = "SameCrop"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    size: Pair
    strides: Pair

    def _before(self, extents: Sequence[int]) -> Pair:
        (top, _), (left, _) = map(same_padding, extents, self.size, self.strides)
        return top, left

    def infer(self, input: Spec, like: Spec) -> Spec:
        n, _, _, c = _image(input.shape, "input")
        batch, h, w, _ = _image(like.shape, "image")
        return Spec((batch if n is None else n, h, w, c), input.dtype)

    def evaluate(self, xp: Any, input: Any, like: Any) -> Any:
        _, h, w, _ = like.shape
        top, left = self._before((h, w))
        return input[:, top : top + h, left : left + w, :]

    def expand(self, *inputs: Tensor) -> Tensor:
        input, like = inputs
        _, h, w, _ = known(like.static_shape)
        return _crop(input, self._before((h, w)), (h, w))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(SamePad(self.size, self.strides), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        like = np.zeros((1, 4, 3, 2), np.float32)
        yield Sample(cls((3, 2), (1, 2)), (_wave(1, 6, 4, 2), like), exact=True)


# -- the public functions


def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = 1,
    padding: str = "VALID",
    use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC",
    dilations: Any = 1,
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """Convolve images with filters: `y[n,i,j,o] = sum of x[n, i*sh+p, j*sw+q, c] * w[p,q,c,o]`.

    Args:
        input: `[batch, height, width, channels]`, floating.
        filter: `[height, width, channels, channels of the result]`, of the same dtype.
        strides: four numbers in the order of the data format, two, or one.
        padding: "SAME" (zeros around, so that there are `ceil(extent / stride)` rows) or "VALID".
        use_cudnn_on_gpu: of no effect; kept for TensorFlow's programs.
        data_format: "NHWC" or "NCHW"; the latter is transposed there and back.
        dilations: steps between the filter's elements, like `strides`.
        name: of the operation.
        filters: TensorFlow's later name for `filter`.

    Raises:
        ShapeError: if channels differ, a rank is not 4, or a filter is larger than its VALID input.
        InvalidArgumentError: for strides, a padding or a data format that do not exist.
    """
    x, w = convert_pair(input, filter if filters is None else filters)
    steps = _spatial(strides, data_format, "strides")
    spread = _spatial(dilations, data_format, "dilations")
    method = _padding(padding)
    with x.graph.name_scope(name or "Conv2D") as scope:
        w = _dilate(w, spread)
        if method == "VALID":
            return _nhwc(x, data_format, scope, lambda image, n: _convolve(image, w, steps, n))

        def same(image: Tensor, n: str | None) -> Tensor:
            return _convolve(_pad_same(image, _filter_size(w), steps), w, steps, n)

        return _nhwc(x, data_format, scope, same)


def _convolve(x: Tensor, w: Tensor, strides: Pair, name: str | None) -> Tensor:
    return emit(Conv2D(strides), x, w, name=name)


def conv2d_transpose(
    value: Any,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = 1,
    padding: str = "SAME",
    data_format: str | None = "NHWC",
    name: str | None = None,
) -> Tensor:
    """The transpose (the gradient by the input) of `conv2d`, as a layer that enlarges images.

    Args:
        value: `[batch, height, width, channels]`.
        filter: `[height, width, channels of the result, channels of value]`.
        output_shape: the shape of the result: a list, or an int32 tensor.
        strides: as for `conv2d`.
        padding: of the convolution that this is the transpose of.
        data_format: "NHWC" or "NCHW"; `output_shape` is in the same order.
        name: of the operation.

    Raises:
        ShapeError: if a convolution of `output_shape` would not give the shape of `value`.
        InvalidArgumentError: for strides, a padding or a data format that do not exist.
    """
    y, w = convert_pair(value, filter)
    steps, method = _spatial(strides, data_format, "strides"), _padding(padding)
    with y.graph.name_scope(name or "conv2d_transpose") as scope:
        like = views.zeros(output_shape, y.dtype)
        if data_format == "NCHW":
            like = views.transpose(like, _TO_NHWC)

        def transposed(image: Tensor, n: str | None) -> Tensor:
            if method == "VALID":
                return emit(Conv2DInputGrad(steps), image, w, like, name=n)
            size = _filter_size(w)
            full = emit(Conv2DInputGrad(steps), image, w, emit(SamePad(size, steps), like))
            return emit(SameCrop(size, steps), full, like, name=n)

        return _nhwc(y, data_format, scope, transposed)


def max_pool(
    value: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str | None = "NHWC",
    name: str | None = None,
) -> Tensor:
    """The largest element of each window.

    Args:
        value: `[batch, height, width, channels]`.
        ksize: the size of the windows: four numbers in the order of the data format, two, or one.
        strides: the steps between windows, like `ksize`.
        padding: "SAME" or "VALID"; padding never wins.
        data_format: "NHWC" or "NCHW".
        name: of the operation.

    Raises:
        ShapeError: if the rank is not 4 or a window does not fit.
        InvalidArgumentError: for sizes, a padding or a data format that do not exist.
    """
    x = convert(value)
    size, steps = _spatial(ksize, data_format, "ksize"), _spatial(strides, data_format, "strides")
    method = _padding(padding)
    lowest = -np.inf if x.dtype.is_floating else x.dtype.min if x.dtype.is_integer else 0

    def pool(image: Tensor, n: str | None) -> Tensor:
        if method == "SAME":
            image = _pad_same(image, size, steps, lowest)
        return emit(MaxPool(size, steps), image, name=n)

    with x.graph.name_scope(name or "MaxPool") as scope:
        return _nhwc(x, data_format, scope, pool)


def avg_pool(
    value: Any,
    ksize: Any,
    strides: Any,
    padding: str,
    data_format: str | None = "NHWC",
    name: str | None = None,
) -> Tensor:
    """The mean of each window; with SAME, of the elements that are not padding.

    Args:
        value: `[batch, height, width, channels]`, floating.
        ksize: the size of the windows: four numbers in the order of the data format, two, or one.
        strides: the steps between windows, like `ksize`.
        padding: "SAME" or "VALID".
        data_format: "NHWC" or "NCHW".
        name: of the operation.

    Raises:
        ShapeError: if the rank is not 4 or a window does not fit.
        DTypeError: if the values are not floating.
        InvalidArgumentError: for sizes, a padding or a data format that do not exist.
    """
    x = convert(value)
    check_kind(FLOATING, x.dtype)
    size, steps = _spatial(ksize, data_format, "ksize"), _spatial(strides, data_format, "strides")
    method = _padding(padding)

    def pool(image: Tensor, n: str | None) -> Tensor:
        if method == "VALID":
            return arithmetic.divide(emit(SumPool(size, steps), image), size[0] * size[1], name=n)
        padded = _pad_same(image, size, steps)
        total = emit(SumPool(size, steps), padded)
        held = emit(SumPool(size, steps), _pad_same(views.ones_like(image), size, steps))
        return emit(Div(), total, held, name=n)

    with x.graph.name_scope(name or "AvgPool") as scope:
        return _nhwc(x, data_format, scope, pool)


def _pad_same(x: Tensor, size: Pair, strides: Pair, value: float = 0.0) -> Tensor:
    _, h, w, _ = _image(x.static_shape, "input")
    if h is None or w is None:
        return emit(SamePad(size, strides, value), x)
    return _pad(x, *SamePad(size, strides)._paddings((h, w)), value)


_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def _nhwc(x: Tensor, data_format: str | None, scope: str, function: Any) -> Tensor:
    """Apply a function of an NHWC image and a name, whatever the format of the image is."""
    if data_format != "NCHW":
        result: Tensor = function(x, scope)
        return result
    inner = function(views.transpose(x, _TO_NHWC), None)
    return views.transpose(inner, _TO_NCHW, name=scope)


def _padding(padding: Any) -> str:
    method = str(padding).upper()
    if method not in ("SAME", "VALID"):
        raise InvalidArgumentError(f"padding must be 'SAME' or 'VALID', not {padding!r}")
    return method


def _spatial(numbers: Any, data_format: str | None, what: str) -> Pair:
    """The entries for height and width out of four, two or one."""
    if data_format not in (None, "NHWC", "NCHW"):
        raise InvalidArgumentError(f"data_format must be 'NHWC' or 'NCHW', not {data_format!r}")
    given = [numbers] if isinstance(numbers, int | np.integer) else list(numbers)
    if len(given) not in (1, 2, 4) or any(not isinstance(n, int | np.integer) for n in given):
        raise InvalidArgumentError(f"{what} must be four integers, not {numbers!r}")
    if len(given) == 1:
        given = given * 2
    if len(given) == 4:
        first = 2 if data_format == "NCHW" else 1
        rest = given[0], given[1 if data_format == "NCHW" else 3]
        if rest != (1, 1):
            raise InvalidArgumentError(
                f"{what} must be 1 along the batch and the channels: {numbers!r}"
            )
        given = given[first : first + 2]
    if min(given) < 1:
        raise InvalidArgumentError(f"{what} must be positive: {numbers!r}")
    return int(given[0]), int(given[1])


def _dilate(w: Tensor, dilations: Pair) -> Tensor:
    """The filter with `d - 1` zeros between neighbouring elements."""
    if dilations == (1, 1):
        return w
    (kh, kw), (dh, dw), shape = _filter_size(w), dilations, w.static_shape
    assert shape is not None
    tail = known(shape[2:])
    spaced = views.reshape(w, (kh, 1, kw, 1, *tail))
    paddings = ((0, 0), (0, dh - 1), (0, 0), (0, dw - 1), (0, 0), (0, 0))
    spaced = views.reshape(emit(views.Pad(paddings, 0), spaced), (kh * dh, kw * dw, *tail))
    return views.slice_(spaced, (0, 0, 0, 0), ((kh - 1) * dh + 1, (kw - 1) * dw + 1, *tail))
