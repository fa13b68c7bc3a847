"""The filters of convolutions."""

from __future__ import annotations

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import known, show
from thalweg.graph import Tensor
from thalweg.ops.arrays.boxes import slice_
from thalweg.ops.arrays.pad import Pad
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.build import emit
from thalweg.ops.convolution.channels import check_channels
from thalweg.ops.convolution.windows import Pair, image_extents


def check_filter(x: Tensor, w: Tensor, data_format: str | None) -> None:
    """Compare the channels before the image is padded: the error shows it as the user made it."""
    image, size = x.static_shape, w.static_shape
    if image is not None and size is not None and len(image) == 4 and len(size) == 4:
        channels = image[1] if data_format == "NCHW" else image[3]
        check_channels(channels, size[2], x.spec, w.spec, "input")


def filter_size(w: Tensor) -> Pair:
    """Its height and width.

    Raises:
        ShapeError: if they are not known.
    """
    kh, kw, _, _ = image_extents(w.static_shape, "filter")
    if kh is None or kw is None:
        raise ShapeError(
            f"the gradient by a filter needs its height and width; {w.name!r} is "
            f"{show(w.static_shape)}"
        )
    return kh, kw


def dilate(w: Tensor, dilations: Pair) -> Tensor:
    """The filter with `d - 1` zeros between neighbouring elements."""
    if dilations == (1, 1):
        return w
    (kh, kw), (dh, dw), shape = filter_size(w), dilations, w.static_shape
    assert shape is not None
    tail = known(shape[2:])
    spaced = reshape(w, (kh, 1, kw, 1, *tail))
    paddings = ((0, 0), (0, dh - 1), (0, 0), (0, dw - 1), (0, 0), (0, 0))
    spaced = reshape(emit(Pad(paddings, 0), spaced), (kh * dh, kw * dw, *tail))
    return slice_(spaced, (0, 0, 0, 0), ((kh - 1) * dh + 1, (kw - 1) * dw + 1, *tail))
