"""Gradients of graphs: paths, joins, stops and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thalweg.autodiff.gradients import gradients
from thalweg.base.errors import DTypeError, GradientError, ShapeError
from thalweg.graph import Tensor, default_graph
from thalweg.ops.arrays.create import constant, placeholder
from thalweg.ops.arrays.reshape import stop_gradient
from thalweg.ops.elementwise import math as m
from thalweg.ops.reduction import reduce as r
from thalweg.ops.state.variable import Variable
from thalweg.session.config import ConfigProto
from thalweg.session.session import Session


def value(tensor: Tensor | None, feeds: Any = None) -> Any:
    assert tensor is not None
    return Session(config=ConfigProto(backend="numpy")).run(tensor, feeds).tolist()


def test_paths_that_join_are_summed() -> None:
    x = constant([1.0, 2.0, 3.0])
    y = x * x + m.square(x) * 2 + x
    assert value(gradients(y, x)[0]) == [7, 13, 19]


def test_broadcast_operands_get_sums() -> None:
    x, b = placeholder("float32", [None, 2]), Variable([1.0, 2.0])
    by_b, by_x = gradients(x * b, [b, x])
    feeds = {x: [[1, 2], [3, 4], [5, 6]]}
    assert value(by_b, feeds) == [9, 12]
    assert value(by_x, feeds) == [[1, 2]] * 3


def test_unconnected_is_none_and_itself_is_one() -> None:
    x, z = constant([1.0, 2.0]), constant(3.0)
    y = x * 2
    by_x, by_z, by_y = gradients(y, [x, z, y])
    assert by_z is None
    assert value(by_x) == [2, 2]
    assert value(by_y) == [1, 1]


def test_several_ys_and_their_gradients() -> None:
    x = constant([1.0, 2.0])
    assert value(gradients([x * 2, x * 3], x)[0]) == [5, 5]
    assert value(gradients([x * 2, x * 3], x, [[1.0, 10.0], None])[0]) == [5, 23]
    with pytest.raises(ShapeError, match="grad_ys"):
        gradients(x * 2, x, [1.0])


def test_stops() -> None:
    x = constant([1.0, 2.0])
    middle = x * x
    y = middle * x
    assert value(gradients(y, x, stop_gradients=[middle])[0]) == [1, 4]
    assert gradients(stop_gradient(x) * 2, x) == [None]


def test_through_an_x_to_another() -> None:
    x = constant(3.0)
    y = x * x
    z = y * y
    by_x, by_y = gradients(z, [x, y])
    assert (value(by_x), value(by_y)) == (108, 18)


def test_second_derivative() -> None:
    x = constant([2.0])
    (first,) = gradients(x * x * x, x)
    assert value(gradients(first, x)[0]) == [12]


def test_all_reads_of_a_variable_count() -> None:
    w = Variable([1.0, 2.0])
    y = w * w.read_value()
    assert value(gradients(y, w)[0]) == [2, 4]
    assert len([op for op in default_graph().operations if op.type == "ReadVariable"]) == 2


def test_integers_have_no_gradients() -> None:
    x = constant([1, 2])
    with pytest.raises(DTypeError, match=r"is int32.*\n.*test_gradients\.py"):
        gradients(x * 2, x)


def test_ops_without_gradient_are_named() -> None:
    w = Variable([1.0, 2.0], name="w")
    x = constant([1.0, 2.0])
    new = w.assign(x * 2)
    with pytest.raises(GradientError) as caught:
        gradients(r.reduce_sum(new), x)
    message = str(caught.value)
    assert "'Assign' (Assign)" in message
    assert "'Sum:0'" in message
    assert "test_gradients.py" in message


def test_names_and_lines_of_what_is_added() -> None:
    x = constant([1.0, 2.0])
    y = m.exp(x)
    (by_x,) = gradients(y, x)
    assert by_x is not None
    assert by_x.op.name.startswith("gradients/Exp_grad/")
    assert by_x.op.source == y.op.source


def test_against_central_differences() -> None:
    x = placeholder("float64", [None, 3])
    y = r.reduce_sum(m.tanh(x) * m.exp(x) / (m.square(x) + 1.0), 1)
    loss = r.reduce_mean(m.log(y + 10.0))
    (by_x,) = gradients(loss, x)
    at, step = np.random.default_rng(1).normal(size=(4, 3)), 1e-5
    got = np.array(value(by_x, {x: at}))
    for place in np.ndindex(at.shape):
        delta = np.zeros_like(at)
        delta[place] = step
        slope = (value(loss, {x: at + delta}) - value(loss, {x: at - delta})) / (2 * step)
        assert got[place] == pytest.approx(slope, abs=1e-8)


# -- sources that are stopped


def test_a_stopped_source_has_a_partial_derivative() -> None:
    a = placeholder("float32", [])
    b = a * 2
    c = b * a
    partial = gradients(a + b * 3 + c, [a, b, c], stop_gradients=[a, b, c])
    assert [value(g, {a: 3.0}) for g in partial] == [1, 3, 1]
    partial = gradients(a + b * 3 + c, [a, b, c], stop_gradients=[b])
    assert [value(g, {a: 3.0}) for g in partial] == [7, 6, 1]


def test_a_stopped_target_is_its_own_source() -> None:
    a = placeholder("float32", [])
    b = a * 2
    by_b, by_a = gradients(b, [b, a], stop_gradients=[b])
    assert value(by_b, {a: 3.0}) == 1
    assert by_a is None


def test_what_is_behind_a_stop_alone_has_no_gradient() -> None:
    a, v = placeholder("float32", []), Variable(2.0)
    b = m.exp(v * a)
    found = gradients(b * v, [a, v, b], stop_gradients=[b])
    assert found[0] is None
    assert value(found[1], {a: 0.0}) == 1
    assert value(found[2], {a: 0.0}) == 2


def test_the_gradient_of_a_sign_is_zero_as_in_tensorflow() -> None:
    x = constant([-1.0, 0.0, 2.0])
    assert value(gradients(m.sign(x), x)[0]) == [0, 0, 0]
    assert gradients(m.floor(x), x)[0] is None


def test_there_are_as_many_starts_as_targets() -> None:
    x = placeholder("float32", [3])
    with pytest.raises(ValueError, match=r"1 ys and 3 grad_ys\n  at .*test_gradients\.py"):
        gradients(x * 2, x, [1.0, 2.0, 3.0])
