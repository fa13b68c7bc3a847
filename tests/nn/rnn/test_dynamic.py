"""Recurrent networks in a loop against those that are unrolled, and against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array
from tests.nn.rnn.cells import BACKENDS, BATCH, DEPTH, array, fill, session

cells = tf.nn.rnn_cell
STEPS, UNITS = 4, 3
LENGTHS = (2, 0, 4)

CELLS = {
    "rnn": lambda: cells.BasicRNNCell(UNITS),
    "gru": lambda: cells.GRUCell(UNITS),
    "lstm": lambda: cells.LSTMCell(UNITS, use_peepholes=True, num_proj=2, cell_clip=0.5),
    "stack": lambda: cells.MultiRNNCell(
        [cells.BasicLSTMCell(DEPTH), cells.ResidualWrapper(cells.GRUCell(DEPTH))]
    ),
}


def leaves(structure: Any) -> list[Any]:
    if isinstance(structure, list | tuple):
        return [leaf for part in structure for leaf in leaves(part)]
    return [structure]


def equal(actual: Any, expected: Any) -> None:
    for a, b in zip(leaves(actual), leaves(expected), strict=True):
        # The same formulas, which the compiler may add up in another order.
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("make", CELLS.values(), ids=list(CELLS))
@pytest.mark.parametrize("backend", BACKENDS)
def test_it_computes_what_an_unrolled_network_does(
    backend: str, make: Any, time_major: bool, lengths: Any
) -> None:
    cell, x = make(), array(STEPS, BATCH, DEPTH)
    inputs = tf.placeholder(tf.float64, [None, None, DEPTH])
    outputs, state = tf.nn.dynamic_rnn(
        cell,
        inputs if time_major else tf.transpose(inputs, [1, 0, 2]),
        lengths,
        dtype=tf.float64,
        time_major=time_major,
    )
    steps = [inputs[n] for n in range(STEPS)]
    expected = tf.nn.static_rnn(cell, steps, dtype=tf.float64, sequence_length=lengths)
    run = session(backend)
    fill(cell.variables, run)
    by_time = outputs if time_major else tf.transpose(outputs, [1, 0, 2])
    (actual, last), wanted = run.run([(by_time, state), expected], {inputs: x})
    equal([list(actual), last], wanted)


def test_names_and_shapes() -> None:
    n = tf.placeholder(tf.int32, [None])
    inputs = tf.placeholder(tf.float32, [None, None, DEPTH])
    cell = cells.DropoutWrapper(cells.BasicLSTMCell(UNITS), 0.5)
    outputs, state = tf.nn.dynamic_rnn(cell, inputs, n, dtype=tf.float32, swap_memory=True)
    assert outputs.static_shape == (None, None, UNITS)
    assert isinstance(state, cells.LSTMStateTuple)
    assert state.h.static_shape == (None, UNITS)
    assert [v.op.name for v in tf.global_variables()] == [
        "rnn/basic_lstm_cell/kernel",
        "rnn/basic_lstm_cell/bias",
    ]
    assert all(v.graph is tf.get_default_graph() for v in tf.global_variables())
    fixed, _ = tf.nn.dynamic_rnn(
        cells.GRUCell(UNITS), tf.zeros([2, 5, 1]), dtype=tf.float32, scope="other"
    )
    assert fixed.static_shape == (2, 5, UNITS)
    assert tf.global_variables()[2].op.name == "other/gru_cell/gates/kernel"


@pytest.mark.parametrize("backend", BACKENDS)
def test_lengths_and_batches_differ_from_run_to_run(backend: str) -> None:
    inputs = tf.placeholder(tf.float64, [None, None, DEPTH])
    n = tf.placeholder(tf.int64, [None])
    cell = cells.GRUCell(UNITS)
    outputs, state = tf.nn.dynamic_rnn(cell, inputs, n, dtype=tf.float64)
    run = session(backend)
    for steps, batch in ((4, 3), (1, 3), (7, 1), (0, 2), (3, 0)):
        x, ends = array(batch, steps, DEPTH), np.arange(batch) % (steps + 1)
        values, last = run.run([outputs, state], {inputs: x, n: ends})
        assert values.shape == (batch, steps, UNITS)
        for row, end in enumerate(ends):
            assert np.all(values[row, end:] == 0)
            np.testing.assert_array_equal(last[row], values[row, end - 1] if end else np.zeros(3))


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_both_directions(backend: str, time_major: bool, lengths: Any) -> None:
    forward, backward = cells.BasicLSTMCell(UNITS), cells.GRUCell(2)
    x = tf.constant(array(STEPS, BATCH, DEPTH))
    outputs, states = tf.nn.bidirectional_dynamic_rnn(
        forward,
        backward,
        x if time_major else tf.transpose(x, [1, 0, 2]),
        lengths,
        dtype=tf.float64,
        time_major=time_major,
    )
    assert {v.op.name.rpartition("/")[0] for v in tf.global_variables()} == {
        "bidirectional_rnn/fw/basic_lstm_cell",
        "bidirectional_rnn/bw/gru_cell/gates",
        "bidirectional_rnn/bw/gru_cell/candidate",
    }
    expected, *last = tf.nn.static_bidirectional_rnn(
        forward, backward, tf.unstack(x), dtype=tf.float64, sequence_length=lengths
    )
    by_time = [o if time_major else tf.transpose(o, [1, 0, 2]) for o in outputs]
    run = session(backend)
    fill(tf.global_variables(), run)
    both, ends, wanted, wanted_ends = run.run([tf.concat(by_time, 2), states, expected, last])
    equal([list(both), ends], [wanted, wanted_ends])


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_states_and_outputs_may_be_structures(backend: str) -> None:
    class Sum(cells.RNNCell):
        state_size = (2, {"count": 1})
        output_size = 2

        def call(self, inputs: Any, state: Any) -> Any:
            made = state[0] + inputs["a"] * inputs["b"]
            return {"sum": made, "count": state[1]["count"]}, (
                made,
                {"count": state[1]["count"] + 1.0},
            )

    inputs = {"a": tf.reshape(tf.range(12.0), [2, 3, 2]), "b": tf.ones([2, 3, 2])}
    outputs, state = tf.nn.dynamic_rnn(Sum(), inputs, [2, 3], dtype=tf.float32)
    values, last = session(backend).run([outputs, state])
    assert values["sum"].tolist() == [[[0, 1], [2, 4], [0, 0]], [[6, 7], [14, 16], [24, 27]]]
    assert values["count"][..., 0].tolist() == [[0, 1, 0], [0, 1, 2]]
    assert last[0].tolist() == [[2, 4], [24, 27]]
    assert last[1]["count"].tolist() == [[2], [3]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_initial_state_that_is_fed(backend: str) -> None:
    start = tf.placeholder(tf.float64, [None, UNITS])
    cell, x = cells.BasicRNNCell(UNITS), array(BATCH, STEPS, DEPTH)
    outputs, state = tf.nn.dynamic_rnn(cell, tf.constant(x), initial_state=start)
    inputs = list(tf.unstack(tf.constant(x), axis=1))
    expected = tf.nn.static_rnn(cell, inputs, start)
    (actual, last), wanted = session(backend).run(
        [(outputs, state), expected], {start: array(BATCH, UNITS)}
    )
    equal([list(actual.transpose(1, 0, 2)), last], wanted)


@pytest.mark.parametrize("backend", BACKENDS)
def test_dropout_is_other_in_each_step_unless_it_is_variational(backend: str) -> None:
    class Echo(cells.RNNCell):
        state_size = 1
        output_size = DEPTH

        def call(self, inputs: Any, state: Any) -> Any:
            return inputs, state

    def rows(**arguments: Any) -> Array:
        cell = cells.DropoutWrapper(Echo(), 0.5, seed=1, **arguments)
        outputs, _ = tf.nn.dynamic_rnn(cell, tf.ones([1, 20, DEPTH]), dtype=tf.float32)
        values: Array = session(backend).run(outputs)[0]
        return np.unique(values, axis=0)

    assert len(rows()) > 5
    same = rows(variational_recurrent=True, input_size=DEPTH, dtype=tf.float32)
    assert len(same) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cell_of_the_user_makes_its_variables_in_the_loop(backend: str) -> None:
    class Scaled(cells.RNNCell):
        state_size = 1
        output_size = 1

        def call(self, inputs: Any, state: Any) -> Any:
            ones = tf.ones_initializer()
            regularizer = tf.contrib.layers.l2_regularizer(0.5)
            w = tf.get_variable("w", [1], initializer=ones, regularizer=regularizer)
            return inputs * w, state + w

    cell = Scaled()
    outputs, state = tf.nn.dynamic_rnn(cell, 3.0 * tf.ones([1, 4, 1]), dtype=tf.float32)
    assert [v.op.name for v in cell.variables] == ["rnn/scaled/w"]
    (loss,) = tf.losses.get_regularization_losses()
    run = session(backend)
    run.run(tf.global_variables_initializer())
    values, last, penalty = run.run([outputs, state, loss])
    assert values[0, :, 0].tolist() == [3, 3, 3, 3]
    assert last.tolist() == [[4]]
    assert penalty == 0.25


def test_reuse_of_a_whole_network() -> None:
    x = tf.ones([1, 2, 1])
    first, _ = tf.nn.dynamic_rnn(cells.GRUCell(2), x, dtype=tf.float32)
    with tf.variable_scope("", reuse=True):
        second, _ = tf.nn.dynamic_rnn(cells.GRUCell(2), x, dtype=tf.float32)
    assert len(tf.global_variables()) == 4
    a, b = session().run([first, second])
    np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="rnn/gru_cell/gates/kernel already exists"):
        tf.nn.dynamic_rnn(cells.GRUCell(2), x, dtype=tf.float32)


def test_what_it_cannot_run() -> None:
    def run(inputs: Any, lengths: Any = None, **more: Any) -> Any:
        return tf.nn.dynamic_rnn(cells.BasicLSTMCell(2), inputs, lengths, **more)

    x, kind = tf.zeros([3, 4, 1]), {"dtype": tf.float32}
    wrong: list[tuple[Any, type[Exception], str]] = [
        (lambda: tf.nn.dynamic_rnn(None, x), TypeError, "is not an RNNCell"),
        (lambda: run(x), ValueError, "you must give a dtype"),
        (lambda: run(tf.zeros([3]), **kind), ValueError, "of known rank; they are"),
        (lambda: run(tf.placeholder(tf.float32), **kind), ValueError, "of known rank"),
        (lambda: run(x, [1, 2], **kind), ValueError, "for each of 3 rows"),
        (lambda: run(x, [1.0, 2.0, 3.0], **kind), TypeError, "must be integers"),
        (lambda: run((x, tf.zeros([2, 4, 1])), **kind), ValueError, "different sizes"),
        (lambda: run(x, initial_state=tf.zeros([3, 2])), TypeError, "must be a pair"),
        (lambda: run(tf.zeros([3, 4, 1], tf.float64), **kind), TypeError, "are float64, float32"),
        (lambda: run(tf.zeros([3, 4, 0, 1]), **kind), ValueError, "concat"),
    ]
    for build, error, text in wrong:
        with tf.variable_scope(None, "net"), pytest.raises(error, match=text) as caught:
            build()
        assert "at test_dynamic.py" in str(caught.value)


def networks(make: Any, lengths: Any) -> tuple[Any, Any, Any, Any]:
    """A loop and an unrolled network with one cell: inputs, variables, and a loss of each."""
    cell, inputs = make(), tf.placeholder(tf.float64, [None, None, DEPTH])
    outputs, state = tf.nn.dynamic_rnn(cell, inputs, lengths, dtype=tf.float64, time_major=True)
    steps = [inputs[n] for n in range(STEPS)]
    unrolled = tf.nn.static_rnn(cell, steps, dtype=tf.float64, sequence_length=lengths)
    losses = [
        tf.add_n([tf.reduce_sum(t * t) for t in leaves(made)])
        for made in ((outputs, state), unrolled)
    ]
    return inputs, cell.variables, *losses


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("make", CELLS.values(), ids=list(CELLS))
@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_are_those_of_an_unrolled_network(backend: str, make: Any, lengths: Any) -> None:
    inputs, variables, *losses = networks(make, lengths)
    both = [tf.gradients(loss, [inputs, *variables]) for loss in losses]
    run = session(backend)
    fill(variables, run)
    actual, expected = run.run(both, {inputs: array(STEPS, BATCH, DEPTH)})
    equal(actual, expected)
    if lengths:
        assert np.all(actual[0][2:, 0] == 0)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives_are_those_of_an_unrolled_network(backend: str, lengths: Any) -> None:
    inputs, variables, *losses = networks(CELLS["gru"], lengths)
    both = []
    for loss in losses:
        first: Any = tf.gradients(loss, [inputs, *variables])
        norm = tf.add_n([tf.reduce_sum(g * g) for g in first])
        both.append(tf.gradients(norm, [inputs, *variables]))
    run = session(backend)
    fill(variables, run)
    actual, expected = run.run(both, {inputs: array(STEPS, BATCH, DEPTH)})
    for a, b in zip(actual, expected, strict=True):
        # Values of some hundreds, of sums over 4 steps there and back again, twice.
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_of_both_directions_and_of_initial_states(backend: str) -> None:
    x, start = tf.constant(array(STEPS, BATCH, DEPTH)), tf.constant(array(BATCH, UNITS))
    one, two = cells.BasicRNNCell(UNITS), cells.GRUCell(UNITS)
    made = tf.nn.bidirectional_dynamic_rnn(
        one, two, x, LENGTHS, start, 2.0 * start, time_major=True
    )
    unrolled = tf.nn.static_bidirectional_rnn(
        one, two, tf.unstack(x), start, 2.0 * start, sequence_length=LENGTHS
    )
    losses = [tf.add_n([tf.reduce_sum(t * t) for t in leaves(part)]) for part in (made, unrolled)]
    sources = [x, start, *one.variables, *two.variables]
    run = session(backend)
    fill(tf.global_variables(), run)
    equal(*run.run([tf.gradients(loss, sources) for loss in losses]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_training(backend: str) -> None:
    """A network that counts the ones among its inputs learns to."""
    x = tf.placeholder(tf.float32, [None, None, 1])
    outputs, _ = tf.nn.dynamic_rnn(cells.BasicLSTMCell(8), x, dtype=tf.float32)
    counted = tf.reduce_sum(outputs, 2)
    loss = tf.reduce_mean(tf.squared_difference(counted, tf.cumsum(x[:, :, 0], 1)))
    step = tf.train.AdamOptimizer(0.02).minimize(loss)
    tf.set_random_seed(1)
    rng, run, seen = np.random.default_rng(1), session(backend), []
    for length in [3, 5, 4] * 20:
        batch = rng.integers(0, 2, (16, length, 1))
        seen.append(run.run([loss, step], {x: batch})[0])
    assert np.mean(seen[-3:]) < 0.2 * np.mean(seen[:3])


def test_a_loop_of_steps_trains_it_as_single_steps_do() -> None:
    x = tf.placeholder(tf.float32, [None, 6, 1])
    cell = cells.DropoutWrapper(cells.GRUCell(4), output_keep_prob=0.5, seed=1)
    outputs, _ = tf.nn.dynamic_rnn(cell, x, [3, 6, 5, 1], dtype=tf.float32)
    loss = tf.reduce_mean(tf.squared_difference(outputs, x))
    tf.set_random_seed(1)
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    rows, one, many = np.float32(array(4, 6, 1)), session(), session()
    losses = [one.run([loss, step], {x: rows})[0] for _ in range(8)]
    together, _ = many.run_steps([loss, step], 8, {x: rows})
    np.testing.assert_array_equal(together, losses)
    for a, b in zip(one.run(cell.variables), many.run(cell.variables), strict=True):
        np.testing.assert_array_equal(a, b)
