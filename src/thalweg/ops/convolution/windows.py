"""Windows over images: what convolution and pooling share.

Images are NHWC. The records know VALID windows only; the public functions pad first and transpose
for NCHW.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base.errors import InvalidArgumentError, ShapeError
from thalweg.base.record import Record
from thalweg.base.shapes import Shape, known, show
from thalweg.formula import Expr, Index, inside, where
from thalweg.formula.functions import NUMERIC
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.pad import Pad
from thalweg.ops.arrays.reshape import transpose
from thalweg.ops.arrays.slicing import Slice
from thalweg.ops.build import emit
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.samples import wave

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


def image_extents(shape: Shape, what: str) -> tuple[Extent, Extent, Extent, Extent]:
    """The four extents of an image batch.

    Raises:
        ShapeError: if the rank is another.
    """
    if shape is None:
        return None, None, None, None
    if len(shape) != 4:
        raise ShapeError(f"the {what} must have rank 4; it is {show(shape)}")
    return shape[0], shape[1], shape[2], shape[3]


def check_windows(
    extents: Sequence[Extent], size: Sequence[Extent], strides: Pair, shape: Shape
) -> None:
    """Raise a ShapeError if the formula for the number of windows gives less than 0.

    It gives 0 for an input smaller than a window by at most a stride. SAME pads an empty image to
    such a size.
    """
    for extent, window, stride in zip(extents, size, strides, strict=True):
        if extent is not None and window is not None and extent < window - stride:
            raise _unfit(size, shape)


def check_fit(image: Tensor, size: Sequence[Extent]) -> None:
    """Raise a ShapeError if a window is known to be larger than an image that is not padded."""
    _, h, w, _ = image_extents(image.static_shape, "input")
    for extent, window in zip((h, w), size, strict=True):
        if extent is not None and window is not None and extent < window:
            raise _unfit(size, image.static_shape)


def _unfit(size: Sequence[Extent], shape: Shape) -> ShapeError:
    return ShapeError(
        f"windows of {show(tuple(size))} do not fit into the input, which is {show(shape)}"
    )


def window_counts(
    extents: Sequence[Extent], size: Sequence[Extent], strides: Pair
) -> Sequence[Extent]:
    """How many windows fit along each axis."""
    return [
        None if window is None else window_count(extent, window, stride)
        for extent, window, stride in zip(extents, size, strides, strict=True)
    ]


def slab(x: Any, p: int, q: int, counts: Sequence[int], strides: Pair) -> Any:
    """The element (p, q) of every window."""
    (rows, columns), (sh, sw) = counts, strides
    height, width = max((rows - 1) * sh + 1, 0), max((columns - 1) * sw + 1, 0)
    return x[:, p : p + height : sh, q : q + width : sw, :]


def widened(xp: Any, *arrays: Any) -> tuple[Any, ...]:
    """Half-precision arrays as float32, in which sums are accumulated."""
    return tuple(xp.asarray(a, xp.float32) if a.dtype.itemsize == 2 else a for a in arrays)


def unphased(xp: Any, parts: Any) -> Any:
    """`[n, i, r, j, u, c]` as an image of `[n, s * i + r, s * j + u, c]`."""
    n, i, r, j, u, c = parts.shape
    return xp.reshape(parts, (n, i * r, j * u, c))


class Phases(Record):
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
        return Phases((taps[0], taps[1]), (around[0], around[1]), (missing[0], missing[1]))


class Pool(Op):
    """What pools share: windows over height and width, each channel by itself."""

    size: Pair
    strides: Pair

    def pooled(self, input: Spec) -> Shape:
        """The shape of the result, for an input's."""
        n, h, w, c = image_extents(input.shape, "input")
        check_windows((h, w), self.size, self.strides, input.shape)
        check_kind(NUMERIC, input.dtype)
        return (n, *window_counts((h, w), self.size, self.strides), c)

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
        return xp.stack([slab(x, p, q, counts, self.strides) for p, q in positions])

    def check_gradient(self, dy: Spec, like: Spec) -> Spec:
        """The spec of the gradient by an input.

        Raises:
            ShapeError: if `dy` is not what windows on such an input would make.
        """
        n, h, w, c = image_extents(like.shape, "input")
        expected = self.pooled(like)
        if dy.shape is not None and expected is not None:
            pairs = zip(expected, image_extents(dy.shape, "gradient"), strict=True)
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
POOLS: list[tuple[Pair, Pair, tuple[int, ...]]] = [
    ((2, 2), (2, 2), (2, 4, 6, 3)),
    ((2, 2), (2, 2), (1, 5, 5, 2)),
    ((3, 3), (2, 2), (1, 7, 8, 2)),
    ((2, 3), (1, 2), (1, 4, 7, 2)),
    ((1, 2), (2, 3), (2, 5, 6, 1)),
]


