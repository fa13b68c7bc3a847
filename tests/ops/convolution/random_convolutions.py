"""Random convolutions and their gradients, with caches so small that sums are taken in K blocks.

    python -m tests.ops.convolution.random_convolutions --count 1000 --seed 7 --level x86-64-v3

With the real caches only large operands are blocked and staged, and take long.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

import thalweg as tf
from thalweg.backends.native import backend as native
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.kernels.schedules import k_blocking

Array = np.ndarray[Any, Any]
CACHES = (1 << 12, 1 << 14, 1 << 16, k_blocking.CACHE_BYTES)
CHANNELS = (1, 3, 4, 5, 8, 12, 16, 17, 32, 48, 64)
ERROR = 1e-5  # of the sum of all terms' sizes: Winograd's forms lose two digits of seven


@dataclass(frozen=True)
class Convolution:
    """What is convolved, and what the second-level cache is taken for."""

    batch: int
    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    outputs: int
    strides: tuple[int, int]
    dilations: tuple[int, int]
    padding: str
    is_open: bool
    cache: int

    @staticmethod
    def random(seed: int) -> Convolution:
        """The one of a seed."""
        rng = np.random.default_rng(seed)

        def pick(of: Any) -> int:
            return int(rng.choice(of))

        kernel = pick(range(1, 8)), pick(range(1, 8))
        if rng.random() < 0.6:
            kernel = kernel[0], kernel[0]
        strides = (pick([1, 1, 2, 3]),) * 2
        dilations = (pick([1, 1, 1, 2]),) * 2 if strides == (1, 1) else (1, 1)
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        height, width = (r + pick(range(12)) for r in reach)
        return Convolution(
            pick(range(1, 9)),
            height,
            width,
            pick(CHANNELS),
            kernel,
            pick(CHANNELS),
            strides,
            dilations,
            "SAME" if rng.random() < 0.6 else "VALID",
            bool(rng.random() < 0.5),
            pick(CACHES),
        )

    def check(self, jit: Jit, seed: int) -> None:
        """Compare the result and both gradients with sums in double precision."""
        rng = np.random.default_rng(seed)

        def normal(*shape: int) -> Array:
            return rng.standard_normal(shape)

        x = normal(self.batch, self.height, self.width, self.channels)
        w = normal(*self.kernel, self.channels, self.outputs)
        padded, inside = self._padded(x)
        dy = normal(*self._forward(padded, w).shape)
        got = self._native(jit, *(a.astype(np.float32) for a in (x, w, dy)))
        wanted = self._all(padded, w, dy, inside)
        sizes = self._all(np.abs(padded), np.abs(w), np.abs(dy), inside)
        for mine, right, size in zip(got, wanted, sizes, strict=True):
            np.testing.assert_allclose(
                mine, right, rtol=0, atol=ERROR * size.max(), err_msg=f"{self}"
            )

    def _native(self, jit: Jit, x: Array, w: Array, dy: Array) -> list[Array]:
        library = Library(jit)
        with (
            mock.patch.object(native, "shared_library", return_value=library),
            mock.patch.object(k_blocking, "CACHE_BYTES", self.cache),
            tf.Graph().as_default(),
            tf.Session() as session,
        ):
            image = tf.placeholder(tf.float32, [None, *x.shape[1:]] if self.is_open else x.shape)
            weights = tf.placeholder(tf.float32, w.shape)
            y = tf.nn.conv2d(image, weights, self.strides, self.padding, dilations=self.dilations)
            gradient = tf.placeholder(tf.float32, y.shape)
            by = tf.gradients(y, [image, weights], gradient)
            made: list[Array] = session.run([y, *by], {image: x, weights: w, gradient: dy})
            return made

    def _padded(self, x: Array) -> tuple[Array, tuple[slice, ...]]:
        """The image with its border, and where it lies inside."""
        if self.padding == "VALID":
            return x, (slice(None),) * 4
        around = [(0, 0)]
        for extent, size, step, gap in zip(
            x.shape[1:3], self.kernel, self.strides, self.dilations, strict=True
        ):
            total = max((-(-extent // step) - 1) * step + (size - 1) * gap + 1 - extent, 0)
            around.append((total // 2, total - total // 2))
        around.append((0, 0))
        inside = tuple(slice(b, b + e) for (b, _), e in zip(around, x.shape, strict=True))
        return np.pad(x, around), inside

    def _taps(self, x: Array) -> Any:
        """Each tap, and the part of the image that it meets."""
        counts = [
            (e - (k - 1) * d - 1) // s + 1
            for e, k, s, d in zip(
                x.shape[1:3], self.kernel, self.strides, self.dilations, strict=True
            )
        ]
        for tap in np.ndindex(*self.kernel):
            starts = [t * d for t, d in zip(tap, self.dilations, strict=True)]
            yield (
                tap,
                tuple(
                    slice(b, b + (n - 1) * s + 1, s)
                    for b, n, s in zip(starts, counts, self.strides, strict=True)
                ),
            )

    def _forward(self, x: Array, w: Array) -> Array:
        total: Array = sum(x[:, rows, columns] @ w[tap] for tap, (rows, columns) in self._taps(x))
        return total

    def _all(self, x: Array, w: Array, dy: Array, inside: tuple[slice, ...]) -> list[Array]:
        by_image, by_filter = np.zeros_like(x), np.zeros_like(w)
        for tap, (rows, columns) in self._taps(x):
            by_image[:, rows, columns] += dy @ w[tap].T
            by_filter[tap] = np.tensordot(x[:, rows, columns], dy, ((0, 1, 2), (0, 1, 2)))
        return [self._forward(x, w), by_image[inside], by_filter]


def main() -> int:
    """Check many; the number of those that failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--level", default="")
    given = parser.parse_args()
    target = Target.host().restricted(given.level) if given.level else Target.host()
    failed = 0
    for seed in range(given.seed, given.seed + given.count):
        convolution = Convolution.random(seed)
        try:
            convolution.check(Jit(target), seed)
        except Exception as error:
            failed += 1
            print(seed, convolution, type(error).__name__, str(error)[:300], flush=True)
    print(f"{given.count} convolutions from seed {given.seed}: {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 1))
