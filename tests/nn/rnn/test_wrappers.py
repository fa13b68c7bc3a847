"""Cells around cells: stacks, dropout, residual connections, devices and projections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array
from tests.nn.rnn.cells import BATCH, DEPTH, array, basic_rnn, fill, lstm, session

cells, rnn = tf.nn.rnn_cell, tf.contrib.rnn


class Echo(cells.RNNCell):
    """Puts out its inputs, and counts steps in its state."""

    @property
    def state_size(self) -> Any:
        return {"count": 2, "pair": cells.LSTMStateTuple(2, 3)}

    @property
    def output_size(self) -> int:
        return DEPTH

    def call(self, inputs: Any, state: Any) -> Any:
        pair = cells.LSTMStateTuple(state["pair"].c + 1.0, state["pair"].h + 1.0)
        return inputs, {"count": state["count"] + 1.0, "pair": pair}


def names() -> list[str]:
    return [v.op.name for v in tf.global_variables()]


# -- stacks


def test_a_stack() -> None:
    cell = cells.MultiRNNCell([cells.BasicLSTMCell(5), cells.BasicRNNCell(2)])
    x, h = array(BATCH, DEPTH), array(BATCH, 2)
    pair = cells.LSTMStateTuple(array(BATCH, 5), array(BATCH, 5, seed=1))
    made = cell(tf.constant(x), (pair, tf.constant(h)))
    run = session()
    w = fill(cell.variables, run)
    output, (new_pair, new_h) = run.run(made)
    assert set(w) == {"kernel", "bias"}  # of the two cells: the second one's are the last
    first, second = cell.variables[:2], cell.variables[2:]
    low, after = lstm(dict(zip(("kernel", "bias"), run.run(first), strict=True)), x, pair)
    high, _ = basic_rnn(dict(zip(("kernel", "bias"), run.run(second), strict=True)), low, h)
    # Sums of at most 9 products.
    np.testing.assert_allclose(output, high, rtol=1e-13)
    np.testing.assert_allclose(new_pair, after, rtol=1e-13)
    np.testing.assert_array_equal(new_h, output)
    assert names() == [
        "multi_rnn_cell/cell_0/basic_lstm_cell/kernel",
        "multi_rnn_cell/cell_0/basic_lstm_cell/bias",
        "multi_rnn_cell/cell_1/basic_rnn_cell/kernel",
        "multi_rnn_cell/cell_1/basic_rnn_cell/bias",
    ]
    assert cell.state_size == ((5, 5), 2)
    assert cell.output_size == 2


def test_the_state_of_a_stack_may_be_one_tensor() -> None:
    parts = [cells.BasicRNNCell(2), cells.BasicRNNCell(3)]
    one, several = cells.MultiRNNCell(parts, state_is_tuple=False), cells.MultiRNNCell(parts)
    x, state = tf.constant(array(BATCH, DEPTH)), tf.constant(array(BATCH, 5))
    a, together = one(x, state)
    b, (first, second) = several(x, (state[:, :2], state[:, 2:]))
    assert one.state_size == 5
    assert one.zero_state(BATCH, tf.float32).static_shape == (BATCH, 5)
    a_, b_, c_, d_ = session().run([a, b, together, tf.concat([first, second], 1)])
    np.testing.assert_array_equal(a_, b_)
    np.testing.assert_array_equal(c_, d_)


def test_stacks_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least one cell"):
        cells.MultiRNNCell([])
    with pytest.raises(TypeError, match="must be a list or tuple"):
        cells.MultiRNNCell(cells.BasicRNNCell(2))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is not an RNNCell"):
        cells.MultiRNNCell([tf.identity])
    with pytest.raises(ValueError, match="state_is_tuple is not set"):
        cells.MultiRNNCell([cells.BasicLSTMCell(2)], state_is_tuple=False)
    cell = cells.MultiRNNCell([cells.BasicRNNCell(2)])
    with pytest.raises(ValueError, match="tuple of length 1, but received") as caught:
        cell(tf.zeros([1, 1]), tf.zeros([1, 2]))
    assert "at test_wrappers.py" in str(caught.value)


# -- dropout


def test_dropout_of_inputs_and_outputs() -> None:
    x = tf.ones([100, DEPTH])
    for arguments in ({"input_keep_prob": 0.5}, {"output_keep_prob": tf.constant(0.5)}):
        cell = cells.DropoutWrapper(Echo(), seed=1, **arguments)
        output, state = cell(x, cell.zero_state(100, tf.float32))
        run = tf.Session()
        first, after = run.run([output, state])
        assert set(np.unique(first)) == {0, 2}
        assert 150 < (first == 0).sum() < 250
        assert (run.run(output) != first).any()
        assert after["pair"].h.min() == after["count"].min() == 1


def test_dropout_leaves_the_memory_alone() -> None:
    cell = cells.DropoutWrapper(Echo(), state_keep_prob=0.5, seed=1)
    _, state = cell(tf.ones([100, DEPTH]), cell.zero_state(100, tf.float32))
    after = tf.Session().run(state)
    assert set(np.unique(after["pair"].h)) == set(np.unique(after["count"])) == {0, 2}
    assert np.all(after["pair"].c == 1)
    assert (after["pair"].h[:, :2] != after["count"]).any()


def test_a_filter_says_what_of_the_state_dropout_may_change() -> None:
    def only_count(state: Any) -> Any:
        return {"count": True, "pair": cells.LSTMStateTuple(False, False)}

    cell = cells.DropoutWrapper(
        Echo(), state_keep_prob=0.5, seed=1, dropout_state_filter_visitor=only_count
    )
    _, state = cell(tf.ones([100, DEPTH]), cell.zero_state(100, tf.float32))
    after = tf.Session().run(state)
    assert np.all(after["pair"].h == 1)
    assert set(np.unique(after["count"])) == {0, 2}


def test_variational_dropout_drops_the_same_in_all_steps_and_rows() -> None:
    cell = cells.DropoutWrapper(
        Echo(), 0.5, 0.9, variational_recurrent=True, input_size=DEPTH, dtype=tf.float32, seed=3
    )
    outputs, _ = tf.nn.static_rnn(cell, [tf.ones([3, DEPTH])] * 4, dtype=tf.float32)
    run = tf.Session()
    runs = [run.run(outputs) for _ in range(8)]
    for values in runs:
        assert all(np.array_equal(value, values[0]) for value in values)
        assert np.all(values[0] == values[0][0])
    assert len({values[0].tobytes() for values in runs}) > 1


def test_dropout_with_a_seed_is_the_same_in_all_backends() -> None:
    cell = cells.DropoutWrapper(Echo(), 0.5, 0.5, seed=1)
    output, _ = cell(tf.ones([3, DEPTH]), cell.zero_state(3, tf.float32))
    values = [session(backend).run(output) for backend in ("numpy", "llvm")]
    np.testing.assert_array_equal(*values)


def test_dropout_without_probabilities_adds_nothing() -> None:
    cell, x = cells.DropoutWrapper(Echo()), tf.ones([1, DEPTH])
    assert cell(x, cell.zero_state(1, tf.float32))[0] is x


def test_dropout_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"output_keep_prob must be between 0 and 1: 1\.5"):
        cells.DropoutWrapper(Echo(), output_keep_prob=1.5)
    with pytest.raises(ValueError, match="dtype must be provided"):
        cells.DropoutWrapper(Echo(), 0.5, variational_recurrent=True)
    with pytest.raises(ValueError, match="input_size must be provided"):
        cells.DropoutWrapper(Echo(), 0.5, variational_recurrent=True, dtype=tf.float32)
    with pytest.raises(TypeError, match="is not an RNNCell") as caught:
        cells.DropoutWrapper(None)
    assert "at test_wrappers.py" in str(caught.value)


# -- the others


def test_wrapped_cells_keep_the_names_of_their_variables() -> None:
    def wrapped() -> Any:
        return cells.DropoutWrapper(cells.ResidualWrapper(cells.GRUCell(DEPTH)), 0.5)

    tf.nn.static_rnn(wrapped(), [tf.zeros([2, DEPTH])] * 2, dtype=tf.float32)
    inside = [
        "rnn/gru_cell/gates/kernel",
        "rnn/gru_cell/gates/bias",
        "rnn/gru_cell/candidate/kernel",
        "rnn/gru_cell/candidate/bias",
    ]
    assert names() == inside
    cell = wrapped()
    tf.nn.static_rnn(cell, [tf.zeros([2, DEPTH])], dtype=tf.float32, scope="other")
    assert [v.op.name for v in cell.variables] == [n.replace("rnn/", "other/") for n in inside]


def test_residual_connections() -> None:
    x, state = tf.constant(array(2, DEPTH)), Echo().zero_state(2, tf.float64)
    twice = cells.ResidualWrapper(Echo())(x, state)[0]
    product = cells.ResidualWrapper(Echo(), lambda inputs, output: inputs * output)(x, state)[0]
    a, b = session().run([twice, product])
    np.testing.assert_array_equal(a, 2 * array(2, DEPTH))
    np.testing.assert_array_equal(b, array(2, DEPTH) ** 2)
    narrow = cells.ResidualWrapper(cells.BasicRNNCell(2))
    with pytest.raises(ValueError, match=r"\[2, 4\].*\[2, 2\]|not compatible"):
        narrow(x, narrow.zero_state(2, tf.float64))


def test_devices() -> None:
    cell = cells.DeviceWrapper(cells.BasicRNNCell(2), "/cpu:0")
    output, _ = cell(tf.zeros([1, 1]), cell.zero_state(1, tf.float32))
    assert output.device == cell.variables[0].device != ""
    assert cell.wrapped_cell.variables == cell.variables


def test_projections() -> None:
    inside = cells.BasicRNNCell(5)
    outer = rnn.OutputProjectionWrapper(inside, 2, activation=tf.nn.relu)
    inner = rnn.InputProjectionWrapper(cells.BasicRNNCell(3), 7)
    x = array(BATCH, DEPTH)
    made, h = outer(tf.constant(x), tf.zeros([BATCH, 5], tf.float64))
    other, _ = inner(tf.constant(x), tf.zeros([BATCH, 3], tf.float64))
    kernel, bias = (v for v in outer.variables if v not in inside.variables)
    values: list[Array] = session().run([made, h, kernel, bias])
    expected = np.maximum(values[1] @ values[2] + values[3], 0)
    np.testing.assert_allclose(values[0], expected, rtol=1e-13, atol=1e-14)  # 5 products
    assert (outer.output_size, outer.state_size) == (2, 5)
    assert (inner.output_size, inner.state_size) == (3, 3)
    assert other.static_shape == (BATCH, 3)
    assert sorted(names()) == sorted(
        f"{scope}/{own}"
        for scope in ("output_projection_wrapper", "input_projection_wrapper")
        for own in ("kernel", "bias", "basic_rnn_cell/kernel", "basic_rnn_cell/bias")
    )
