"""Convolutions of each channel by itself, against SciPy's of one image and one filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import signal

import thalweg as tf
from tests.ops.running import Array
from thalweg.base.errors import InvalidArgumentError, ShapeError

BACKENDS = ("numpy", "llvm")

# input, filter, strides, padding, rate
CASES = [
    ((2, 9, 8, 5), (3, 3, 5, 1), (1, 1), "SAME", (1, 1)),
    ((2, 9, 8, 5), (3, 3, 5, 1), (2, 2), "SAME", (1, 1)),
    ((1, 8, 9, 19), (3, 2, 19, 1), (2, 1), "VALID", (1, 1)),
    ((2, 7, 7, 4), (3, 3, 4, 2), (1, 1), "SAME", (1, 1)),
    ((2, 7, 8, 3), (2, 3, 3, 3), (2, 2), "VALID", (1, 1)),
    ((1, 11, 10, 4), (3, 3, 4, 1), (1, 1), "SAME", (2, 3)),
    ((1, 11, 10, 4), (3, 2, 4, 2), (2, 2), "VALID", (2, 1)),
    ((3, 1, 1, 2), (1, 1, 2, 1), (1, 1), "VALID", (1, 1)),
]


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def padded(x: Array, size: tuple[int, int], strides: tuple[int, int]) -> Array:
    """With the zeros of TensorFlow's SAME around: one more below and on the right if it is odd."""
    pads = []
    for extent, window, stride in zip(x.shape[1:3], size, strides, strict=True):
        total = max((-(-extent // stride) - 1) * stride + window - extent, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, ((0, 0), *pads, (0, 0)))


def depthwise(
    x: Array, w: Array, strides: tuple[int, int], padding: str, rate: tuple[int, int]
) -> Array:
    """The convolution, image by image and channel by channel."""
    kh, kw, channels, multiplier = w.shape
    spread = np.zeros(((kh - 1) * rate[0] + 1, (kw - 1) * rate[1] + 1, channels, multiplier))
    spread[:: rate[0], :: rate[1]] = w
    if padding == "SAME":
        x = padded(x, (spread.shape[0], spread.shape[1]), strides)
    images = [
        [
            signal.correlate2d(image[..., c], spread[..., c, m], "valid")[
                :: strides[0], :: strides[1]
            ]
            for c in range(channels)
            for m in range(multiplier)
        ]
        for image in x
    ]
    return np.moveaxis(np.array(images), 1, -1)


def run(fetches: Any, feeds: Any, backend: str) -> Any:
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        return session.run(fetches, feeds)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize(("x_shape", "w_shape", "strides", "padding", "rate"), CASES)
def test_values_and_gradients(
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    strides: tuple[int, int],
    padding: str,
    rate: tuple[int, int],
    dynamic: bool,
    backend: str,
) -> None:
    x, w = random(*x_shape), random(*w_shape, seed=1)
    expected = depthwise(x, w, strides, padding, rate)
    dy = random(*expected.shape, seed=2)
    with tf.Graph().as_default():
        shape = (None,) * 3 if dynamic else x_shape[:3]
        image = tf.placeholder(tf.float64, (*shape, x_shape[3]))
        filter = tf.placeholder(tf.float64, w_shape)
        y = tf.nn.depthwise_conv2d(image, filter, [1, *strides, 1], padding, rate, "mine")
        assert y.op.name == "mine"
        assert y.shape.as_list()[3] == w_shape[2] * w_shape[3]
        upstream = tf.placeholder(tf.float64, (None,) * 4)
        gradients = tf.gradients(y, [image, filter], grad_ys=upstream)
        feeds = {image: x, filter: w, upstream: dy}
        value, dx, dw = run([y, *gradients], feeds, backend)
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)
    # The convolution is linear in both: its gradients are what SciPy says of single elements.
    for array, gradient, at in ((x, dx, 0), (w, dw, 1)):
        assert gradient.shape == array.shape
        for element in random_elements(array):
            one = np.zeros_like(array)
            one[element] = 1
            along = depthwise(*((one, w) if at == 0 else (x, one)), strides, padding, rate)
            np.testing.assert_allclose(gradient[element], np.vdot(along, dy), rtol=0, atol=1e-11)


def random_elements(array: Array) -> list[tuple[int, ...]]:
    """The corners, and some elements between."""
    rng = np.random.default_rng(3)
    inner = [tuple(int(rng.integers(extent)) for extent in array.shape) for _ in range(12)]
    return [(0,) * array.ndim, tuple(extent - 1 for extent in array.shape), *inner]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_batch_may_change(backend: str) -> None:
    w = random(3, 3, 6, 1).astype(np.float32)
    with tf.Graph().as_default():
        image = tf.placeholder(tf.float32, [None, 8, 8, 6])
        y = tf.nn.depthwise_conv2d(image, w, [1, 2, 2, 1], "SAME")
        (dx,) = tf.gradients(tf.reduce_sum(y * y), image)
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            for batch in (3, 1, 7):
                x = random(batch, 8, 8, 6, seed=batch).astype(np.float32)
                value, gradient = session.run([y, dx], {image: x})
                expected = depthwise(x, w, (2, 2), "SAME", (1, 1))
                np.testing.assert_allclose(value, expected, rtol=0, atol=1e-5)
                # y is of degree 1 in x, so the sum of its squares is of degree 2 (Euler).
                assert np.vdot(gradient, x) == pytest.approx(2 * (expected**2).sum(), rel=1e-5)


def test_channels_first() -> None:
    x, w = random(2, 6, 7, 4), random(3, 3, 4, 2, seed=1)
    with tf.Graph().as_default():
        first = tf.constant(x.transpose(0, 3, 1, 2))
        y = tf.nn.depthwise_conv2d(first, w, [1, 1, 2, 2], "SAME", data_format="NCHW")
        native = tf.nn.depthwise_conv2d_native(
            first, w, [1, 1, 1, 1], "VALID", "NCHW", [1, 1, 2, 2]
        )
        assert native.op.name == "DepthwiseConv2dNative"
        strided, dilated = run([y, native], {}, "llvm")
    expected = depthwise(x, w, (2, 2), "SAME", (1, 1))
    np.testing.assert_allclose(strided, expected.transpose(0, 3, 1, 2), rtol=0, atol=1e-12)
    expected = depthwise(x, w, (1, 1), "VALID", (2, 2))
    np.testing.assert_allclose(dilated, expected.transpose(0, 3, 1, 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
def test_a_separable_convolution_mixes_the_channels_afterwards(
    data_format: str, backend: str
) -> None:
    x, w, mix = random(2, 6, 7, 4), random(3, 3, 4, 2, seed=1), random(1, 1, 8, 5, seed=2)
    between = depthwise(x, w, (2, 2), "SAME", (1, 1))
    expected = np.einsum("nijc,co->nijo", between, mix[0, 0])
    strides = [1, 2, 2, 1]
    if data_format == "NCHW":
        x, expected = x.transpose(0, 3, 1, 2), expected.transpose(0, 3, 1, 2)
        strides = [1, 1, 2, 2]
    with tf.Graph().as_default():
        y = tf.nn.separable_conv2d(x, w, mix, strides, "SAME", None, "mine", data_format)
        assert y.op.name == "mine"
        np.testing.assert_allclose(run(y, {}, backend), expected, rtol=0, atol=1e-11)


def mistaken(x: Any, w: Any, **options: Any) -> tf.Tensor:
    arguments = {"strides": [1, 1, 1, 1], "padding": "SAME"} | options
    return tf.nn.depthwise_conv2d(x, w, **arguments)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: mistaken(tf.zeros([1, 5, 5, 3]), tf.zeros([3, 3, 4, 2])),
            ShapeError,
            "depthwise_conv2d: input has 3 channels but the filter takes 4: "
            r"input is \[1, 5, 5, 3\], filter is \[3, 3, 4, 2\]",
        ),
        (
            lambda: mistaken(tf.zeros([1, 5, 5, 3]), tf.placeholder(tf.float32, [3, 3, None, 1])),
            ShapeError,
            r"the filter's shape must be known; it is \[3, 3, \?, 1\]",
        ),
        (
            lambda: mistaken(tf.zeros([1, 5, 5, 3]), tf.zeros([3, 3, 3])),
            ShapeError,
            r"the filter must have rank 4; it is \[3, 3, 3\]",
        ),
        (
            lambda: mistaken(tf.zeros([1, 2, 5, 3]), tf.zeros([3, 3, 3, 1]), padding="VALID"),
            ShapeError,
            r"windows of \[3, 3\] do not fit",
        ),
        (
            lambda: mistaken(tf.zeros([1, 5, 5, 3]), tf.zeros([3, 3, 3, 1]), rate=[0, 1]),
            InvalidArgumentError,
            "rate must be positive",
        ),
        (
            lambda: mistaken(tf.zeros([1, 5, 5, 3]), tf.zeros([3, 3, 3, 1]), padding="FULL"),
            InvalidArgumentError,
            "padding must be 'SAME' or 'VALID'",
        ),
        (
            lambda: tf.nn.separable_conv2d(
                tf.zeros([1, 5, 5, 3]), tf.zeros([3, 3, 3, 2]), tf.zeros([1, 1, 3, 8]), 1, "SAME"
            ),
            ShapeError,
            r"the depthwise filter, \[3, 3, 3, 2\], makes 6 channels but the pointwise filter, "
            r"\[1, 1, 3, 8\], takes 3",
        ),
        (
            lambda: tf.nn.separable_conv2d(
                tf.zeros([1, 5, 5, 3]), tf.zeros([3, 3, 3, 2]), tf.zeros([2, 1, 6, 8]), 1, "SAME"
            ),
            ShapeError,
            r"the pointwise filter must be 1 by 1; it is \[2, 1, 6, 8\]",
        ),
    ],
)
def test_mistakes_are_explained(
    make: Callable[[], tf.Tensor], error: type[Exception], text: str
) -> None:
    with tf.Graph().as_default(), pytest.raises(error, match=text):
        make()
