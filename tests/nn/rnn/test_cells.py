"""Cells against their formulas in NumPy: one step, its gradients, and the names of variables."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array, differences
from tests.nn.rnn.cells import (
    BACKENDS,
    BATCH,
    DEPTH,
    array,
    basic_rnn,
    fill,
    gru,
    lstm,
    session,
)

cells = tf.nn.rnn_cell
UNITS = 5

WITH_ALL: dict[str, Any] = {"use_peepholes": True, "num_proj": 2, "forget_bias": 0.5}
# name, the cell, the cell in NumPy, the shapes of its variables
CASES: list[tuple[str, Callable[[], Any], Any, dict[str, tuple[int, ...]]]] = [
    (
        "basic_rnn_cell",
        lambda: cells.BasicRNNCell(UNITS),
        basic_rnn,
        {"kernel": (9, 5), "bias": (5,)},
    ),
    (
        "gru_cell",
        lambda: cells.GRUCell(UNITS),
        gru,
        {
            "gates/kernel": (9, 10),
            "gates/bias": (10,),
            "candidate/kernel": (9, 5),
            "candidate/bias": (5,),
        },
    ),
    (
        "basic_lstm_cell",
        lambda: cells.BasicLSTMCell(UNITS),
        lstm,
        {"kernel": (9, 20), "bias": (20,)},
    ),
    ("lstm_cell", lambda: cells.LSTMCell(UNITS), lstm, {"kernel": (9, 20), "bias": (20,)}),
    (
        "lstm_cell",
        lambda: cells.LSTMCell(UNITS, cell_clip=0.3, proj_clip=0.2, **WITH_ALL),
        partial(lstm, forget_bias=0.5, cell_clip=0.3, proj_clip=0.2),
        {
            "kernel": (6, 20),
            "bias": (20,),
            "w_f_diag": (5,),
            "w_i_diag": (5,),
            "w_o_diag": (5,),
            "projection/kernel": (5, 2),
        },
    ),
]
each_case = pytest.mark.parametrize(
    ("name", "make", "expected", "shapes"),
    CASES,
    ids=["rnn", "gru", "basic_lstm", "lstm", "lstm_with_all"],
)


def some_state(size: Any) -> Any:
    if isinstance(size, cells.LSTMStateTuple):
        return cells.LSTMStateTuple(array(BATCH, size.c, seed=7), array(BATCH, size.h, seed=8))
    return array(BATCH, size, seed=7)


@each_case
@pytest.mark.parametrize("backend", BACKENDS)
def test_one_step(backend: str, name: str, make: Any, expected: Any, shapes: Any) -> None:
    cell, x = make(), array(BATCH, DEPTH)
    inputs = tf.placeholder(tf.float64, [None, DEPTH])
    state = some_state(cell.state_size)
    made = cell(inputs, tf.convert_to_tensor(state) if isinstance(state, np.ndarray) else state)
    run = session(backend)
    weights = fill(tf.global_variables(), run)
    actual = run.run(made, {inputs: x})
    # Sums of at most 9 products, and functions that are accurate to some epsilons.
    for a, b in zip(leaves(actual), leaves(expected(weights, x, state)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def leaves(structure: Any) -> list[Array]:
    if isinstance(structure, tuple):
        return [leaf for part in structure for leaf in leaves(part)]
    return [structure]


@each_case
def test_variables(name: str, make: Any, expected: Any, shapes: Any) -> None:
    cell = make()
    cell(tf.zeros([BATCH, DEPTH]), cell.zero_state(BATCH, tf.float32))
    found = {v.op.name: v.static_shape for v in tf.global_variables()}
    assert found == {f"{name}/{own}": shape for own, shape in shapes.items()}
    assert cell.variables == cell.trainable_weights == tf.trainable_variables()
    biases = [v for v in cell.variables if v.op.name.endswith("bias")]
    for bias, value in zip(biases, tf.Session().run(biases), strict=True):
        assert np.all(value == (1 if "gates" in bias.op.name else 0))


@each_case
def test_gradients(name: str, make: Any, expected: Any, shapes: Any) -> None:
    cell, x = make(), tf.constant(array(BATCH, DEPTH))
    state = some_state(cell.state_size)
    output, new_state = cell(x, state if isinstance(state, tuple) else tf.constant(state))
    loss = sum(tf.reduce_sum(t * t) for t in leaves((output, new_state)))
    run, names = session(), list(shapes)
    weights = fill(cell.variables, run)
    actual = run.run(tf.gradients(loss, [x, *cell.variables]))

    def function(x: Array, *values: Array) -> Any:
        made = expected(dict(zip(names, values, strict=True)), x, state)
        return sum(np.sum(t * t) for t in leaves(made))

    arrays = [array(BATCH, DEPTH), *(weights[name] for name in names)]
    for number, gradient in enumerate(actual):
        # The differences of a loss of some tens are exact to some 1e-9.
        wanted = differences(function, arrays, number)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: cells.BasicLSTMCell(UNITS, **more),
        lambda **more: cells.LSTMCell(UNITS, num_proj=2, **more),
    ],
)
def test_an_lstms_state_may_be_one_tensor(make: Any) -> None:
    pair, side_by_side = make(), make(state_is_tuple=False, reuse=True)
    size = pair.state_size
    assert side_by_side.state_size == size.c + size.h
    x, state = tf.constant(array(BATCH, DEPTH)), some_state(size)
    output, new_state = pair(x, state)
    other = side_by_side(x, tf.constant(np.hstack(state)))
    assert side_by_side.variables == pair.variables
    (a, b), (c, d) = session().run([(output, tf.concat(list(new_state), 1)), other])
    np.testing.assert_array_equal(a, c)
    np.testing.assert_array_equal(b, d)


def test_arguments_of_cells() -> None:
    relu = cells.BasicRNNCell(2, activation=tf.nn.relu)
    out, _ = relu(tf.constant([[-100.0]]), relu.zero_state(1, tf.float32))
    assert tf.Session().run(out).min() >= 0
    ones = tf.ones_initializer()
    lstm_cell = cells.LSTMCell(2, use_peepholes=True, initializer=ones, name="own")
    lstm_cell(tf.zeros([1, 1]), lstm_cell.zero_state(1, tf.float32))
    assert lstm_cell.variables[0].op.name == "own/kernel"
    values = tf.Session().run(lstm_cell.variables)
    assert [float(v.max()) for v in values] == [1, 0, 1, 1, 1]
    gru_cell = cells.GRUCell(2, kernel_initializer=ones, bias_initializer=tf.zeros_initializer())
    gru_cell(tf.zeros([1, 1]), gru_cell.zero_state(1, tf.float32))
    assert [float(v.max()) for v in tf.Session().run(gru_cell.variables)] == [1, 0, 1, 0]
    wide = cells.BasicRNNCell(2, dtype=tf.float64)
    wide(tf.zeros([1, 1], tf.float64), wide.zero_state(1, tf.float64))
    assert {v.dtype for v in wide.variables} == {tf.float64}


def test_a_cell_keeps_its_variables_and_another_has_its_own() -> None:
    one, two = cells.BasicRNNCell(2), cells.BasicRNNCell(2)
    for cell in (one, one, two):
        cell(tf.zeros([1, 1]), cell.zero_state(1, tf.float32))
    names = [v.op.name for v in tf.global_variables()]
    assert names[:2] == ["basic_rnn_cell/kernel", "basic_rnn_cell/bias"]
    assert names[2:] == ["basic_rnn_cell_1/kernel", "basic_rnn_cell_1/bias"]
    assert (one.scope_name, two.scope_name) == ("basic_rnn_cell", "basic_rnn_cell_1")
    again = cells.BasicRNNCell(2, reuse=True)
    again(tf.zeros([1, 1]), again.zero_state(1, tf.float32), scope="basic_rnn_cell")
    assert again.variables == one.variables


def test_a_cell_of_the_user_that_calls_get_variable() -> None:
    class Scaled(cells.RNNCell):
        @property
        def state_size(self) -> int:
            return 1

        @property
        def output_size(self) -> int:
            return 1

        def call(self, inputs: Any, state: Any) -> Any:
            state = state + inputs * tf.get_variable("w", [], initializer=tf.ones_initializer())
            return state, state

    cell = Scaled()
    outputs, _ = tf.nn.static_rnn(cell, [tf.ones([2, 1])] * 3, dtype=tf.float32)
    assert [v.op.name for v in cell.variables] == ["rnn/scaled/w"]
    assert tf.Session().run(outputs[-1]).tolist() == [[3], [3]]


def test_states_of_zeros() -> None:
    n = tf.placeholder(tf.int32, [])
    cell = cells.LSTMCell(2, num_proj=3)
    made = cell.zero_state(n, tf.float64)
    assert isinstance(made, cells.LSTMStateTuple)
    assert (made.h.static_shape, made.dtype) == ((None, 3), tf.float64)
    assert tf.Session().run(made, {n: 4}).c.shape == (4, 2)
    initial = cell.get_initial_state(tf.zeros([5, 1]))
    assert (initial.c.static_shape, initial.dtype) == ((5, 2), tf.float32)
    with pytest.raises(ValueError, match="give inputs"):
        cell.get_initial_state(batch_size=3)


def test_inputs_and_states_that_do_not_fit() -> None:
    cell = cells.BasicLSTMCell(2)
    state = cell.zero_state(3, tf.float32)
    with pytest.raises(ValueError, match=r"Expected inputs.shape\[-1\] to be known"):
        cell(tf.placeholder(tf.float32, [3, None]), state)
    with pytest.raises(TypeError, match="must be a pair"):
        cell(tf.zeros([3, 1]), state.c)
    other = cells.BasicLSTMCell(2)
    with pytest.raises(ValueError, match=r"concat|Concat") as caught:
        other(tf.zeros([4, 1]), state)
    assert "at test_cells.py" in str(caught.value)
    with pytest.raises(TypeError, match="two element types"):
        _ = cells.LSTMStateTuple(tf.zeros([1]), tf.zeros([1], tf.float64)).dtype
