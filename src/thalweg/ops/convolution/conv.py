"""Convolution over images: NHWC, filters HWIO.

The records convolve groups of channels side by side: with G groups, the channels of the input are
`[G, D]`, those of the result `[G, K]`, and the filter is `[height, width, D, G * K]`. An ordinary
convolution has one group, a depthwise one has a group for each channel.

The gradients are written in gather form over phases: the row `s * i + r` of a gradient, with
`0 <= r < s`, is touched only by filter rows `r + s * t`, so for each phase r it is an ordinary
convolution, without guards and without scattered additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base.errors import ShapeError
from thalweg.base.record import Record
from thalweg.base.shapes import known, show
from thalweg.formula import Formula, Lowered, Operand, axes, sum_over
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.create import zeros
from thalweg.ops.arrays.pad import Pad
from thalweg.ops.arrays.reshape import transpose
from thalweg.ops.build import checking, convert_pair, emit
from thalweg.ops.convolution.channels import (
    by_group,
    channel_axes,
    channels_of,
    check_channels,
    same_dtype,
    share,
)
from thalweg.ops.convolution.filters import check_filter, dilate, filter_size
from thalweg.ops.convolution.windows import (
    TO_NHWC,
    Pair,
    Phases,
    SameCrop,
    SamePad,
    check_fit,
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
from thalweg.ops.samples import wave

Grads: TypeAlias = Sequence[Tensor | None]


# (strides, groups, input shape, filter shape): windows and phases meet the edges differently in
# each; groups have one channel or several, before and after.
_CASES: list[tuple[Pair, int, tuple[int, ...], tuple[int, ...]]] = [
    ((1, 1), 1, (2, 5, 6, 3), (3, 2, 3, 4)),
    ((2, 2), 1, (1, 6, 8, 2), (2, 2, 2, 3)),
    ((2, 1), 1, (2, 7, 5, 2), (3, 3, 2, 2)),
    ((3, 2), 1, (1, 9, 6, 1), (2, 5, 1, 2)),
    ((1, 1), 1, (2, 3, 4, 2), (1, 1, 2, 5)),
    ((1, 1), 3, (2, 5, 6, 3), (3, 2, 1, 3)),
    ((2, 1), 5, (1, 7, 5, 5), (3, 3, 1, 10)),
    ((1, 2), 2, (1, 5, 7, 6), (2, 3, 3, 4)),
]


class Conv2D(Op):
    """Convolution (cross-correlation, as everywhere in deep learning) without padding.

    `y[n,i,j,o] = sum over (p,q,c) of x[n, i*sh+p, j*sw+q, c] * w[p,q,c,o]`

    in one group; in several, `o` is `[g, k]` and x is read at the channel `[g, c]`.
    """

    type: ClassVar[str] = "Conv2D"
    strides: Pair
    groups: int = 1

    def infer(self, input: Spec, filter: Spec) -> Spec:
        n, h, w, c = image_extents(input.shape, "input")
        kh, kw, depth, o = image_extents(filter.shape, "filter")
        check_channels(c, channels_of(depth, self.groups), input, filter, "input")
        share(o, self.groups, filter)
        check_windows((h, w), (kh, kw), self.strides, input.shape)
        rows, columns = window_counts((h, w), (kh, kw), self.strides)
        return Spec((n, rows, columns, o), same_dtype(input, filter))

    def evaluate(self, xp: Any, input: Any, filter: Any) -> Any:
        x, w = widened(xp, input, filter)
        kh, kw = w.shape[:2]
        counts = [
            (e - k) // s + 1 for e, k, s in zip(x.shape[1:3], (kh, kw), self.strides, strict=True)
        ]
        y = sum(
            xp.matmul(
                by_group(xp, slab(x, p, q, counts, self.strides), self.groups),
                by_group(xp, w[p, q], self.groups),
            )
            for p in range(kh)
            for q in range(kw)
        )
        shape = (x.shape[0], *counts, w.shape[3])
        return xp.asarray(xp.reshape(xp.moveaxis(xp.asarray(y), 0, 1), shape), input.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        input, filter = inputs
        (batch, h, w, _), (kh, kw, depth, out) = input.shape, filter.shape
        (sh, sw), each = self.strides, out // self.groups
        rows, columns = (h - kh) // sh + 1, (w - kw) // sw + 1
        n, i, j = axes(batch, rows, columns, names="nij")
        channels, g, k = channel_axes(self.groups, each, "o")
        o = g * each + k
        p, q, c = axes(kh, kw, depth, names="pqc")
        term = input[n, i * sh + p, j * sw + q, g * depth + c] * filter[p, q, c, o]
        body = sum_over((p, q, c), term)
        shape = (batch, rows, columns, out)
        return Formula.make((n, i, j, *channels), body, (n, i, j, o), shape)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, w = node.inputs
        return [
            emit(Conv2DInputGrad(self.strides, self.groups), dy, w, x),
            emit(Conv2DFilterGrad(self.strides, filter_size(w), self.groups), x, dy),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for strides, groups, x, w in _CASES:
            yield Sample(cls(strides, groups), (wave(*x), wave(*w)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        x, w = np.ones((1, 5, 5, 3), np.float32), np.ones((3, 3, 4, 2), np.float32)
        text = (
            "input has 3 channels but the filter takes 4: "
            "input is [1, 5, 5, 3], filter is [3, 3, 4, 2]"
        )
        yield Sample(cls((1, 1)), (x, w), text)
        text = "input has 3 channels but the filter takes 12"
        yield Sample(cls((1, 1), 3), (x, w), text)
        text = "the filter, [3, 3, 1, 2], makes no 3 groups of equal size"
        yield Sample(cls((1, 1), 3), (x, w[:, :, :1]), text)
        yield Sample(cls((1, 1)), (x[0], w), "the input must have rank 4; it is [5, 5, 3]")
        yield Sample(cls((1, 1)), (x, w[0]), "the filter must have rank 4; it is [3, 4, 2]")
        yield Sample(cls((1, 1)), (x[:, :1], w[:, :, :3]), "windows of [3, 3] do not fit into")
        yield Sample(cls((1, 1)), (x, w[:, :, :3].astype(np.float64)), "float32 and float64")
        yield Sample(cls((1, 1)), (x > 0, w[:, :, :3] > 0), "takes floating tensors, not bool")


class Conv2DInputGrad(Op):
    """The adjoint of `Conv2D` in its input: what `dy` says about each element of the input.

    `dx[n,a,b,c] = sum over (p,q,o), where a = i*sh+p and b = j*sw+q, of dy[n,i,j,o] * w[p,q,c,o]`
    """

    type: ClassVar[str] = "Conv2DInputGrad"
    shape_only: ClassVar[tuple[int, ...]] = (2,)
    strides: Pair
    groups: int = 1

    def infer(self, dy: Spec, filter: Spec, like: Spec) -> Spec:
        n, rows, columns, out = image_extents(dy.shape, "gradient")
        kh, kw, depth, o = image_extents(filter.shape, "filter")
        _, h, w, c = image_extents(like.shape, "input")
        check_channels(out, o, dy, filter, "gradient")
        check_channels(c, channels_of(depth, self.groups), like, filter, "input")
        share(o, self.groups, filter)
        check_windows((h, w), (kh, kw), self.strides, like.shape)
        expected = window_counts((h, w), (kh, kw), self.strides)
        if any(
            None not in (a, b) and a != b for a, b in zip(expected, (rows, columns), strict=True)
        ):
            raise ShapeError(
                f"an input of {show(like.shape)} under a filter of {show(filter.shape)} has "
                f"{show(tuple(expected))} windows; the gradient is {show(dy.shape)}"
            )
        batch = like.shape[0] if like.shape else None
        shape = (n if batch is None else batch, h, w, channels_of(depth, self.groups))
        return Spec(shape, same_dtype(dy, filter))

    def evaluate(self, xp: Any, dy: Any, filter: Any, like: Any) -> Any:
        plan = Phases.of(self.strides, filter.shape[:2], like.shape[1:3], dy.shape[1:3])
        padded = pad_array(xp, dy, *plan.around)
        w = xp.pad(filter, (*((0, e) for e in plan.filter_padding), (0, 0), (0, 0)))
        full = Conv2DTransposed(self.strides, self.groups).evaluate(xp, padded, w)
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
        record = Conv2DTransposed(self.strides, self.groups)
        full = emit(record, pad_image(dy, *plan.around), filter)
        return crop_image(full, (0, 0), (h, w))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        inner, w, _ = node.inputs
        return [
            emit(Conv2D(self.strides, self.groups), dy, w),
            emit(Conv2DFilterGrad(self.strides, filter_size(w), self.groups), dy, inner),
            None,
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for strides, groups, x, w in _CASES:
            like = np.zeros(x, np.float32)
            dy = Conv2D(strides, groups).evaluate(np, like, wave(*w))
            yield Sample(cls(strides, groups), (wave(*dy.shape, step=1.1), wave(*w), like))


class Conv2DTransposed(Op):
    """What `Conv2DInputGrad` becomes: a contraction over phases, with the zeros already in place.

    `y[n, sh*i+r, sw*j+u, c]
    = sum over (t,v,o) of x[n, i-t+T-1, j-v+U-1, o] * w[r+sh*t, u+sw*v, c, o]`

    for a filter of `sh*T` by `sw*U`. It has `sh * (h - T + 1)` rows for the h of its input.
    """

    type: ClassVar[str] = "Conv2DTransposed"
    strides: Pair
    groups: int = 1

    def _extents(self, x: Sequence[int], w: Sequence[int]) -> tuple[Pair, Pair]:
        """The taps, and how many elements there are of each phase."""
        taps = w[0] // self.strides[0], w[1] // self.strides[1]
        return taps, (x[1] - taps[0] + 1, x[2] - taps[1] + 1)

    def infer(self, input: Spec, filter: Spec) -> Spec:
        x, w = known(input.shape), known(filter.shape)
        check_channels(x[3], w[3], input, filter, "input")
        if w[0] % self.strides[0] or w[1] % self.strides[1]:
            raise ShapeError(f"the filter, {show(w)}, is no multiple of the strides {self.strides}")
        _, (rows, columns) = self._extents(x, w)
        share(w[3], self.groups, filter)
        shape = (x[0], rows * self.strides[0], columns * self.strides[1], w[2] * self.groups)
        return Spec(shape, same_dtype(input, filter))

    def evaluate(self, xp: Any, input: Any, filter: Any) -> Any:
        x, w = widened(xp, input, filter)
        (sh, sw), ((T, U), (rows, columns)) = self.strides, self._extents(x.shape, w.shape)
        total = 0
        for t in range(T):
            for v in range(U):
                part = x[:, T - 1 - t :, U - 1 - v :, :][:, :rows, :columns, :]
                phase = w[sh * t : sh * t + sh, sw * v : sw * v + sw]
                taps = xp.matrix_transpose(by_group(xp, phase, self.groups))
                total = total + xp.matmul(by_group(xp, part, self.groups), taps)
        every = xp.reshape(total, (self.groups, x.shape[0], rows, columns, sh, sw, w.shape[2]))
        parts = xp.transpose(every, (1, 2, 4, 3, 5, 0, 6))
        parts = xp.reshape(parts, (*parts.shape[:5], self.groups * w.shape[2]))
        return xp.asarray(unphased(xp, parts), input.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        input, filter = inputs
        (sh, sw), ((T, U), (rows, columns)) = (
            self.strides,
            self._extents(input.shape, filter.shape),
        )
        (batch, *_), (_, _, depth, out) = input.shape, filter.shape
        each = out // self.groups
        n, i, r, j, u = axes(batch, rows, sh, columns, sw, names="nirju")
        channels, g, c = channel_axes(self.groups, depth, "c")
        t, v, k = axes(T, U, each, names="tvo")
        o = g * each + k
        x = input[n, i - t + (T - 1), j - v + (U - 1), o]
        body = sum_over((t, v, k), x * filter[t * sh + r, v * sw + u, c, o])
        store = (n, i * sh + r, j * sw + u, g * depth + c)
        shape = (batch, rows * sh, columns * sw, depth * self.groups)
        return Formula.make((n, i, r, j, u, *channels), body, store, shape)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        # The op is the adjoint of a convolution of a wider image, cut at both ends.
        x, w = node.inputs
        (T, U), _ = self._extents(known(x.static_shape), known(w.static_shape))
        (sh, sw) = self.strides
        wide = pad_image(dy, ((T - 1) * sh, (T - 1) * sh), ((U - 1) * sw, (U - 1) * sw))
        return [
            emit(Conv2D(self.strides, self.groups), wide, w),
            emit(Conv2DFilterGrad(self.strides, filter_size(w), self.groups), wide, x),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((1, 1)), (wave(2, 6, 5, 3), wave(3, 2, 4, 3)))
        yield Sample(cls((2, 3)), (wave(1, 4, 4, 2), wave(4, 3, 2, 2)))
        yield Sample(cls((2, 1), 2), (wave(1, 4, 4, 6), wave(4, 3, 2, 6)))


class Conv2DFilterGrad(Op):
    """The adjoint of `Conv2D` in its filter.

    `dw[p,q,c,o] = sum over (n,i,j) of x[n, i*sh+p, j*sw+q, c] * dy[n,i,j,o]`
    """

    type: ClassVar[str] = "Conv2DFilterGrad"
    strides: Pair
    size: Pair
    groups: int = 1

    def infer(self, input: Spec, dy: Spec) -> Spec:
        n, h, w, c = image_extents(input.shape, "input")
        batch, rows, columns, o = image_extents(dy.shape, "gradient")
        depth = None if c is None else c // self.groups
        expected = window_counts((h, w), self.size, self.strides)
        pairs = zip((n, *expected), (batch, rows, columns), strict=True)
        if any(None not in (a, b) and a != b for a, b in pairs):
            raise ShapeError(
                f"windows of {show(self.size)} on an input of {show(input.shape)} give "
                f"{show((n, *expected, o))}; the gradient is {show(dy.shape)}"
            )
        return Spec((*self.size, depth, o), same_dtype(input, dy))

    def evaluate(self, xp: Any, input: Any, dy: Any) -> Any:
        x, g = widened(xp, input, dy)
        kh, kw = self.size
        slabs = (slab(x, p, q, g.shape[1:3], self.strides) for p in range(kh) for q in range(kw))
        columns = by_group(xp, g, self.groups)
        parts = [
            xp.matmul(xp.matrix_transpose(by_group(xp, part, self.groups)), columns)
            for part in slabs
        ]
        shape = (kh, kw, x.shape[3] // self.groups, g.shape[3])
        return xp.asarray(xp.reshape(xp.moveaxis(xp.stack(parts), 1, 2), shape), input.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        input, dy = inputs
        (sh, sw), (batch, rows, columns, out) = self.strides, dy.shape
        depth, each = input.shape[3] // self.groups, out // self.groups
        p, q, c = axes(*self.size, depth, names="pqc")
        channels, g, k = channel_axes(self.groups, each, "o")
        o = g * each + k
        n, i, j = axes(batch, rows, columns, names="nij")
        term = input[n, i * sh + p, j * sw + q, g * depth + c] * dy[n, i, j, o]
        body = sum_over((n, i, j), term)
        return Formula.make((p, q, c, *channels), body, (p, q, c, o), (*self.size, depth, out))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, inner = node.inputs
        return [
            emit(Conv2DInputGrad(self.strides, self.groups), inner, dy, x),
            emit(Conv2D(self.strides, self.groups), x, dy),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for strides, groups, x, w in _CASES:
            dy = Conv2D(strides, groups).evaluate(np, wave(*x), wave(*w))
            record = cls(strides, (w[0], w[1]), groups)
            yield Sample(record, (wave(*x), wave(*dy.shape, step=1.1)))


class Window(Record):
    """How a filter is moved over images, as the user said it."""

    strides: Pair
    padding: str
    dilations: Pair
    data_format: str | None

    @staticmethod
    def of(
        strides: Any, padding: Any, dilations: Any, data_format: str | None, what: str = "dilations"
    ) -> Window:
        """From a public function's arguments.

        Raises:
            InvalidArgumentError: for arguments that do not exist.
        """
        steps = spatial_pair(strides, data_format, "strides")
        spread = spatial_pair(dilations, data_format, what)
        return Window(steps, padding_method(padding), spread, data_format)

    def convolve(self, x: Tensor, w: Tensor, groups: int, scope: str) -> Tensor:
        """The convolution, which takes the scope's name."""
        w = dilate(w, self.dilations)

        def convolved(image: Tensor, name: str | None) -> Tensor:
            if self.padding == "SAME":
                image = pad_same(image, filter_size(w), self.strides)
            else:
                check_fit(image, image_extents(w.static_shape, "filter")[:2])
            return emit(Conv2D(self.strides, groups), image, w, name=name)

        return in_nhwc(x, self.data_format, scope, convolved)


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
    window = Window.of(strides, padding, dilations, data_format)
    with checking("conv2d", input=x, filter=w):
        check_filter(x, w, data_format)
    with x.graph.name_scope(name or "Conv2D") as scope:
        return window.convolve(x, w, 1, scope)


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
            size = filter_size(w)
            full = emit(Conv2DInputGrad(steps), image, w, emit(SamePad(size, steps), like))
            return emit(SameCrop(size, steps), full, like, name=n)

        return in_nhwc(y, data_format, scope, transposed)
