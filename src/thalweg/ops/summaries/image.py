"""Summaries of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Sample, Spec, Tensor
from thalweg.ops.build import convert
from thalweg.ops.samples import CUBE, TABLE
from thalweg.ops.summaries.png import encode_png
from thalweg.ops.summaries.tags import (
    SUMMARY,
    TAG,
    SummaryOp,
    check_tag,
    emit_summary,
    serialised,
    summary_scope,
)
from thalweg.protos.summaries import Summary

Array = np.ndarray[Any, Any]
_DARK = 1e-6  # an image with no larger value is black


class ImageSummary(SummaryOp):
    """A summary with the first images of a batch.

    Attributes:
        max_images: how many at most.
        bad_color: what a pixel that is not finite looks like, by channel.
    """

    type: ClassVar[str] = "ImageSummary"
    max_images: int = 3
    bad_color: tuple[int, ...] = (255, 0, 0, 255)

    def infer(self, tag: Spec, tensor: Spec) -> Spec:
        check_tag(tag)
        if not (tensor.dtype.is_floating or tensor.dtype.name == "uint8"):
            raise DTypeError(f"images are uint8 or floating, not {tensor.dtype}")
        shape = tensor.shape
        if shape is not None and (len(shape) != 4 or shape[3] not in (None, 1, 3, 4)):
            raise ShapeError(
                "images must be [batch, height, width, channels] with 1, 3 or 4 channels; "
                f"they are {show(shape)}"
            )
        return SUMMARY

    def evaluate(self, xp: Any, tag: Any, tensor: Any) -> Any:
        images = tensor[: self.max_images]
        return serialised(_values(tag.item().decode(), list(map(self._pixels, images)), self))

    def _pixels(self, image: Array) -> Array:
        return image if image.dtype == np.uint8 else _scaled(image, self.bad_color)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        grey = CUBE[..., None]
        yield Sample(cls(), (TAG, grey), exact=True)
        yield Sample(cls(1), (TAG, -grey), exact=True)
        yield Sample(cls(), (TAG, np.zeros((1, 2, 2, 3), np.uint8)), exact=True)
        yield Sample(cls(), (TAG, np.array([[[[np.nan, 1, 2]] * 2]], np.float32)), exact=True)
        yield Sample(cls(), (TAG, grey[:0]), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TAG, TABLE), "they are [2, 3]")
        yield Sample(cls(), (TAG, CUBE[..., None].repeat(2, 3)), "they are [2, 3, 4, 2]")
        yield Sample(cls(), (TAG, CUBE[..., None].astype(np.int32)), "uint8 or floating, not int32")
        yield Sample(cls(), (TABLE, CUBE[None]), "the tag must be a string")


def _values(tag: str, images: Sequence[Array], record: ImageSummary) -> Iterator[Summary.Value]:
    for number, pixels in enumerate(images):
        height, width, channels = pixels.shape
        yield Summary.Value(
            tag=f"{tag}/image/{number}" if record.max_images > 1 else f"{tag}/image",
            image=Summary.Image(
                height=height,
                width=width,
                colorspace=channels,
                encoded_image_string=encode_png(pixels),
            ),
        )


def _scaled(image: Array, bad_color: Sequence[int]) -> Array:
    """An image of floating values in bytes, as TensorFlow scales it.

    Without negative values the largest one becomes 255; with them 0 becomes 128, and the value
    that is farthest from it 1 or 255. Source: tensorflow/core/kernels/summary_image_op.cc.
    """
    values = image.astype(np.float32)
    good = np.isfinite(values).all(axis=-1)
    finite = values[good]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    white, zero = (255.0, 0.0) if low >= 0 else (127.0, 128.0)
    largest = max(abs(low), abs(high))
    scale = np.float32(white) / np.float32(largest) if largest >= _DARK else np.float32(0)
    pixels = np.empty(values.shape, np.uint8)
    pixels[good] = finite * scale + np.float32(zero)
    pixels[~good] = np.resize(np.asarray(bad_color, np.uint8), values.shape[-1])
    return pixels


def image(
    name: str,
    tensor: Any,
    max_outputs: int = 3,
    collections: Sequence[str] | None = None,
    family: str | None = None,
) -> Tensor:
    """A summary of the first images of a batch.

        tf.summary.image("input", tf.reshape(x, [-1, 28, 28, 1]), max_outputs=10)

    Bytes are shown as they are. Floating values are scaled, image by image: the largest becomes
    255; if some are negative, 0 becomes 128. A pixel that is not finite is red.

    Args:
        name: the tag, inside the scopes that are open; image n is called `name/image/n`.
        tensor: uint8 or floating, [batch, height, width, channels]; 1 channel for grey, 3 for RGB,
            4 for RGB with alpha.
        max_outputs: how many images at most.
        collections: what it is added to; `[tf.GraphKeys.SUMMARIES]` by default.
        family: what TensorBoard groups it under; the outermost scope by default.

    Returns:
        a string: a serialised `tf.Summary`.

    Raises:
        ShapeError, DTypeError: if the tensor holds no images.
        InvalidArgumentError: if `max_outputs` is less than 1.
    """
    images = convert(tensor)
    record = ImageSummary(_count(max_outputs))
    with summary_scope(name, family, images) as (tag, full):
        return emit_summary(record, tag, images, name=full, collections=collections)


def image_summary(
    tag: Any,
    tensor: Any,
    max_images: int = 3,
    collections: Sequence[str] | None = None,
    name: str | None = None,
) -> Tensor:
    """The older form of `tf.summary.image`: the tag is taken as it stands."""
    record = ImageSummary(_count(max_images))
    return emit_summary(record, tag, convert(tensor), name=name, collections=collections)


def _count(number: int) -> int:
    if int(number) < 1:
        raise InvalidArgumentError(f"there must be at least 1 image, not {number}")
    return int(number)
