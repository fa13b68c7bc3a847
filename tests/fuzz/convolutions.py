"""Convolutions, forward and both gradients, against float64 at a sample of places.

`corpus` has every convolution of some well-known networks; `random_convolution` makes others.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

import thalweg as tf
from tests.fuzz.bench import WrongResultError
from tests.fuzz.reference import Array, epsilon
from thalweg.base.dtypes import as_dtype

BATCHES = (1, 2, 16)
PLACES = 24  # of an image, that are checked
TAPS = 8  # of a filter

# K random terms sum to about sqrt(K), and adding B of them one after the other is off by about
# 0.2 * B epsilons in the mean: sums in blocks of B by 0.2 * sqrt(K * B). With a transform of tiles
# the mean error is up to 2.5 times that, or 5.5 times for the gradient by a filter, whose few taps
# are sums over all tiles. An element's error grows with its partial sums, which are random too, so
# the tail is exponential: one in a thousand was seen to be 6.5 times the mean, one in a hundred
# thousand 12.4 times. That is some 3 for each power of ten, and 24 for one in a billion.
BLOCK = 512
LARGEST = 24
ERRORS = 0.2 * 2.5 * LARGEST
ERRORS_BY_FILTER = 0.2 * 5.5 * LARGEST


@dataclass(frozen=True)
class Convolution:
    """One layer.

    Attributes:
        image: height and width.
        channels: of the image.
        kernel: height and width of the filter.
        outputs: channels of the result; of a depthwise one, for each channel.
        stride: of both axes.
        padding: "SAME" or "VALID".
        depthwise: whether each channel is by itself.
        batch: how many images.
        dtype: of everything.
    """

    image: tuple[int, int]
    channels: int
    kernel: tuple[int, int]
    outputs: int
    stride: int = 1
    padding: str = "SAME"
    depthwise: bool = False
    batch: int = 1
    dtype: str = "float32"

    @property
    def result(self) -> tuple[int, int]:
        """Height and width of the result."""
        sizes = zip(self.image, self.kernel, strict=True)
        if self.padding == "SAME":
            return (-(-self.image[0] // self.stride), -(-self.image[1] // self.stride))
        rows, columns = ((n - k) // self.stride + 1 for n, k in sizes)
        return rows, columns

    @property
    def before(self) -> tuple[int, int]:
        """The padding above and on the left."""
        if self.padding == "VALID":
            return (0, 0)
        pairs = zip(self.image, self.kernel, self.result, strict=True)
        top, left = (max((m - 1) * self.stride + k - n, 0) // 2 for n, k, m in pairs)
        return top, left

    @property
    def products(self) -> int:
        """How many its results are summed from."""
        taps = math.prod(self.kernel) * (1 if self.depthwise else self.channels)
        outputs = self.outputs * (self.channels if self.depthwise else 1)
        return self.batch * math.prod(self.result) * taps * outputs

    def run(self) -> None:
        """Compute it, and its gradients, and check a sample of the results.

        Raises:
            WrongResultError: if one of them is wrong.
        """
        rng = np.random.default_rng(zlib.crc32(repr(self).encode()))
        outputs = self.outputs * (self.channels if self.depthwise else 1)
        shapes = (
            (self.batch, *self.image, self.channels),
            (*self.kernel, self.channels, self.outputs),
            (self.batch, *self.result, outputs),
        )
        kind = as_dtype(self.dtype).numpy
        x, w, dy = (rng.standard_normal(shape, np.float32).astype(kind) for shape in shapes)
        y, by_x, by_w = self._computed(x, w, dy)
        self._check("the result", *self._forward(rng, x, w, y), w[..., 0].size)
        places = math.prod(self.result) * self.batch
        terms = self.kernel[0] * self.kernel[1] * self.outputs
        self._check("the gradient by the image", *self._by_image(rng, dy, w, by_x), terms)
        self._check(
            "the gradient by the filter",
            *self._by_filter(rng, x, dy, by_w),
            places,
            ERRORS_BY_FILTER,
        )

    def _computed(self, x: Array, w: Array, dy: Array) -> Sequence[Array]:
        graph = tf.Graph()
        with graph.as_default(), tf.Session(graph=graph) as session:
            tensors = [tf.placeholder(a.dtype, a.shape) for a in (x, w, dy)]
            conv = tf.nn.depthwise_conv2d if self.depthwise else tf.nn.conv2d
            strides = [1, self.stride, self.stride, 1]
            y = conv(tensors[0], tensors[1], strides, self.padding)
            made = tf.gradients(y, tensors[:2], grad_ys=tensors[2])
            results: Sequence[Array] = session.run(
                [y, *made], dict(zip(tensors, (x, w, dy), strict=True))
            )
        return results

    def _check(
        self, what: str, actual: Array, wanted: Array, terms: int, errors: float = ERRORS
    ) -> None:
        """Compare results that are sums of so many products of two normal numbers."""
        eps = epsilon(actual.dtype)
        slack = eps * (errors * (terms * min(terms, BLOCK)) ** 0.5 + np.abs(wanted))
        wrong = ~(np.abs(actual.astype(np.float64) - wanted) <= slack)
        if wrong.any():
            at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            raise WrongResultError(
                f"{self}: {what}: {int(wrong.sum())} of {wrong.size} are wrong: "
                f"{actual[at]}, not {wanted[at]} +- {slack[at]:.3g}"
            )

    def _forward(
        self, rng: np.random.Generator, x: Array, w: Array, y: Array
    ) -> tuple[Array, Array]:
        """The results at some places, and what they should be."""
        got, wanted = [], []
        for n, i, j in _places(rng, (self.batch, *self.result)):
            window = np.zeros((*self.kernel, self.channels))
            for p, q, r, c in self._taps(i, j):
                window[p, q] = x[n, r, c]
            spec = "pqc,pqcm->cm" if self.depthwise else "pqc,pqcm->m"
            wanted.append(np.einsum(spec, window, w.astype(np.float64)).reshape(-1))
            got.append(y[n, i, j])
        return np.array(got), np.array(wanted)

    def _taps(self, i: int, j: int) -> Iterator[tuple[int, int, int, int]]:
        """What a result is made of: the place in the filter, and that in the image."""
        top, left = i * self.stride - self.before[0], j * self.stride - self.before[1]
        for p in range(self.kernel[0]):
            for q in range(self.kernel[1]):
                if 0 <= top + p < self.image[0] and 0 <= left + q < self.image[1]:
                    yield p, q, top + p, left + q

    def _by_image(
        self, rng: np.random.Generator, dy: Array, w: Array, by_x: Array
    ) -> tuple[Array, Array]:
        got, wanted = [], []
        filters = w.astype(np.float64)
        for n, r, c in _places(rng, (self.batch, *self.image)):
            total = np.zeros(self.channels)
            for p, q in np.ndindex(*self.kernel):
                i, above = divmod(r + self.before[0] - p, self.stride)
                j, aside = divmod(c + self.before[1] - q, self.stride)
                inside = 0 <= i < self.result[0] and 0 <= j < self.result[1]
                if inside and not above and not aside:
                    total += self._spread(dy[n, i, j].astype(np.float64), filters[p, q])
            wanted.append(total)
            got.append(by_x[n, r, c])
        return np.array(got), np.array(wanted)

    def _spread(self, dy: Array, taps: Array) -> Array:
        if self.depthwise:
            return np.asarray((taps * dy.reshape(taps.shape)).sum(1))
        return np.asarray(taps @ dy)

    def _by_filter(
        self, rng: np.random.Generator, x: Array, dy: Array, by_w: Array
    ) -> tuple[Array, Array]:
        got, wanted = [], []
        before, (rows, columns) = self.before, self.result
        for p, q, c in _places(rng, (*self.kernel, self.channels), TAPS):
            i = [n for n in range(rows) if 0 <= n * self.stride + p - before[0] < self.image[0]]
            j = [n for n in range(columns) if 0 <= n * self.stride + q - before[1] < self.image[1]]
            r = np.array(i, np.int64) * self.stride + p - before[0]
            s = np.array(j, np.int64) * self.stride + q - before[1]
            image = x[:, r[:, None], s, c].astype(np.float64)
            gradient = dy[:, np.array(i, np.int64)[:, None], np.array(j, np.int64)]
            if self.depthwise:
                gradient = gradient[..., c * self.outputs : (c + 1) * self.outputs]
            wanted.append(np.tensordot(image, gradient.astype(np.float64), 3))
            got.append(by_w[p, q, c])
        return np.array(got), np.array(wanted)


def _places(
    rng: np.random.Generator, shape: tuple[int, int, int], count: int = PLACES
) -> list[tuple[int, int, int]]:
    """The corners and some other places, each once."""
    ends = [(n, i, j) for n in (0, -1) for i in (0, -1) for j in (0, -1)]
    found = [tuple(n % size for n, size in zip(end, shape, strict=True)) for end in ends]
    found += [tuple(int(rng.integers(size)) for size in shape) for _ in range(count)]
    return list(dict.fromkeys((a, b, c) for a, b, c in found))


# -- networks


def _same(size: int, channels: int, kernel: int, outputs: int, stride: int = 1) -> Convolution:
    return Convolution((size, size), channels, (kernel, kernel), outputs, stride)


def _valid(size: int, channels: int, kernel: int, outputs: int, stride: int = 1) -> Convolution:
    return replace(_same(size, channels, kernel, outputs, stride), padding="VALID")


def _depthwise(size: int, channels: int, stride: int = 1) -> Convolution:
    return Convolution((size, size), channels, (3, 3), 1, stride, depthwise=True)


def alexnet() -> Iterator[Convolution]:
    """Krizhevsky, Sutskever and Hinton, 2012, and its form with one tower."""
    yield from (_valid(227, 3, 11, 96, 4), _valid(224, 3, 11, 64, 4))
    yield from (_same(27, 96, 5, 256), _same(27, 48, 5, 128), _same(26, 64, 5, 192))
    for channels, outputs in ((256, 384), (384, 384), (384, 256), (192, 384), (192, 192)):
        yield _same(13, channels, 3, outputs)


def vgg16() -> Iterator[Convolution]:
    """Simonyan and Zisserman, 2014."""
    channels = 3
    for size, outputs in ((224, 64), (112, 128), (56, 256), (28, 512), (14, 512)):
        yield from (_same(size, channels, 3, outputs), _same(size, outputs, 3, outputs))
        channels = outputs


# size, channels, 1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, pool
_INCEPTION = (
    (28, 192, 64, 96, 128, 16, 32, 32), (28, 256, 128, 128, 192, 32, 96, 64),
    (14, 480, 192, 96, 208, 16, 48, 64), (14, 512, 160, 112, 224, 24, 64, 64),
    (14, 512, 128, 128, 256, 24, 64, 64), (14, 512, 112, 144, 288, 32, 64, 64),
    (14, 528, 256, 160, 320, 32, 128, 128), (7, 832, 256, 160, 320, 32, 128, 128),
    (7, 832, 384, 192, 384, 48, 128, 128),
)  # fmt: skip


def googlenet() -> Iterator[Convolution]:
    """Szegedy and others, Going deeper with convolutions, 2014, table 1."""
    yield from (_same(224, 3, 7, 64, 2), _same(56, 64, 1, 64), _same(56, 64, 3, 192))
    for size, channels, one, small3, three, small5, five, pool in _INCEPTION:
        for outputs in (one, small3, small5, pool):
            yield _same(size, channels, 1, outputs)
        yield from (_same(size, small3, 3, three), _same(size, small5, 5, five))
    yield from (_same(4, 512, 1, 128), _same(4, 528, 1, 128))


def resnet50() -> Iterator[Convolution]:
    """He, Zhang, Ren and Sun, 2015; strides are those of the 3x3 and those of the first 1x1."""
    yield _same(224, 3, 7, 64, 2)
    channels, size = 64, 56
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        yield from (_same(size, channels, 1, width), _same(size, channels, 1, width, stride))
        yield _same(size, channels, 1, 4 * width, stride)
        yield _same(size, width, 3, width, stride)
        size, channels = size // stride, 4 * width
        yield from (_same(size, width, 3, width), _same(size, width, 1, channels))
        yield _same(size, channels, 1, width)


def mobilenet_v1() -> Iterator[Convolution]:
    """Howard and others, 2017, table 1."""
    yield _same(224, 3, 3, 32, 2)
    size, channels = 112, 32
    steps = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (1024, 2))
    for outputs, stride in (*steps, (1024, 1)):
        yield _depthwise(size, channels, stride)
        size //= stride
        yield _same(size, channels, 1, outputs)
        channels = outputs


def mobilenet_v2() -> Iterator[Convolution]:
    """Sandler and others, 2018, table 2."""
    yield from (_same(224, 3, 3, 32, 2), _depthwise(112, 32), _same(112, 32, 1, 16))
    size, channels = 112, 16
    stages = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
    for outputs, repeats, first in stages:
        for stride in (first, *[1] * (repeats - 1)):
            wide = 6 * channels
            yield from (_same(size, channels, 1, wide), _depthwise(size, wide, stride))
            size //= stride
            yield _same(size, wide, 1, outputs)
            channels = outputs
    yield _same(7, 320, 1, 1280)


def inception_v3() -> Iterator[Convolution]:
    """Szegedy and others, Rethinking the Inception architecture, 2015, as trained by Google."""
    yield from (_valid(299, 3, 3, 32, 2), _valid(149, 32, 3, 32), _same(147, 32, 3, 64))
    yield from (_valid(73, 64, 1, 80), _valid(73, 80, 3, 192))
    for channels in (192, 256, 288):
        yield from (_same(35, channels, 1, n) for n in (64, 48, 32))
    yield from (_same(35, 48, 5, 64), _same(35, 64, 3, 96), _same(35, 96, 3, 96))
    yield from (_valid(35, 288, 3, 384, 2), _valid(35, 96, 3, 96, 2))
    for width in (128, 160, 192):
        yield from (_same(17, 768, 1, width), _same(17, 768, 1, 192))
        for outputs in (width, 192):
            for kernel in ((1, 7), (7, 1)):
                yield Convolution((17, 17), width, kernel, outputs)
    yield from (_valid(17, 192, 3, 320, 2), _valid(17, 192, 3, 192, 2))
    for channels in (1280, 2048):
        yield from (_same(8, channels, 1, n) for n in (320, 384, 448, 192))
    yield from (Convolution((8, 8), 384, kernel, 384) for kernel in ((1, 3), (3, 1)))
    yield _same(8, 448, 3, 384)
    yield from (_same(5, 768, 1, 128), _valid(5, 128, 5, 768))


NETWORKS = (alexnet, vgg16, googlenet, resnet50, mobilenet_v1, mobilenet_v2, inception_v3)


def corpus() -> list[Convolution]:
    """Every convolution of all networks, once for each batch, shuffled."""
    layers = dict.fromkeys(layer for network in NETWORKS for layer in network())
    every = [replace(layer, batch=batch) for layer in layers for batch in BATCHES]
    return sorted(every, key=lambda layer: zlib.crc32(repr(layer).encode()))


def light_corpus() -> list[Convolution]:
    """Those that take a fraction of a second."""
    return [layer for layer in corpus() if layer.products < 1e8]


def random_convolution(seed: int) -> Convolution:
    """Any convolution that does not take long."""
    rng = np.random.default_rng((seed, 1))
    counts = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 64, 65, 96, 128, 192, 256]
    sides = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 16, 17, 20, 28]
    image = (int(rng.choice(sides)), int(rng.choice(sides)))
    kernel = (int(rng.choice([1, 2, 3, 3, 3, 4, 5, 5, 6, 7, 11])), int(rng.integers(1, 8)))
    if rng.random() < 0.6:
        image, kernel = (image[0], image[0]), (kernel[0], kernel[0])
    fits = all(n >= k for n, k in zip(image, kernel, strict=True))
    depthwise = rng.random() < 0.2
    return Convolution(
        image=image,
        channels=int(rng.choice(counts)),
        kernel=kernel,
        outputs=int(rng.choice([1, 1, 1, 2, 3])) if depthwise else int(rng.choice(counts)),
        stride=int(rng.choice([1, 1, 1, 2, 2, 3, 4])),
        padding="VALID" if fits and rng.random() < 0.35 else "SAME",
        depthwise=bool(depthwise),
        batch=int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 16, 17])),
        dtype=str(rng.choice(["float32"] * 7 + ["float64", "float64", "bfloat16"])),
    )
