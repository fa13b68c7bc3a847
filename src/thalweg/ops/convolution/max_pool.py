"""The largest element of each window, and its adjoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, compatible, known, show
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
from thalweg.graph import Operation, Sample, Spec, Tensor
from thalweg.ops.build import convert, emit
from thalweg.ops.convolution.windows import (
    POOLS,
    Pair,
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
    up,
    widened,
)
from thalweg.ops.samples import wave

Grads: TypeAlias = Sequence[Tensor | None]


def _check_index(index: Spec, places: Shape) -> None:
    """Check that there is an index for each window, as it is read without looking."""
    if not compatible(index.shape, places):
        raise ShapeError(
            f"an index is needed for each of {show(places)}; it is {show(index.shape)}"
        )


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
        return xp.max(elements, axis=0), xp.asarray(index, xp.int32)

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

    def grad(self, node: Operation, dy: Tensor, _: None) -> Grads:
        return [emit(MaxPoolGrad(self.size, self.strides), dy, node.outputs[1], node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in POOLS:
            yield Sample(cls(size, strides), (wave(*shape),), exact=True)
        ties = np.zeros((1, 4, 4, 1), np.float32)
        yield Sample(cls((2, 2), (2, 2)), (ties,), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        x = np.ones((1, 2, 4, 1), np.float32)
        yield Sample(cls((4, 3), (1, 1)), (x,), "windows of [4, 3] do not fit into the input")
        yield Sample(cls((2, 2), (1, 1)), (x[0],), "the input must have rank 4; it is [2, 4, 1]")
        yield Sample(cls((2, 2), (1, 1)), (x > 0,), "takes numeric tensors, not bool")


class MaxPoolGrad(Pool):
    """The gradient of `MaxPool` by its input: each `dy` goes to the element that won its window."""

    type: ClassVar[str] = "MaxPoolGrad"
    shape_only: ClassVar[tuple[int, ...]] = (2,)
    size: Pair
    strides: Pair

    def infer(self, dy: Spec, index: Spec, like: Spec) -> Spec:
        _check_index(index, dy.shape)
        return self.check_gradient(dy, like)

    def evaluate(self, xp: Any, dy: Any, index: Any, like: Any) -> Any:
        _, h, w, _ = like.shape
        full = MaxPoolScatter(self.size, self.strides, self._blocks(h, w)).evaluate(xp, dy, index)
        rest = [(0, max(e - f, 0)) for e, f in zip((h, w), full.shape[1:3], strict=True)]
        return pad_array(xp, full, rest[0], rest[1])[:, :h, :w, :]

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
        for size, strides, shape in POOLS:
            y, index = MaxPool(size, strides).evaluate(np, wave(*shape))
            dy = wave(*y.shape, step=1.1)
            yield Sample(cls(size, strides), (dy, index, np.zeros(shape, np.float32)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        dy, like = np.ones((1, 2, 2, 1), np.float32), np.ones((1, 6, 4, 1), np.float32)
        index = np.zeros(dy.shape, np.int32)
        yield Sample(cls((2, 2), (2, 2)), (dy, index, like), "give [1, 3, 2, 1]; the gradient is")
        few = index[:, 1:]
        yield Sample(cls((2, 2), (2, 2)), (dy, few, like[:, 2:]), "for each of [1, 2, 2, 1]; it is")


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
        _check_index(index, dy.shape)
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
        (g,) = widened(xp, dy)
        above = (T - 1, rows - dy.shape[1]), (U - 1, columns - dy.shape[2])
        g = pad_array(xp, g, *above)[:, :, None, :, None, :]
        index = pad_array(xp, index, *above, value=-1)[:, :, None, :, None, :]
        r, u = xp.arange(sh)[:, None, None, None], xp.arange(sw)[:, None]
        total = 0
        for t in range(T):
            for v in range(U):
                at = slice(T - 1 - t, T - 1 - t + rows), slice(U - 1 - v, U - 1 - v + columns)
                code = xp.where(u + sw * v < kw, (r + sh * t) * kw + u + sw * v, -2)
                won = index[:, at[0], :, at[1]] == code
                total = total + xp.where(
                    won, g[:, at[0], :, at[1]], xp.zeros_like(g[:1, :1, :, :1])
                )
        return xp.asarray(unphased(xp, total), dy.dtype)

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
        for size, strides, shape in POOLS:
            y, index = MaxPool(size, strides).evaluate(np, wave(*shape))
            blocks = MaxPoolGrad(size, strides)._blocks(shape[1], shape[2])
            yield Sample(cls(size, strides, blocks), (wave(*y.shape, step=1.1), index))


class MaxPoolGather(Pool):
    """The element of each window that an index names: the adjoint of `MaxPoolGrad`."""

    type: ClassVar[str] = "MaxPoolGather"
    size: Pair
    strides: Pair

    def infer(self, input: Spec, index: Spec) -> Spec:
        places = self.pooled(input)
        _check_index(index, places)
        return Spec(places, input.dtype)

    def evaluate(self, xp: Any, input: Any, index: Any) -> Any:
        elements = self.slabs(xp, input, self.counts(input.shape[1:3]))
        return xp.take_along_axis(elements, xp.asarray(index[None], xp.int64), axis=0)[0]

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
    def bad_samples(cls) -> Iterable[Sample]:
        x, index = np.ones((1, 6, 4, 1), np.float32), np.zeros((1, 2, 2, 1), np.int32)
        yield Sample(
            cls((2, 2), (2, 2)), (x, index), "for each of [1, 3, 2, 1]; it is [1, 2, 2, 1]"
        )

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for size, strides, shape in POOLS:
            _, index = MaxPool(size, strides).evaluate(np, wave(*shape))
            yield Sample(cls(size, strides), (wave(*shape, step=1.1), index))


def _resize(x: Tensor, extents: Pair) -> Tensor:
    """The image cut off or filled up with zeros at its end."""
    _, h, w, _ = known(x.static_shape)
    x = pad_image(x, (0, max(extents[0] - h, 0)), (0, max(extents[1] - w, 0)))
    return crop_image(x, (0, 0), extents)


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
    size, steps = (
        spatial_pair(ksize, data_format, "ksize"),
        spatial_pair(strides, data_format, "strides"),
    )
    method = padding_method(padding)
    lowest = -np.inf if x.dtype.is_floating else x.dtype.min if x.dtype.is_integer else 0

    def pool(image: Tensor, n: str | None) -> Tensor:
        if method == "SAME":
            image = pad_same(image, size, steps, lowest)
        else:
            check_fit(image, size)
        return emit(MaxPool(size, steps), image, name=n)

    with x.graph.name_scope(name or "MaxPool") as scope:
        return in_nhwc(x, data_format, scope, pool)
