"""Convolutions of each channel by itself, as compositions over those of `conv`.

A depthwise filter is `[height, width, channels, m]`. Its memory is also that of a filter
`[height, width, 1, channels * m]` for as many groups as there are channels.
"""

from __future__ import annotations

from typing import Any

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Tensor
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.build import checking, convert_pair
from thalweg.ops.convolution.conv import Window
from thalweg.ops.convolution.filters import check_filter
from thalweg.ops.convolution.windows import image_extents


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: str,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
) -> Tensor:
    """Convolve each channel by itself: `y[n,i,j,c*m+k] = sum of x[n,i*sh+p,j*sw+q,c] * w[p,q,c,k]`.

    Args:
        input: `[batch, height, width, channels]`, floating.
        filter: `[height, width, channels, m]`, of the same dtype and of a known shape; each
            channel makes m of the result's, which lie next to each other.
        strides: as for `conv2d`.
        padding: "SAME" or "VALID", as for `conv2d`.
        rate: steps between the filter's elements, for height and width; 1 unless given. Unlike
            TensorFlow's, it may be combined with strides.
        name: of the operation.
        data_format: "NHWC", which it is unless given, or "NCHW".

    Raises:
        ShapeError: if channels differ, a rank is not 4, the filter's shape is not known, or it is
            larger than its VALID input.
        InvalidArgumentError: for strides, a padding or a data format that do not exist.
    """
    spread = 1 if rate is None else rate
    x, w = convert_pair(input, filter, "depthwise_conv2d")
    window = Window.of(strides, padding, spread, data_format, "rate")
    with checking("depthwise_conv2d", input=x, filter=w):
        check_filter(x, w, data_format)
        kh, kw, channels, multiplier = _known_filter(w)
    with x.graph.name_scope(name or "depthwise") as scope:
        grouped = reshape(w, (kh, kw, 1, channels * multiplier))
        return window.convolve(x, grouped, channels, scope)


def depthwise_conv2d_native(
    input: Any,
    filter: Any,
    strides: Any,
    padding: str,
    data_format: str | None = "NHWC",
    dilations: Any = 1,
    name: str | None = None,
) -> Tensor:
    """`depthwise_conv2d` with its arguments in another order; `dilations` is in that of the data.

    Args:
        input: `[batch, height, width, channels]`, floating.
        filter: `[height, width, channels, m]`.
        strides: as for `conv2d`.
        padding: "SAME" or "VALID".
        data_format: "NHWC" or "NCHW".
        dilations: steps between the filter's elements, like `strides`.
        name: of the operation.

    Raises:
        ShapeError: as `depthwise_conv2d`.
        InvalidArgumentError: as `depthwise_conv2d`.
    """
    name = name or "DepthwiseConv2dNative"
    return depthwise_conv2d(input, filter, strides, padding, dilations, name, data_format)


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: str,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
) -> Tensor:
    """A depthwise convolution, then one with windows of one pixel that mixes the channels.

    Args:
        input: `[batch, height, width, channels]`, floating.
        depthwise_filter: `[height, width, channels, m]`, as for `depthwise_conv2d`.
        pointwise_filter: `[1, 1, channels * m, channels of the result]`.
        strides: of the depthwise convolution.
        padding: of the depthwise convolution.
        rate: of the depthwise convolution.
        name: of the operation.
        data_format: "NHWC", which it is unless given, or "NCHW".

    Raises:
        ShapeError: as `depthwise_conv2d`, or if the pointwise filter does not fit.
        InvalidArgumentError: as `depthwise_conv2d`.
    """
    x, depthwise = convert_pair(input, depthwise_filter, "separable_conv2d")
    _, pointwise = convert_pair(x, pointwise_filter, "separable_conv2d")
    with checking("separable_conv2d", depthwise_filter=depthwise, pointwise_filter=pointwise):
        _check_pointwise(depthwise, pointwise)
    with x.graph.name_scope(name or "separable_conv2d") as scope:
        between = depthwise_conv2d(x, depthwise, strides, padding, rate, None, data_format)
        return Window.of(1, "VALID", 1, data_format).convolve(between, pointwise, 1, scope)


def _known_filter(w: Tensor) -> tuple[int, int, int, int]:
    kh, kw, channels, multiplier = image_extents(w.static_shape, "filter")
    if kh is None or kw is None or channels is None or multiplier is None:
        raise ShapeError(f"the filter's shape must be known; it is {show(w.static_shape)}")
    return kh, kw, channels, multiplier


def _check_pointwise(depthwise: Tensor, pointwise: Tensor) -> None:
    _, _, channels, multiplier = image_extents(depthwise.static_shape, "depthwise filter")
    height, width, depth, _ = image_extents(pointwise.static_shape, "pointwise filter")
    if {height, width} - {1, None}:
        raise ShapeError(
            f"the pointwise filter must be 1 by 1; it is {show(pointwise.static_shape)}"
        )
    if channels is None or multiplier is None or depth in (None, channels * multiplier):
        return
    raise ShapeError(
        f"the depthwise filter, {show(depthwise.static_shape)}, makes {channels * multiplier} "
        f"channels but the pointwise filter, {show(pointwise.static_shape)}, takes {depth}"
    )
