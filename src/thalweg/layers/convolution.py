"""Convolutional layers."""

from __future__ import annotations

from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.shapes import as_shape
from thalweg.graph import Tensor
from thalweg.layers.weighted import Weighted, known_channels, options
from thalweg.ops.arrays.join import stack
from thalweg.ops.arrays.shape import shape as shape_of
from thalweg.ops.convolution import conv

__all__ = ["Conv2D", "Conv2DTranspose", "conv2d", "conv2d_transpose"]

FORMATS = {"channels_last": "NHWC", "channels_first": "NCHW"}


def pair(value: Any, what: str) -> tuple[int, int]:
    """One number for both axes, or two.

    Raises:
        InvalidArgumentError: if it is neither.
    """
    numbers = (value, value) if isinstance(value, int) else tuple(value)
    if len(numbers) != 2:
        raise InvalidArgumentError(f"{what} must be one number or two, not {value!r}")
    return int(numbers[0]), int(numbers[1])


def order(data_format: str) -> str:
    """The order of axes that "channels_last" or "channels_first" means.

    Raises:
        InvalidArgumentError: for another word.
    """
    if data_format not in FORMATS:
        raise InvalidArgumentError(
            f"data_format must be 'channels_last' or 'channels_first', not {data_format!r}"
        )
    return FORMATS[data_format]


class Conv2D(Weighted):
    """A convolution of images with filters of its own.

    Args:
        filters: how many there are.
        kernel_size: their height and width; one number for both.
        strides: the steps between windows; one number for both axes.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first".
        dilation_rate: the distance between elements of a filter.
        activation: see `Weighted`, as for the others.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = (1, 1),
        activation: Any = None,
        **more: Any,
    ) -> None:
        super().__init__(activation, **more)
        self.filters, self.kernel_size = int(filters), pair(kernel_size, "kernel_size")
        self.strides = pair(strides, "strides")
        self.dilation_rate = pair(dilation_rate, "dilation_rate")
        self.padding, self.data_format = padding.upper(), order(data_format)

    def build(self, inputs_shape: Any) -> None:
        """Make `kernel`, [height, width, channels, filters], and `bias`, [filters]."""
        shape = as_shape(inputs_shape)
        channels = known_channels(shape, 4, 1 if self.data_format == "NCHW" else -1)
        self.make_weights([*self.kernel_size, channels, self.filters], self.filters)

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The feature maps: [batch, height, width, filters] for channels_last."""
        made = conv.conv2d(
            inputs,
            self.kernel,
            list(self.strides),
            self.padding,
            data_format=self.data_format,
            dilations=list(self.dilation_rate),
        )
        return self.finished(made, self.data_format)


class Conv2DTranspose(Conv2D):
    """The transpose of a convolution, as a layer that enlarges images. See `Conv2D`."""

    def build(self, inputs_shape: Any) -> None:
        """Make `kernel`, [height, width, filters, channels], and `bias`, [filters]."""
        shape = as_shape(inputs_shape)
        channels = known_channels(shape, 4, 1 if self.data_format == "NCHW" else -1)
        self.make_weights([*self.kernel_size, self.filters, channels], self.filters)

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        """The larger images: [batch, height, width, filters] for channels_last."""
        is_last = self.data_format == "NHWC"
        axes = (1, 2) if is_last else (2, 3)
        sizes = [self._size(inputs, axis, n) for n, axis in enumerate(axes)]
        parts = [*sizes, self.filters] if is_last else [self.filters, *sizes]
        first = inputs.static_shape[0]
        every = [shape_of(inputs)[0] if first is None else first, *parts]
        shape = every if all(isinstance(part, int) for part in every) else stack(every)
        steps = list(self.strides)
        made = conv.conv2d_transpose(
            inputs, self.kernel, shape, steps, self.padding, self.data_format
        )
        made.set_shape([part if isinstance(part, int) else None for part in every])
        return self.finished(made, self.data_format)

    def _size(self, inputs: Tensor, axis: int, number: int) -> Any:
        """The extent of the result along an axis of the images."""
        shape = inputs.static_shape
        extent = None if shape is None else shape[axis]
        stride, kernel = self.strides[number], self.kernel_size[number]
        size = (shape_of(inputs)[axis] if extent is None else extent) * stride
        return size if self.padding == "SAME" else size + max(kernel - stride, 0)


def conv2d(
    inputs: Any,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Any = (1, 1),
    activation: Any = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    kernel_regularizer: Any = None,
    bias_regularizer: Any = None,
    activity_regularizer: Any = None,
    kernel_constraint: Any = None,
    bias_constraint: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
) -> Tensor:
    """Convolve images with filters that are variables of its own.

    Args:
        inputs: [batch, height, width, channels], or [batch, channels, height, width].
        filters: how many there are.
        kernel_size: their height and width; one number for both.
        strides: the steps between windows; one number for both axes.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first".
        dilation_rate: the distance between elements of a filter.
        activation: a function of the outputs; the arguments from here on are those of `dense`.
        use_bias: see `dense`.
        kernel_initializer: see `dense`.
        bias_initializer: see `dense`.
        kernel_regularizer: see `dense`.
        bias_regularizer: see `dense`.
        activity_regularizer: see `dense`.
        kernel_constraint: see `dense`.
        bias_constraint: see `dense`.
        trainable: see `dense`.
        name: see `dense`.
        reuse: see `dense`.

    Returns:
        [batch, height, width, filters], or in the order of the data format.

    Raises:
        ShapeError: if the inputs have not rank 4, or the number of channels is not known.
        InvalidArgumentError: for sizes that are not one number or two, or an unknown word.
    """
    more = options(locals())
    layer = Conv2D(filters, kernel_size, strides, padding, data_format, dilation_rate, **more)
    return layer(inputs)  # type: ignore[no-any-return]


def conv2d_transpose(
    inputs: Any,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    activation: Any = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    kernel_regularizer: Any = None,
    bias_regularizer: Any = None,
    activity_regularizer: Any = None,
    kernel_constraint: Any = None,
    bias_constraint: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
) -> Tensor:
    """The transpose of a convolution, which enlarges images; the arguments are those of `conv2d`.

    Returns:
        Images whose sides are `stride` times as long with "same", and longer with "valid".

    Raises:
        ShapeError, InvalidArgumentError: as `conv2d` does.
    """
    more = options(locals())
    layer = Conv2DTranspose(filters, kernel_size, strides, padding, data_format, **more)
    return layer(inputs)  # type: ignore[no-any-return]
