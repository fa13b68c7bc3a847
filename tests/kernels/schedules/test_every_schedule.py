"""Whatever a schedule combines, its code is accepted, right, and keeps to its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.schedules.every_schedule import some_schedules
from tests.kernels.schedules.test_schedule import Runner, heaviest, product
from tests.shares import one_in
from thalweg.backends.native.llvm.jit import Jit
from thalweg.graph import Tensor
from thalweg.kernels.nests import blocks
from thalweg.kernels.schedules.choose import lanes_for, splits_sums
from thalweg.kernels.schedules.schedule import Machine

SMALL = Machine(128, 16)  # its tiles fit into small arrays


def gradient(y: Tensor, x: Tensor, dy: Tensor) -> Tensor:
    (made,) = tf.gradients(y, x, dy)
    assert isinstance(made, tf.Tensor)
    return made


def convolution(which: int, stride: int) -> Callable[..., Tensor]:
    """A convolution of 3 by 3, or its gradient by the image or by the filter."""

    def build(x: Tensor, w: Tensor, dy: Tensor) -> Tensor:
        y = tf.nn.conv2d(x, w, [1, stride, stride, 1], "VALID")
        return y if which == 0 else gradient(y, (x, w)[which - 1], dy)

    return build


def finished(a: Tensor, b: Tensor) -> Tensor:
    x = tf.matmul(a, b)
    y = tf.tanh(x) * tf.sqrt(tf.abs(x) + 1.0) + x / (tf.exp(x) + 2.0)
    return tf.maximum(y - 0.5, y * 0.25) * tf.sigmoid(x)


def gathered(a: Tensor, b: Tensor) -> Tensor:
    """The columns of an operand are read in an order that is read, too."""
    return tf.matmul(a, tf.gather(b, tf.argmax(tf.reshape(a, [-1, 3])[:11], 1), axis=1))


def softmax_sums(x: Tensor) -> Tensor:
    return tf.reduce_sum(x, 1) * tf.reduce_max(x, 1) + tf.reduce_sum(x * x, 1)


def pooled(x: Tensor, dy: Tensor) -> Tensor:
    y = tf.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "SAME")
    return gradient(y, x, dy)


def depthwise(x: Tensor, w: Tensor) -> Tensor:
    return tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME")


IMAGES = (3, 7, 6, 5), (3, 3, 5, 9)
CASES: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "matmul": (product(False, False), ((9, 23), (23, 13))),
    "matmul-transposed-a": (product(True, False), ((23, 9), (23, 13))),
    "matmul-transposed-b": (product(False, True), ((9, 23), (13, 23))),
    "matmul-both": (product(True, True), ((23, 9), (13, 23))),
    "matmul-of-many": (product(False, False), ((2, 5, 11), (2, 11, 7))),
    "gathered": (gathered, ((9, 23), (23, 13))),
    "finished": (finished, ((9, 23), (23, 13))),
    "convolution": (convolution(0, 1), (*IMAGES, (3, 5, 4, 9))),
    "strided": (convolution(0, 2), (*IMAGES, (3, 3, 2, 9))),
    "by-image": (convolution(1, 1), (*IMAGES, (3, 5, 4, 9))),
    "by-filter": (convolution(2, 1), (*IMAGES, (3, 5, 4, 9))),
    "strided-by-image": (convolution(1, 2), (*IMAGES, (3, 3, 2, 9))),
    "strided-by-filter": (convolution(2, 2), (*IMAGES, (3, 3, 2, 9))),
    "several-sums": (softmax_sums, ((9, 37),)),
    "argmax": (lambda x: tf.argmax(x, 1), ((9, 37),)),
    "pooling": (pooled, ((2, 9, 7, 6), (2, 5, 4, 6))),
    "depthwise": (depthwise, ((2, 7, 6, 5), (3, 3, 5, 1))),
}


SUMS = ["matmul-transposed-a", "matmul-transposed-b", "convolution", "by-filter", "several-sums"]
FILTER = 1  # the input whose extents must be known


def both(names: Iterable[str]) -> list[tuple[str, bool]]:
    """Known and open extents, the ones first for one case and the others for the next."""
    return [(name, bool((n + m) % 2)) for n, name in enumerate(names) for m in range(2)]


@pytest.mark.parametrize(("name", "dynamic"), one_in(5, both(CASES)))
def test_every_pair_of_features(name: str, dynamic: bool) -> None:
    check_schedules(name, dynamic)


@pytest.mark.parametrize(("name", "dynamic"), one_in(3, both(SUMS)))
def test_sums_in_blocks(name: str, dynamic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so short that there are several levels, one inside the other."""
    monkeypatch.setattr(blocks, "BLOCK", 4)
    check_schedules(name, dynamic, seed=1)


def check_schedules(
    name: str, dynamic: bool, seed: int = 0, machine: Machine = SMALL, jit: Jit | None = None
) -> int:
    """Compare all with the plain schedule; how many there were."""
    build, shapes = CASES[name]
    is_image = len(shapes[0]) == 4
    opened = [n for n in range(len(shapes)) if dynamic and not (is_image and n == FILTER)]
    run = Runner(heaviest(build, *shapes, dynamic=opened), jit)
    schedules = list(some_schedules(run.nest, lanes_for(run.nest, machine), seed))
    wanted: dict[Any, list[np.ndarray[Any, Any]]] = {}
    plain = run(schedules[0])
    for schedule in schedules:
        got = run(schedule)
        same = wanted.setdefault(splits_sums(run.nest, schedule), got)
        for mine, others, first in zip(got, same, plain, strict=True):
            np.testing.assert_array_equal(mine, others, err_msg=str(schedule))
            np.testing.assert_allclose(mine, first, rtol=1e-4, atol=1e-4, err_msg=str(schedule))
    return len(schedules)
