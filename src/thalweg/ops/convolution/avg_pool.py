"""The sum and the mean of each window, and their adjoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base.shapes import known
from thalweg.formula import Formula, Lowered, Operand, axes, sum_over
from thalweg.formula.functions import FLOATING
from thalweg.graph import Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.build import convert, emit
from thalweg.ops.convolution.windows import (
    POOLS,
    Pair,
    Phases,
    Pool,
    check_fit,
    crop_image,
    in_nhwc,
    pad_array,
    pad_image,
    pad_same,
    padding_method,
    spatial_pair,
    unphased,
    widened,
)
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.division import Div
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.samples import wave

Grads: TypeAlias = Sequence[Tensor | None]


class SumPool(Pool):
    """The sum of each window: `y[n,i,j,c] = sum over (p,q) of x[n, i*sh+p, j*sw+q, c]`."""

    type: ClassVar[str] = "SumPool"
    size: Pair
    strides: Pair

    def infer(self, input: Spec) -> Spec:
        return Spec(self.pooled(input), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        (x,) = widened(xp, input)
        total = xp.sum(self.slabs(xp, x, self.counts(x.shape[1:3])), axis=0)
        return xp.asarray(total, input.dtype)

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
        for size, strides, shape in POOLS:
            yield Sample(cls(size, strides), (wave(*shape),))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        x = np.ones((1, 2, 4, 1), np.float32)
        yield Sample(cls((4, 3), (1, 1)), (x,), "windows of [4, 3] do not fit into the input")


class SumPoolGrad(Pool):
    """The adjoint of `SumPool`: every element gets the sum over the windows that hold it."""

    type: ClassVar[str] = "SumPoolGrad"
    shape_only: ClassVar[tuple[int, ...]] = (1,)
    size: Pair
    strides: Pair

    def infer(self, dy: Spec, like: Spec) -> Spec:
        return self.check_gradient(dy, like)

    def evaluate(self, xp: Any, dy: Any, like: Any) -> Any:
        plan = Phases.of(self.strides, self.size, like.shape[1:3], dy.shape[1:3])
        padded = pad_array(xp, dy, *plan.around)
        full = SumPoolSpread(self.size, self.strides).evaluate(xp, padded)
        return full[:, : like.shape[1], : like.shape[2], :]

    def expand(self, *inputs: Tensor) -> Tensor:
        dy, like = inputs
        _, h, w, _ = known(like.static_shape)
        _, rows, columns, _ = known(dy.static_shape)
        plan = Phases.of(self.strides, self.size, (h, w), (rows, columns))
        full = emit(SumPoolSpread(self.size, self.strides), pad_image(dy, *plan.around))
        return crop_image(full, (0, 0), (h, w))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(SumPool(self.size, self.strides), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in POOLS:
            y = SumPool(size, strides).evaluate(np, wave(*shape))
            dy = wave(*y.shape, step=1.1)
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
        (x,) = widened(xp, input)
        rows, columns = self._extents(x.shape)
        total = 0
        for t in range(T):
            for v in range(U):
                part = x[:, T - 1 - t :, U - 1 - v :, :][:, :rows, None, :columns, None, :]
                held = xp.arange(sh)[:, None] + sh * t < kh, xp.arange(sw) + sw * v < kw
                mask = (held[0] & held[1])[:, None, :, None]
                total = total + part * xp.asarray(mask, x.dtype)
        return xp.asarray(unphased(xp, total), input.dtype)

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
        wide = pad_image(
            dy,
            (before[0], max(reach[0] - before[0] - have_rows, 0)),
            (before[1], max(reach[1] - before[1] - have_columns, 0)),
        )
        return [emit(SumPool(self.size, self.strides), crop_image(wide, (0, 0), reach))]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2, 2), (2, 2)), (wave(2, 2, 3, 3),))
        yield Sample(cls((3, 3), (2, 2)), (wave(1, 5, 4, 2),))
        yield Sample(cls((1, 2), (2, 3)), (wave(1, 3, 2, 2),))


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
    size, steps = (
        spatial_pair(ksize, data_format, "ksize"),
        spatial_pair(strides, data_format, "strides"),
    )
    method = padding_method(padding)

    def pool(image: Tensor, n: str | None) -> Tensor:
        if method == "VALID":
            check_fit(image, size)
            return arithmetic.divide(emit(SumPool(size, steps), image), size[0] * size[1], name=n)
        padded = pad_same(image, size, steps)
        total = emit(SumPool(size, steps), padded)
        held = emit(SumPool(size, steps), pad_same(ones_like(image), size, steps))
        return emit(Div(), total, held, name=n)

    with x.graph.name_scope(name or "AvgPool") as scope:
        return in_nhwc(x, data_format, scope, pool)
