"""Recurrent networks that a function steers, against `dynamic_rnn` and against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.nn.rnn.cells import BACKENDS, BATCH, DEPTH, array, fill, session

cells = tf.nn.rnn_cell
STEPS, UNITS = 4, 3
LENGTHS = (2, 0, 4)


def read(inputs: Any, lengths: Any, cell: Any) -> Any:
    """The function that makes `raw_rnn` do what `dynamic_rnn` does."""
    steps = tf.TensorArray(tf.float64, size=STEPS).unstack(inputs)

    def loop_fn(time: Any, output: Any, state: Any, loop_state: Any) -> Any:
        ended = time >= tf.constant(lengths)
        nothing = tf.zeros([BATCH, DEPTH], tf.float64)
        next_input = tf.cond(tf.reduce_all(ended), lambda: nothing, lambda: steps.read(time))
        first = cell.zero_state(BATCH, tf.float64)
        return ended, next_input, first if output is None else state, output, None

    return loop_fn


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_can_do_what_dynamic_rnn_does(backend: str) -> None:
    cell, inputs = cells.BasicLSTMCell(UNITS), tf.placeholder(tf.float64, [STEPS, BATCH, DEPTH])
    emitted, state, loop_state = tf.nn.raw_rnn(cell, read(inputs, LENGTHS, cell))
    assert loop_state is None
    assert [v.op.name for v in tf.global_variables()] == [
        "rnn/basic_lstm_cell/kernel",
        "rnn/basic_lstm_cell/bias",
    ]
    expected = tf.nn.dynamic_rnn(cell, inputs, LENGTHS, dtype=tf.float64, time_major=True)
    made = (emitted.stack(), state)
    losses = [tf.reduce_sum(o * o) + tf.reduce_sum(s.c * s.h) for o, s in (made, expected)]
    gradients = [tf.gradients(loss, [inputs, *cell.variables]) for loss in losses]
    run = session(backend)
    fill(cell.variables, run)
    a, b, (c, d) = run.run([made, expected, gradients], {inputs: array(STEPS, BATCH, DEPTH)})
    for x, y in zip((a[0], *a[1], *c), (b[0], *b[1], *d), strict=True):
        # The same steps, which the compiler may add up in another order.
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_go_back_in_and_a_loop_state_is_kept(backend: str) -> None:
    class Double(cells.RNNCell):
        state_size = 1
        output_size = 1

        def call(self, inputs: Any, state: Any) -> Any:
            return 2.0 * inputs, state + inputs

    def loop_fn(time: Any, output: Any, state: Any, loop_state: Any) -> Any:
        if output is None:
            emitted = {"half": tf.zeros([1]), "time": tf.constant(0)}
            return tf.fill([2], False), tf.ones([2, 1]), tf.zeros([2, 1]), emitted, (0, [1.0])
        emitted = {"half": output / 2.0, "time": tf.fill([2], time)}
        count, (product,) = loop_state
        ended = tf.logical_or(output[:, 0] > 10.0, [False, True])
        return ended, output, state, emitted, (count + 1, [product * 3.0])

    emitted, state, loop_state = tf.nn.raw_rnn(Double(), loop_fn)
    halves, times = emitted["half"].stack(), emitted["time"].stack()
    half, time, last, (count, (product,)) = session(backend).run([halves, times, state, loop_state])
    assert half[..., 0].tolist() == [[1, 1], [2, 0], [4, 0], [8, 0]]
    assert time.tolist() == [[1, 1], [2, 0], [3, 0], [4, 0]]
    assert last.tolist() == [[15], [1]]
    assert (count, product) == (4, 81)


def test_what_it_cannot_run() -> None:
    cell = cells.BasicRNNCell(2)
    state = cell.zero_state(1, tf.float32)

    def loop_fn(time: Any, output: Any, _: Any, loop_state: Any) -> Any:
        inputs = tf.zeros([1, 1])
        return [False], inputs if output is None else (inputs, inputs), state, output, None

    wrong: list[tuple[Any, Any, type[Exception], str]] = [
        (None, loop_fn, TypeError, "is not an RNNCell"),
        (cell, None, TypeError, "loop_fn must be a callable"),
        (cells.BasicLSTMCell(2), loop_fn, ValueError, "the first state"),
        (cell, loop_fn, ValueError, "the next inputs"),
    ]
    for own, function, error, text in wrong:
        with pytest.raises(error, match=text) as caught:
            tf.nn.raw_rnn(own, function)
        if function is not loop_fn:
            assert "at test_raw.py" in str(caught.value)
