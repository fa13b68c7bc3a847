"""Checks of numbers, which compiled code makes itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import thalweg as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as made:
        yield made


@pytest.fixture(params=("llvm", "numpy"))
def session(request: pytest.FixtureRequest, graph: tf.Graph) -> Iterator[tf.Session]:
    with tf.Session(graph=graph, config=tf.ConfigProto(backend=request.param)) as made:
        yield made


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(("bad", "kind"), [(np.nan, "NaN"), (np.inf, "Inf"), (-np.inf, "Inf")])
def test_what_is_not_finite_is_an_error(
    bad: float, kind: str, dtype: str, session: tf.Session
) -> None:
    x = tf.placeholder(dtype, [None, 40], name="x")
    y = tf.check_numerics(x, "the input", name="check") * 2.0
    for rows in (3, 2):
        array = np.full((rows, 40), 65504.0 if dtype == "float16" else 3e38)
        assert session.run(y * 0.0, {x: array}).shape == (rows, 40)
        array[1, 37] = bad
        array[1, 38] = np.nan
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            session.run(y, {x: array})
        first, line = str(caught.value).splitlines()
        text = f"the input : Tensor had {kind} values, the first at [1,37]"
        assert first == f"'check' (CheckNumerics) failed: {text}"
        assert line.startswith("  at test_numerics.py:")


def test_nothing_is_written(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None])
    w = tf.Variable(1.0)
    step = w.assign_add(tf.reduce_sum(tf.check_numerics(tf.log(x), "logarithms")))
    session.run(step, {x: np.ones(5)})
    with pytest.raises(ValueError, match=r"logarithms : Tensor had Inf values, the first at \[3\]"):
        session.run(step, {x: [1, 1, 1, 0, -1]})
    assert session.run(w) == 1.0


def test_scalars_and_empty_tensors(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32)
    y = tf.check_numerics(x, "x")
    assert session.run(y, {x: []}).size == 0
    assert session.run(y, {x: 2.0}) == 2.0
    with pytest.raises(ValueError, match="x : Tensor had NaN values\n"):
        session.run(y, {x: np.nan})


def test_gradients_are_checked_too(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [])
    slope = tf.gradients(tf.sqrt(tf.check_numerics(x, "x")), x)[0]
    assert session.run(slope, {x: 4.0}) == 0.25
    with pytest.raises(ValueError, match="the gradient of x : Tensor had Inf values"):
        session.run(slope, {x: 0.0})


def test_every_tensor_is_checked_and_the_first_is_named(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    w = tf.Variable([1.0, 2.0], name="w")
    y = tf.log(x, name="first")
    z = tf.multiply(y, w, name="second")
    loss = tf.reduce_sum(z)
    check = tf.add_check_numerics_ops()
    session.run(w.initializer)
    assert session.run([loss, check], {x: [1, 1]})[0] == 0.0
    with pytest.raises(ValueError, match=r"first:0 : Tensor had Inf values") as caught:
        session.run([loss, check], {x: [1, 0]})
    assert str(caught.value).splitlines()[1].endswith('y = tf.log(x, name="first")')
    with pytest.raises(ValueError, match="x:0 : Tensor had NaN values"):
        session.run([loss, check], {x: [np.nan, 0]})
    session.run(w.assign([np.inf, 0.0]))
    with pytest.raises(ValueError, match=r"w/read:0 : Tensor had Inf values"):
        session.run([loss, check], {x: [1, 1]})


def test_a_graph_without_numbers_needs_no_checks(session: tf.Session) -> None:
    tf.constant([1, 2])
    assert session.run(tf.add_check_numerics_ops()) is None


def test_a_loop_of_steps_names_the_trouble_and_keeps_what_was_before(session: tf.Session) -> None:
    w = tf.Variable(64.0)
    step = w.assign(tf.check_numerics(tf.log(w), "w"))
    with pytest.raises(ValueError, match="w : Tensor had NaN values"):
        session.run_steps(step, 10)
    last = np.float32(64)
    while last > 0:
        last = np.log(last)
    assert session.run(w) == pytest.approx(last, rel=1e-5)


def test_only_floating_point_numbers_can_be_checked() -> None:
    with pytest.raises(TypeError, match=r"check_?numerics: takes floating tensors, not int32"):
        tf.check_numerics(tf.constant(1), "x")
