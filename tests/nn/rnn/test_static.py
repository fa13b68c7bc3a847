"""Recurrent networks that are unrolled, against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array, differences
from tests.nn.rnn.cells import BACKENDS, BATCH, DEPTH, array, basic_rnn, fill, lstm, session

cells = tf.nn.rnn_cell
STEPS, UNITS = 4, 3
LENGTHS = (2, 0, 4)


def unrolled(
    w: dict[str, Array], x: Array, lengths: tuple[int, ...], backward: bool = False
) -> tuple[Array, Array, Array]:
    """Outputs, and the last state, of an LSTM over `[time, batch, depth]`, row by row."""
    outputs = np.zeros((STEPS, BATCH, UNITS))
    c, h = np.zeros((2, BATCH, UNITS))
    for row, length in enumerate(lengths):
        state = c[row : row + 1], h[row : row + 1]
        for time in range(length)[:: -1 if backward else 1]:
            outputs[time, row], state = lstm(w, x[time, row : row + 1], state)
        c[row], h[row] = state
    return outputs, c, h


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("backend", BACKENDS)
def test_values(backend: str, lengths: Any) -> None:
    x = array(STEPS, BATCH, DEPTH)
    inputs = tf.placeholder(tf.float64, [STEPS, None, DEPTH])
    made = tf.nn.static_rnn(
        cells.BasicLSTMCell(UNITS), tf.unstack(inputs), dtype=tf.float64, sequence_length=lengths
    )
    assert [v.op.name for v in tf.global_variables()] == [
        "rnn/basic_lstm_cell/kernel",
        "rnn/basic_lstm_cell/bias",
    ]
    run = session(backend)
    w = fill(tf.global_variables(), run)
    outputs, state = run.run(made, {inputs: x})
    expected, c, h = unrolled(w, x, lengths or (STEPS,) * BATCH)
    # Each of the 4 steps is exact to some epsilons.
    for actual, wanted in ((np.stack(outputs), expected), (state.c, c), (state.h, h)):
        np.testing.assert_allclose(actual, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("backend", BACKENDS)
def test_both_directions(backend: str, lengths: Any) -> None:
    x = array(STEPS, BATCH, DEPTH)
    made = tf.nn.static_bidirectional_rnn(
        cells.LSTMCell(UNITS),
        cells.LSTMCell(UNITS),
        tf.unstack(tf.constant(x)),
        dtype=tf.float64,
        sequence_length=lengths,
    )
    names = [v.op.name for v in tf.global_variables()]
    assert names == [
        f"bidirectional_rnn/{way}/lstm_cell/{own}"
        for way in ("fw", "bw")
        for own in ("kernel", "bias")
    ]
    run = session(backend)
    fill(tf.global_variables(), run)
    kernels = [dict(zip(("kernel", "bias"), run.run(tf.global_variables()[i : i + 2]), strict=True))
               for i in (0, 2)]  # fmt: skip
    outputs, forward, backward = run.run(made)
    steps = lengths or (STEPS,) * BATCH
    first, second = unrolled(kernels[0], x, steps), unrolled(kernels[1], x, steps, backward=True)
    both = np.concatenate([first[0], second[0]], axis=2)
    pairs = [(np.stack(outputs), both), (forward.h, first[2]), (backward.c, second[1])]
    for actual, wanted in [*pairs, (backward.h, second[2])]:
        np.testing.assert_allclose(actual, wanted, rtol=1e-12, atol=1e-14)


def test_gradients_of_rows_that_have_ended() -> None:
    x = array(STEPS, BATCH, DEPTH)
    inputs = tf.constant(x)
    cell = cells.BasicRNNCell(UNITS)
    start = tf.constant(array(BATCH, UNITS))
    outputs, state = tf.nn.static_rnn(cell, tf.unstack(inputs), start, sequence_length=LENGTHS)
    loss = sum(tf.reduce_sum(t * t) for t in [*outputs, 3.0 * state])
    run = session()
    w = fill(cell.variables, run)
    actual = run.run(tf.gradients(loss, [inputs, start, *cell.variables]))

    def function(x: Array, h: Array, kernel: Array, bias: Array) -> Any:
        total, h = 0.0, h.copy()
        for time in range(STEPS):
            new, _ = basic_rnn({"kernel": kernel, "bias": bias}, x[time], h)
            runs = (time < np.array(LENGTHS))[:, None]
            total, h = total + np.sum((new * runs) ** 2), np.where(runs, new, h)
        return total + np.sum((3 * h) ** 2)

    arrays = [x, array(BATCH, UNITS), w["kernel"], w["bias"]]
    for number, gradient in enumerate(actual):
        # The differences of a loss of some hundreds are exact to some 1e-9.
        wanted = differences(function, arrays, number)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-7)
    assert np.all(actual[0][:, 1] == 0)


def test_inputs_may_be_structures() -> None:
    class Sum(cells.RNNCell):
        state_size = 2
        output_size = 2

        def call(self, inputs: Any, state: Any) -> Any:
            made = state + inputs["a"] * inputs["b"]
            return {"sum": made}, made

    steps = [{"a": tf.fill([1, 2], float(n)), "b": tf.ones([1, 2])} for n in range(1, 4)]
    outputs, state = tf.nn.static_rnn(Sum(), steps, dtype=tf.float32, sequence_length=[2])
    values, last = tf.Session().run([outputs, state])
    assert [v["sum"].tolist() for v in values] == [[[1, 1]], [[3, 3]], [[0, 0]]]
    assert last.tolist() == [[3, 3]]


def test_reuse_of_a_whole_network() -> None:
    x = [tf.ones([1, 1])] * 2
    first, _ = tf.nn.static_rnn(cells.BasicRNNCell(2), x, dtype=tf.float32)
    with tf.variable_scope("rnn", reuse=True) as scope:
        second, _ = tf.nn.static_rnn(cells.BasicRNNCell(2), x, dtype=tf.float32, scope=scope)
    assert len(tf.global_variables()) == 2
    a, b = tf.Session().run([first[-1], second[-1]])
    np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="rnn/basic_rnn_cell/kernel already exists"):
        tf.nn.static_rnn(cells.BasicRNNCell(2), x, dtype=tf.float32)


def test_what_it_cannot_run() -> None:
    cell: Any = cells.BasicRNNCell(2)
    x: Any = [tf.zeros([3, 1])]
    wrong: list[tuple[Any, type[Exception], str]] = [
        (lambda: tf.nn.static_rnn(None, x), TypeError, "is not an RNNCell"),
        (lambda: tf.nn.static_rnn(cell, x[0]), TypeError, "inputs must be a sequence"),
        (lambda: tf.nn.static_rnn(cell, []), ValueError, "inputs must not be empty"),
        (lambda: tf.nn.static_rnn(cell, x), ValueError, "you must give a dtype"),
        (lambda: ends([[1]]), ValueError, "must be a vector of length batch_size"),
        (lambda: ends([1, 2]), ValueError, r"for each of 3 rows; it is \[2\]"),
        (lambda: ends([1.0, 2.0, 3.0]), TypeError, "must be integers"),
    ]
    for build, kind, text in wrong:
        with pytest.raises(kind, match=text) as caught:
            build()
        assert "at test_static.py" in str(caught.value)


def ends(lengths: Any) -> Any:
    inputs = [tf.zeros([3, 1])]
    return tf.nn.static_rnn(
        cells.BasicRNNCell(2), inputs, dtype=tf.float32, sequence_length=lengths
    )
