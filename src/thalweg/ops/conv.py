"""Convolution over images: NHWC, filters HWIO.

The gradients are written in gather form over phases: the row `s * i + r` of a gradient, with
`0 <= r < s`, is touched only by filter rows `r + s * t`, so for each phase r it is an ordinary
convolution, without guards and without scattered additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base.dtypes import DType
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import known, show
from thalweg.formula import Formula, Lowered, Operand, axes, sum_over
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import checking, convert_pair, emit
from thalweg.ops.create import zeros
from thalweg.ops.pad import Pad
from thalweg.ops.pointwise import FLOATING, check_kind
from thalweg.ops.reshape import reshape, transpose
from thalweg.ops.samples import wave
from thalweg.ops.slicing import slice_
from thalweg.ops.windows import (
    TO_NHWC,
    Extent,
    Pair,
    Phases,
    SameCrop,
    SamePad,
    check_windows,
    crop_image,
    image_extents,
    in_nhwc,
    pad_array,
    pad_image,
    pad_same,
    padding_method,
    slab,
    spatial_pair,
    unphased,
    widened,
    window_counts,
)

Grads: TypeAlias = Sequence[Tensor | None]


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


# (strides, input shape, filter shape): windows and phases meet the edges differently in each.
_CASES: list[tuple[Pair, tuple[int, ...], tuple[int, ...]]] = [
    ((1, 1), (2, 5, 6, 3), (3, 2, 3, 4)),
    ((2, 2), (1, 6, 8, 2), (2, 2, 2, 3)),
    ((2, 1), (2, 7, 5, 2), (3, 3, 2, 2)),
    ((3, 2), (1, 9, 6, 1), (2, 5, 1, 2)),
    ((1, 1), (2, 3, 4, 2), (1, 1, 2, 5)),
]


class Conv2D(Op):
    """Convolution (cross-correlation, as everywhere in deep learning) without padding.

    `y[n,i,j,o] = sum over (p,q,c) of x[n, i*sh+p, j*sw+q, c] * w[p,q,c,o]`
    """

    type: ClassVar[str] = "Conv2D"
    strides: Pair

    def infer(self, input: Spec, filter: Spec) -> Spec:
        n, h, w, c = image_extents(input.shape, "input")
        kh, kw, depth, o = image_extents(filter.shape, "filter")
        _check_channels(c, depth, input, filter, "input")
        check_windows((h, w), (kh, kw), input.shape)
        rows, columns = window_counts((h, w), (kh, kw), self.strides)
        return Spec((n, rows, columns, o), _same_dtype(input, filter))

    def evaluate(self, xp: Any, input: Any, filter: Any) -> Any:
        x, w = widened(input, filter)
        kh, kw = w.shape[:2]
        counts = [
            (e - k) // s + 1 for e, k, s in zip(x.shape[1:3], (kh, kw), self.strides, strict=True)
        ]
        y = sum(
            xp.tensordot(slab(x, p, q, counts, self.strides), w[p, q], ((3,), (0,)))
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
            yield Sample(cls(strides), (wave(*x), wave(*w)))

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
    kh, kw, _, _ = image_extents(w.static_shape, "filter")
    if kh is None or kw is None:
        raise ShapeError(
            f"the gradient by a filter needs its height and width; {w.name!r} is "
            f"{show(w.static_shape)}"
        )
    return kh, kw


class Conv2DInputGrad(Op):
    """The adjoint of `Conv2D` in its input: what `dy` says about each element of the input.

    `dx[n,a,b,c] = sum over (p,q,o), where a = i*sh+p and b = j*sw+q, of dy[n,i,j,o] * w[p,q,c,o]`
    """

    type: ClassVar[str] = "Conv2DInputGrad"
    shape_only: ClassVar[tuple[int, ...]] = (2,)
    strides: Pair

    def infer(self, dy: Spec, filter: Spec, like: Spec) -> Spec:
        n, rows, columns, out = image_extents(dy.shape, "gradient")
        kh, kw, depth, o = image_extents(filter.shape, "filter")
        _, h, w, c = image_extents(like.shape, "input")
        _check_channels(out, o, dy, filter, "gradient")
        _check_channels(c, depth, like, filter, "input")
        check_windows((h, w), (kh, kw), like.shape)
        expected = window_counts((h, w), (kh, kw), self.strides)
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
        plan = Phases.of(self.strides, filter.shape[:2], like.shape[1:3], dy.shape[1:3])
        padded = pad_array(xp, dy, *plan.around)
        w = xp.pad(filter, (*((0, e) for e in plan.filter_padding), (0, 0), (0, 0)))
        full = Conv2DTransposed(self.strides).evaluate(xp, padded, w)
        return full[:, : like.shape[1], : like.shape[2], :]

    def expand(self, *inputs: Tensor) -> Tensor:
        dy, filter, like = inputs
        (kh, kw, _, _), (_, h, w, _) = known(filter.static_shape), known(like.static_shape)
        _, rows, columns, _ = known(dy.static_shape)
        plan = Phases.of(self.strides, (kh, kw), (h, w), (rows, columns))
        below, right = plan.filter_padding
        if below or right:
            paddings = ((0, below), (0, right), (0, 0), (0, 0))
            filter = emit(Pad(paddings, 0), filter)
        full = emit(Conv2DTransposed(self.strides), pad_image(dy, *plan.around), filter)
        return crop_image(full, (0, 0), (h, w))

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
            dy = Conv2D(strides).evaluate(np, like, wave(*w))
            yield Sample(cls(strides), (wave(*dy.shape, step=1.1), wave(*w), like))


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
        x, w = widened(input, filter)
        (sh, sw), ((T, U), (rows, columns)) = self.strides, self._extents(x.shape, w.shape)
        total = 0
        for t in range(T):
            for v in range(U):
                part = x[:, T - 1 - t :, U - 1 - v :, :][:, :rows, :columns, :]
                phase = w[sh * t : sh * t + sh, sw * v : sw * v + sw]
                total = total + xp.tensordot(part, phase, ((3,), (3,)))
        return unphased(xp, xp.transpose(total, (0, 1, 3, 2, 4, 5))).astype(input.dtype)

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
        wide = pad_image(dy, ((T - 1) * sh, (T - 1) * sh), ((U - 1) * sw, (U - 1) * sw))
        return [
            emit(Conv2D(self.strides), wide, w),
            emit(Conv2DFilterGrad(self.strides, _filter_size(w)), wide, x),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, 1)), (wave(2, 6, 5, 3), wave(3, 2, 4, 3)))
        yield Sample(cls((2, 3)), (wave(1, 4, 4, 2), wave(4, 3, 2, 2)))


class Conv2DFilterGrad(Op):
    """The adjoint of `Conv2D` in its filter.

    `dw[p,q,c,o] = sum over (n,i,j) of x[n, i*sh+p, j*sw+q, c] * dy[n,i,j,o]`
    """

    type: ClassVar[str] = "Conv2DFilterGrad"
    strides: Pair
    size: Pair

    def infer(self, input: Spec, dy: Spec) -> Spec:
        n, h, w, c = image_extents(input.shape, "input")
        batch, rows, columns, o = image_extents(dy.shape, "gradient")
        expected = window_counts((h, w), self.size, self.strides)
        pairs = zip((n, *expected), (batch, rows, columns), strict=True)
        if any(None not in (a, b) and a != b for a, b in pairs):
            raise ShapeError(
                f"windows of {show(self.size)} on an input of {show(input.shape)} give "
                f"{show((n, *expected, o))}; the gradient is {show(dy.shape)}"
            )
        return Spec((*self.size, c, o), _same_dtype(input, dy))

    def evaluate(self, xp: Any, input: Any, dy: Any) -> Any:
        x, g = widened(input, dy)
        kh, kw = self.size
        parts = [
            xp.tensordot(slab(x, p, q, g.shape[1:3], self.strides), g, ((0, 1, 2), (0, 1, 2)))
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
            dy = Conv2D(strides).evaluate(np, wave(*x), wave(*w))
            yield Sample(cls(strides, (w[0], w[1])), (wave(*x), wave(*dy.shape, step=1.1)))


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
    x, w = convert_pair(input, filter if filters is None else filters, "conv2d")
    steps = spatial_pair(strides, data_format, "strides")
    spread = spatial_pair(dilations, data_format, "dilations")
    method = padding_method(padding)
    with checking("conv2d", input=x, filter=w):
        _check_filter(x, w, -1 if data_format in (None, "NHWC") else 1)
    with x.graph.name_scope(name or "Conv2D") as scope:
        w = _dilate(w, spread)
        if method == "VALID":
            return in_nhwc(x, data_format, scope, lambda image, n: _convolve(image, w, steps, n))

        def same(image: Tensor, n: str | None) -> Tensor:
            return _convolve(pad_same(image, _filter_size(w), steps), w, steps, n)

        return in_nhwc(x, data_format, scope, same)


def _check_filter(x: Tensor, w: Tensor, axis: int) -> None:
    """Compare the channels before the image is padded: the error shows it as the user made it."""
    image, size = x.static_shape, w.static_shape
    if image is not None and size is not None and len(image) == 4 and len(size) == 4:
        _check_channels(image[axis], size[2], x.spec, w.spec, "input")


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
    y, w = convert_pair(value, filter, "conv2d_transpose")
    steps, method = spatial_pair(strides, data_format, "strides"), padding_method(padding)
    with y.graph.name_scope(name or "conv2d_transpose") as scope:
        like = zeros(output_shape, y.dtype)
        if data_format == "NCHW":
            like = transpose(like, TO_NHWC)

        def transposed(image: Tensor, n: str | None) -> Tensor:
            if method == "VALID":
                return emit(Conv2DInputGrad(steps), image, w, like, name=n)
            size = _filter_size(w)
            full = emit(Conv2DInputGrad(steps), image, w, emit(SamePad(size, steps), like))
            return emit(SameCrop(size, steps), full, like, name=n)

        return in_nhwc(y, data_format, scope, transposed)


def _dilate(w: Tensor, dilations: Pair) -> Tensor:
    """The filter with `d - 1` zeros between neighbouring elements."""
    if dilations == (1, 1):
        return w
    (kh, kw), (dh, dw), shape = _filter_size(w), dilations, w.static_shape
    assert shape is not None
    tail = known(shape[2:])
    spaced = reshape(w, (kh, 1, kw, 1, *tail))
    paddings = ((0, 0), (0, dh - 1), (0, 0), (0, dw - 1), (0, 0), (0, 0))
    spaced = reshape(emit(Pad(paddings, 0), spaced), (kh * dh, kw * dw, *tail))
    return slice_(spaced, (0, 0, 0, 0), ((kh - 1) * dh + 1, (kw - 1) * dw + 1, *tail))
