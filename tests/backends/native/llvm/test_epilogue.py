"""Long epilogues of tiles: written once, run for each row, with the bits of those written out."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tf
from thalweg.backends.native.backend import NativeProgram
from thalweg.backends.native.llvm import emit, tiles
from thalweg.backends.native.llvm.epilogue import by_row
from thalweg.backends.native.llvm.target import Target

Array = np.ndarray[Any, Any]
Tail = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # what follows a sum; the second is a bias


def long(total: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """A long epilogue of a sum."""
    x = tf.tanh(total + bias) * tf.sqrt(tf.abs(total) + 1.0)
    return x * tf.sigmoid(total) + tf.maximum(x, bias) / (1.0 + tf.square(x)) - 0.5 * x


def short(total: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    return tf.nn.relu(total + bias)


def randomly(total: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    return tf.nn.dropout(short(total, bias), 0.75, seed=3)


def write_code_anew(patch: pytest.MonkeyPatch) -> None:
    """Let nothing be found that was compiled before."""
    stamp = os.urandom(8).hex()
    patch.setattr("thalweg.backends.native.library._stamp", lambda files: stamp)


def text_of(tail: Tail, rows: int) -> tuple[str, int]:
    """The code of a product with an epilogue, and how many rows its tiles have; 1 if none do."""
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        x, w = tf.zeros([rows, 40]), tf.placeholder(tf.float32, [40, 64])
        made = tail(tf.matmul(x + tf.reduce_sum(w), w), w[0])
        _, program = session.program(made, {w: np.zeros((40, 64))})
        assert isinstance(program, NativeProgram)
        step = max(program.steps, key=lambda step: step.cost.flops)
        text = emit.emit(step.nest, step.schedule, Target.host())
        tile = {a: n for a, n in step.schedule.tile.items() if a is not step.schedule.vector}
        return text, max(tile.values(), default=1)


def test_a_long_epilogue_is_written_for_one_row() -> None:
    text, rows = text_of(long, 64)
    assert rows > 1
    vectors = text.count("call <8 x float> @llvm.sqrt") + text.count("call <16 x float> @llvm.sqrt")
    assert 1 <= vectors <= 4  # of a row of the tile


def test_a_short_one_stays_in_registers() -> None:
    text, rows = text_of(short, 64)
    assert rows > 1
    assert "x float], align 64" not in text  # nothing is spilled


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 19),
    depth=st.integers(1, 40),
    columns=st.integers(1, 40),
    tail=st.sampled_from([long, randomly]),
    transposed=st.booleans(),
    is_open=st.booleans(),
)
def test_the_bits_are_those_of_an_epilogue_written_out(
    rows: int,
    depth: int,
    columns: int,
    tail: Tail,
    transposed: bool,
    is_open: bool,
) -> None:
    rng = np.random.default_rng(rows * depth + columns)
    a, b = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
    bias = rng.normal(size=columns)

    def run() -> Array:
        with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
            x = tf.placeholder(tf.float32, [None if is_open else rows, depth])
            w = tf.placeholder(tf.float32, (b.T if transposed else b).shape)
            c = tf.placeholder(tf.float32, [columns])
            made = tail(tf.matmul(x, w, transpose_b=transposed), c)
            feeds = {x: a, w: b.T if transposed else b, c: bias}
            result: Array = session.run(made, feeds)
            return result

    with pytest.MonkeyPatch.context() as patch:
        write_code_anew(patch)
        by_rows = run()
        write_code_anew(patch)
        patch.setattr(tiles, "by_row", lambda *args: None)
        written_out = run()
    np.testing.assert_array_equal(by_rows, written_out)


@pytest.mark.parametrize("channels", [16, 20])
def test_sums_of_a_transformed_convolution_are_spilled_too(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adam's update of a filter whose gradient is made with Winograd's transforms."""
    made = []

    def counted(*args: Any) -> Any:
        made.append(by_row(*args))
        return made[-1]

    rng = np.random.default_rng(5)
    images = rng.normal(size=(4, 14, 14, 16)).astype(np.float32)
    first = rng.normal(size=(5, 5, 16, channels)).astype(np.float32)

    def trained() -> Array:
        with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
            w = tf.Variable(first)
            y = tf.nn.conv2d(tf.constant(images), w, [1, 1, 1, 1], "SAME")
            step = tf.train.AdamOptimizer(0.01).minimize(tf.reduce_mean(tf.square(y)))
            session.run(tf.global_variables_initializer())
            for _ in range(3):
                session.run(step)
            result: Array = session.run(w)
            return result

    write_code_anew(monkeypatch)
    monkeypatch.setattr(tiles, "by_row", counted)
    by_rows = trained()
    assert any(one is not None and len(one.stores) > 1 for one in made)
    write_code_anew(monkeypatch)
    monkeypatch.setattr(tiles, "by_row", lambda *args: None)
    np.testing.assert_array_equal(by_rows, trained())