# -- borders


def pad_array(xp: Any, x: Any, rows: Pair, columns: Pair, value: Any = 0) -> Any:
    """`pad_image` of an array."""
    return xp.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=value)


def pad_image(
    x: Tensor, rows: Pair, columns: Pair, value: float = 0, name: str | None = None
) -> Tensor:
    """The image with rows and columns of `value` around it."""
    if name is None and not any((*rows, *columns)):
        return x
    paddings = ((0, 0), rows, columns, (0, 0))
    return emit(Pad(paddings, value), x, name=name)


def crop_image(x: Tensor, begin: Pair, extents: Pair) -> Tensor:
    """The part of the image that begins at a row and column."""
    n, h, w, c = known(x.static_shape)
    if (h, w) == extents and begin == (0, 0):
        return x
    return emit(Slice((0, *begin, 0), (n, *extents, c), (1, 1, 1, 1)), x)


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
        n, h, w, c = image_extents(input.shape, "input")
        extents = (
            None if e is None else e + sum(same_padding(e, k, s))
            for e, k, s in zip((h, w), self.size, self.strides, strict=True)
        )
        return Spec((n, *extents, c), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return pad_array(xp, input, *self._paddings(input.shape[1:3]), value=self.value)

    def expand(self, *inputs: Tensor) -> Tensor:
        (input,) = inputs
        paddings = self._paddings(known(input.static_shape)[1:3])
        return pad_image(input, *paddings, self.value)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(SameCrop(self.size, self.strides), dy, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls((3, 2), (1, 2)), (wave(1, 4, 3, 2),), exact=True)
        yield Sample(cls((1, 1), (2, 2), -1.0), (wave(1, 4, 3, 2),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls((2, 2), (1, 1)), (wave(4, 3, 2),), "the input must have rank 4")


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
        n, _, _, c = image_extents(input.shape, "input")
        batch, h, w, _ = image_extents(like.shape, "image")
        return Spec((batch if n is None else n, h, w, c), input.dtype)

    def evaluate(self, xp: Any, input: Any, like: Any) -> Any:
        _, h, w, _ = like.shape
        top, left = self._before((h, w))
        return input[:, top : top + h, left : left + w, :]

    def expand(self, *inputs: Tensor) -> Tensor:
        input, like = inputs
        _, h, w, _ = known(like.static_shape)
        return crop_image(input, self._before((h, w)), (h, w))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(SamePad(self.size, self.strides), dy), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        like = np.zeros((1, 4, 3, 2), np.float32)
        yield Sample(cls((3, 2), (1, 2)), (wave(1, 6, 4, 2), like), exact=True)


def pad_same(x: Tensor, size: Pair, strides: Pair, value: float = 0.0) -> Tensor:
    """The image with the border that SAME asks for."""
    _, h, w, _ = image_extents(x.static_shape, "input")
    if h is None or w is None:
        return emit(SamePad(size, strides, value), x)
    return pad_image(x, *SamePad(size, strides)._paddings((h, w)), value)


# -- arguments


TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def in_nhwc(x: Tensor, data_format: str | None, scope: str, function: Any) -> Tensor:
    """Apply a function of an NHWC image and a name, whatever the format of the image is."""
    if data_format != "NCHW":
        result: Tensor = function(x, scope)
        return result
    inner = function(transpose(x, TO_NHWC), None)
    return transpose(inner, TO_NCHW, name=scope)


def padding_method(padding: Any) -> str:
    """SAME or VALID, from either case.

    Raises:
        InvalidArgumentError: if it is neither.
    """
    method = str(padding).upper()
    if method not in ("SAME", "VALID"):
        raise InvalidArgumentError(f"padding must be 'SAME' or 'VALID', not {padding!r}")
    return method


def spatial_pair(numbers: Any, data_format: str | None, what: str) -> Pair:
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
