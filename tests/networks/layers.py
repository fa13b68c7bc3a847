"""What networks are written with, so that Thalweg and a peer build the same one.

Images are [batch, height, width, channels] for whoever describes a network. Weights are numbered as
they are made, and each has its values from its number.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def weights(number: int, shape: Sequence[int], fan_in: int) -> Array:
    """The values of a weight: random, of a size that keeps that of activations."""
    rng = np.random.default_rng((7, number))
    return np.asarray(rng.normal(size=tuple(shape)) * np.sqrt(2 / max(fan_in, 1)), np.float32)


def images(batch: int, side: int, channels: int = 3) -> Array:
    """Random images."""
    rng = np.random.default_rng((11, batch))
    return np.asarray(rng.normal(size=(batch, side, side, channels)), np.float32)


def labels(batch: int, classes: int) -> Array:
    """Random classes."""
    return np.random.default_rng((13, batch)).integers(0, classes, batch)


class Layers(abc.ABC):
    """The layers of one system. A tensor is whatever that has."""

    @abc.abstractmethod
    def weight(self, shape: Sequence[int], fan_in: int) -> Any:
        """A new weight with the next values."""

    @abc.abstractmethod
    def vector(self, size: int, value: float) -> Any:
        """A new weight that is the same everywhere: a bias or a scale."""

    @abc.abstractmethod
    def channels(self, x: Any) -> int:
        """How many channels, or features, there are."""

    @abc.abstractmethod
    def convolved(self, x: Any, w: Any, stride: int, padding: str) -> Any:
        """A convolution with w, [height, width, in, out]."""

    @abc.abstractmethod
    def depthwise(self, x: Any, kernel: int, stride: int = 1) -> Any:
        """A convolution of each channel by itself, with SAME padding."""

    @abc.abstractmethod
    def enlarged(self, x: Any, outputs: int, kernel: int, stride: int) -> Any:
        """A transposed convolution with SAME padding."""

    @abc.abstractmethod
    def norm(self, x: Any) -> Any:
        """Batch normalisation as in training, with a scale and an offset."""

    @abc.abstractmethod
    def response_norm(self, x: Any) -> Any:
        """`x / (1 + 1e-4 / 5 * sum of the squares of 5 neighbouring channels) ** 0.75`."""

    @abc.abstractmethod
    def function(self, name: str, x: Any) -> Any:
        """An activation: relu, relu6, leaky_relu (0.2), tanh, sigmoid."""

    @abc.abstractmethod
    def max_pool(self, x: Any, size: int, stride: int, padding: str = "SAME") -> Any:
        """The largest of each window."""

    @abc.abstractmethod
    def avg_pool(self, x: Any, size: int, stride: int, padding: str = "SAME") -> Any:
        """The mean of each window, without padding."""

    @abc.abstractmethod
    def mean(self, x: Any) -> Any:
        """The mean over height and width."""

    @abc.abstractmethod
    def concat(self, parts: Sequence[Any]) -> Any:
        """Channels one after the other."""

    @abc.abstractmethod
    def split(self, x: Any, count: int) -> Sequence[Any]:
        """Equal parts of the channels."""

    @abc.abstractmethod
    def cropped(self, x: Any, like: Any) -> Any:
        """The middle of an image, as large as another one."""

    @abc.abstractmethod
    def flat(self, x: Any) -> Any:
        """The features of each image in a row, channels last."""

    @abc.abstractmethod
    def shaped(self, x: Any, side: int, channels: int) -> Any:
        """Square images from the features of each."""

    @abc.abstractmethod
    def product(self, x: Any, w: Any) -> Any:
        """A matrix product."""

    @abc.abstractmethod
    def classified(self, logits: Any, wanted: Any) -> Any:
        """The mean cross-entropy with the classes that are wanted; the last axis is the logits."""

    @abc.abstractmethod
    def total(self, x: Any) -> Any:
        """The mean of all elements."""

    @abc.abstractmethod
    def slope(self, y: Any, x: Any) -> Any:
        """The norm of the gradient of the sum of y by each image of x."""

    # -- what these make

    def conv(
        self,
        x: Any,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int = 1,
        padding: str = "SAME",
        bias: bool = True,
    ) -> Any:
        """A convolutional layer without an activation."""
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        inputs = self.channels(x)
        w = self.weight((height, width, inputs, outputs), height * width * inputs)
        y = self.convolved(x, w, stride, padding)
        return y + self.vector(outputs, 0.1) if bias else y

    def relu(self, x: Any) -> Any:
        """max(x, 0)."""
        return self.function("relu", x)

    def conv_relu(self, x: Any, outputs: int, kernel: Any, stride: int = 1) -> Any:
        """A convolution with its activation."""
        return self.relu(self.conv(x, outputs, kernel, stride))

    def conv_norm(
        self, x: Any, outputs: int, kernel: Any, stride: int = 1, padding: str = "SAME"
    ) -> Any:
        """A convolution and batch normalisation."""
        return self.norm(self.conv(x, outputs, kernel, stride, padding, bias=False))

    def conv_norm_relu(
        self, x: Any, outputs: int, kernel: Any, stride: int = 1, padding: str = "SAME"
    ) -> Any:
        """The same with its activation."""
        return self.relu(self.conv_norm(x, outputs, kernel, stride, padding))

    def dense(self, x: Any, outputs: int) -> Any:
        """A dense layer without an activation."""
        inputs = self.channels(x)
        w = self.weight((inputs, outputs), inputs)
        return self.product(x, w) + self.vector(outputs, 0.1)
