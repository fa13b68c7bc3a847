"""What can leave a loop runs once, before it, and what cannot stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import thalweg as tf
from tests.backends.native.bodies import Compared, loop
from thalweg.graph import Tensor

Array = np.ndarray[Any, Any]
rng = np.random.default_rng(0)


def floats(*shape: int) -> Array:
    return rng.uniform(-0.1, 0.1, shape).astype(np.float32)


def iterations(compared: Compared, op: str) -> set[int]:
    """How often the kernels run that compute an operation of this name."""
    kernels = [k for k in compared.native.summary() if any(op in name for name in k.ops)]
    return {dict(kernel.loops).get("iteration", 1) for kernel in kernels}


def test_weights_are_packed_once() -> None:
    def build(x: Tensor, h: Tensor, w: Tensor, v: Tensor) -> Sequence[Tensor]:
        def step(h: Tensor, x: Tensor, w: Tensor, v: Tensor) -> list[Tensor]:
            return [tf.tanh(tf.matmul(tf.tanh(tf.matmul(h, w)), v) + x)]

        return loop(step, [h], [x], [w, v])

    compared = Compared(
        build, [floats(5, 128, 128), floats(128, 128), floats(128, 512), floats(512, 128)]
    )
    compared.check(rtol=1e-4)  # sums of 512 products, again and again
    assert iterations(compared, "pack") >= {1}
    assert iterations(compared, "MatMul") == {5}


def test_what_follows_from_captured_values_alone_leaves_and_its_memory_is_kept() -> None:
    def build(x: Tensor, h: Tensor, a: Tensor) -> Sequence[Tensor]:
        def step(h: Tensor, x: Tensor, a: Tensor) -> list[Tensor]:
            still = tf.matmul(a, a, name="still")
            return [tf.tanh(tf.matmul(h, still, name="moves") + x), tf.reduce_sum(x)]

        return loop(step, [h], [x], [a])

    compared = Compared(build, [floats(6, 32, 32), floats(32, 32), floats(32, 32)])
    for _ in range(2):
        compared.check(floats(6, 32, 32), floats(32, 32), floats(32, 32))
    assert iterations(compared, "still") == {1}
    assert iterations(compared, "moves") == {6}


def test_a_loop_of_no_iterations() -> None:
    """A loop of no iterations computes what has left it, in vain but without harm."""

    def build(x: Tensor, h: Tensor, a: Tensor) -> Sequence[Tensor]:
        return loop(lambda h, x, a: [tf.matmul(h, tf.matmul(a, a)) + x], [h], [x], [a])

    compared = Compared(build, [floats(0, 8, 8), floats(8, 8), floats(8, 8)])
    np.testing.assert_array_equal(compared.check()[0], compared.feeds[1])
