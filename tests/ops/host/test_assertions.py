"""`Assert` and its relatives: what they say, and that nothing is written when they fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf


def test_an_assertion_that_holds_lets_the_run_go_on(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None])
    with tf.control_dependencies([tf.Assert(tf.reduce_all(x > 0), ["x is", x])]):
        y = tf.log(x)
    for size in (2, 3):
        np.testing.assert_array_equal(session.run(y, {x: np.ones(size)}), np.zeros(size))


def test_an_assertion_that_fails_shows_the_data_and_the_line(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None])
    check = tf.Assert(tf.reduce_all(x > 0), ["x is", x, tf.shape(x)], name="check")
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        session.run(check, {x: [1, 2.5, -3, 4]})
    first, line = str(caught.value).splitlines()
    assert first == "'check' (Assert) failed: assertion failed: [x is] [1 2.5 -3...] [4]"
    assert line.startswith("  at test_assertions.py:")


@pytest.mark.parametrize(("summarize", "text"), [(None, "[1 2 3...]"), (2, "[1 2...]"), (-1, "4]")])
def test_how_much_is_shown(summarize: int | None, text: str, session: tf.Session) -> None:
    check = tf.Assert(tf.equal(tf.reduce_sum([1, 2]), 4), [[1, 2, 3, 4]], summarize)
    with pytest.raises(ValueError, match="assertion failed") as caught:
        session.run(check)
    assert f"{text}\n" in str(caught.value)


def test_what_waits_for_an_assertion_is_not_computed(session: tf.Session) -> None:
    called: list[int] = []
    with tf.control_dependencies([tf.assert_positive(tf.placeholder(tf.float32, [], name="x"))]):
        y = tf.py_func(lambda: called.append(1), [], [])
    with pytest.raises(ValueError, match="x > 0 did not hold"):
        session.run(y, {"x:0": -1.0})
    assert not called
    session.run(y, {"x:0": 1.0})
    assert called


def test_a_run_that_fails_has_written_nothing(session: tf.Session) -> None:
    """Whether or not the writes wait for the assertion."""
    x = tf.placeholder(tf.float32, [])
    v, w = tf.Variable(1.0), tf.Variable(2.0)
    check = tf.assert_less(x, 10.0)
    with tf.control_dependencies([check]):
        waits = v.assign_add(x)
    free = w.assign_add(x)
    for fetches in ([waits, free], [free, check], [free, waits, check]):
        before = session.run([v, w])
        with pytest.raises(ValueError, match="x < y did not hold"):
            session.run(fetches, {x: 10.0})
        assert session.run([v, w]) == before
        session.run(fetches, {x: 1.0})
    assert session.run([v, w]) == [3.0, 5.0]


def test_a_loop_of_steps_ends_before_the_step_that_fails(session: tf.Session) -> None:
    w = tf.Variable(0.0)
    with tf.control_dependencies([tf.assert_less(w, 3.0)]):
        step = w.assign_add(1.0)
    with pytest.raises(ValueError, match="did not hold"):
        session.run_steps(step, 10)
    assert session.run(w) == 3.0


X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
PAIRS: list[tuple[Callable[..., Any], Any, Any]] = [
    (tf.assert_equal, X, X * 2),
    (tf.assert_less, X + 1, [2.0, 3.0]),
    (tf.assert_less_equal, X, X - [[0, 0], [0, 1]]),
    (tf.assert_greater, 0.0, X),
    (tf.assert_greater_equal, X, 2.0),
]


@pytest.mark.parametrize(("function", "good", "bad"), PAIRS)
def test_comparisons(
    function: Callable[..., Any], good: Any, bad: Any, session: tf.Session
) -> None:
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    check = function(x, y, message="they differ")
    session.run(check, {x: X, y: good})
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        session.run(check, {x: X, y: bad})
    assert "assertion failed: [they differ] [Condition x " in str(caught.value)
    assert "did not hold element-wise:]" in str(caught.value)
    assert "[[1 2][3...]...]" in str(caught.value)


SIGNS: list[tuple[Callable[..., Any], list[float], list[float]]] = [
    (tf.assert_positive, [1, 2], [1, 0]),
    (tf.assert_negative, [-1, -2], [-1, 0]),
    (tf.assert_non_negative, [1, 0], [1, -1]),
    (tf.assert_non_positive, [-1, 0], [-1, 1]),
]


@pytest.mark.parametrize("dtype", [tf.float32, tf.int64])
@pytest.mark.parametrize(("function", "good", "bad"), SIGNS)
def test_signs(
    function: Callable[..., Any], good: Any, bad: Any, dtype: Any, session: tf.Session
) -> None:
    x = tf.placeholder(dtype, [None])
    check = function(x)
    for _ in range(2):
        session.run(check, {x: good})
        with pytest.raises(ValueError, match=r"Condition x \S+ 0 did not hold"):
            session.run(check, {x: bad})
    session.run(check, {x: []})


def test_what_can_never_hold_is_an_error_at_once() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.assert_equal(tf.constant([1, 2]), [1, 3], message="sizes")
    first, line, *_ = str(caught.value).splitlines()
    assert first == (
        "assert_equal: sizes Condition x == y did not hold element-wise: x is [1 2], y is [1 3]"
    )
    assert line.startswith("  at test_assertions.py:")
    with pytest.raises(ValueError, match="x < 0 did not hold"):
        tf.assert_negative(1.0)


def test_strings_are_compared(session: tf.Session) -> None:
    x = tf.placeholder(tf.string, [None])
    check = tf.assert_equal(x, ["a", "b"])
    session.run(check, {x: ["a", "b"]})
    with pytest.raises(ValueError, match=r"\[a c\]"):
        session.run(check, {x: ["a", "c"]})


def test_ranks(session: tf.Session) -> None:
    known, unknown = tf.zeros([2, 3]), tf.placeholder(tf.float32)
    session.run([tf.assert_rank(known, 2), tf.assert_rank_at_least(known, 1)])
    with pytest.raises(ValueError, match=r"x must have rank 3, but it is \[2, 3\]") as caught:
        tf.assert_rank(known, 3)
    assert "test_assertions.py" in str(caught.value)
    with pytest.raises(ValueError, match="wide: x must have at least rank 3") as caught:
        tf.assert_rank_at_least(known, 3, message="wide:")
    exact, least = tf.assert_rank(unknown, 2), tf.assert_rank_at_least(unknown, 2)
    session.run([exact, least], {unknown: np.zeros((2, 2))})
    session.run(least, {unknown: np.zeros((2, 2, 2))})
    with pytest.raises(ValueError, match=r"must have rank\] \[2\] \[Received rank:\] \[3\]"):
        session.run(exact, {unknown: np.zeros((2, 2, 2))})


def test_data_of_the_user_s_own_are_shown(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [])
    with pytest.raises(ValueError, match=r"assertion failed: \[learning rate\] \[2\]"):
        session.run(tf.assert_less(x, 1.0, data=["learning rate", x]), {x: 2.0})


def test_the_condition_must_be_a_truth_value() -> None:
    with pytest.raises(TypeError, match="Assert: "):
        tf.Assert(tf.constant(1.0), [])
    with pytest.raises(ValueError, match=r"the condition must be a scalar, but it is \[2\]"):
        tf.Assert([True, False], [])
