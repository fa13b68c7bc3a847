"""Functions of the user's in the middle of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf

Array = np.ndarray[Any, Any]


def test_it_computes_between_native_operations(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.py_func(np.sinh, [x * 2.0], tf.float32) + 1.0
    for size in (3, 5, 0, 3):
        array = np.linspace(-1, 1, size).astype(np.float32)
        np.testing.assert_allclose(session.run(y, {x: array}), np.sinh(array * 2) + 1, rtol=1e-6)


def test_its_shape_is_not_known_until_it_is_said(session: tf.Session) -> None:
    y = tf.py_func(lambda: np.ones((2, 3), np.float32), [], tf.float32)
    assert y.shape.ndims is None
    y.set_shape([2, None])
    total = tf.reduce_sum(y, 1)
    assert total.shape.as_list() == [2]
    assert session.run(total).tolist() == [3, 3]


def test_a_shape_that_it_does_not_keep_is_an_error(session: tf.Session) -> None:
    y = tf.py_func(lambda: np.ones(3, np.float32), [], tf.float32)
    y.set_shape([2])
    with pytest.raises(ValueError, match=r"output 0 has the shape \[3\](.|\n)*test_py_func\.py"):
        session.run(y + 1.0)


def test_it_may_return_several_arrays_or_nothing(session: tf.Session) -> None:
    seen = []
    found = tf.py_func(lambda x: (x, x.size), [tf.constant([1, 2])], [tf.int32, tf.int64])
    nothing = tf.py_func(lambda x: seen.append(int(x)), [tf.constant(7)], [])
    assert isinstance(found, list)
    assert isinstance(nothing, tf.Operation)
    array, size = session.run(found)
    assert (array.tolist(), size, size.dtype) == ([1, 2], 2, np.int64)
    session.run(nothing)
    assert seen == [7]


def test_scalars_come_as_scalars_and_strings_as_bytes(session: tf.Session) -> None:
    seen: list[Any] = []

    def note(*arguments: Any) -> int:
        seen.extend(arguments)
        return 0

    session.run(tf.py_func(note, ["name", 2.5, [["a"]]], tf.int64))
    assert seen[:2] == [b"name", np.float32(2.5)]
    assert isinstance(seen[1], np.float32)
    assert seen[2].tolist() == [[b"a"]]


def test_arguments_and_results_are_its_own(session: tf.Session) -> None:
    kept = np.zeros(2, np.float32)

    def change(x: Array) -> Array:
        x += 1
        kept[:] += 1
        return kept

    x = tf.placeholder(tf.float32, [2])
    first = tf.py_func(change, [x], tf.float32)
    with tf.control_dependencies([first]):
        second = tf.py_func(change, [x], tf.float32)
    array = np.zeros(2, np.float32)
    made = session.run([first, second, x * 1.0], {x: array})
    np.testing.assert_array_equal(made, [[1, 1], [2, 2], [0, 0]])
    assert array.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("returned", "kind", "text"),
    [
        (np.float64(1), tf.float32, "output 0 is float64, where Tout says float32"),
        (1.5, tf.int32, "output 0: 1.5 cannot be converted to int32"),
        ("x", tf.float32, "output 0: 'x' is not a number"),
        ((1, 2), tf.int32, "returned 2 values, where 1 were promised"),
        (None, tf.float32, "output 0: None is not a number"),
        (np.zeros(2, [("a", "f4")]), tf.float32, "is not an element type"),
    ],
)
def test_what_it_returns_must_be_what_was_promised(
    returned: Any, kind: Any, text: str, session: tf.Session
) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        session.run(tf.py_func(lambda: returned, [], kind))
    assert "test_py_func.py" in str(caught.value)


def test_its_errors_have_the_line_and_the_cause(session: tf.Session) -> None:
    def fail(x: Array) -> Array:
        raise KeyError("no such thing")

    y = tf.py_func(fail, [tf.constant(1.0)], tf.float32, name="lookup")
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        session.run(y)
    assert "'lookup' (PyFunc) failed: fail raised KeyError: 'no such thing'" in str(caught.value)
    assert "test_py_func.py" in str(caught.value)
    cause: BaseException | None = caught.value
    while cause is not None and not isinstance(cause, KeyError):
        cause = cause.__cause__
    assert cause is not None


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (StopIteration(), tf.errors.OutOfRangeError),
        (tf.errors.OutOfRangeError("the end"), tf.errors.OutOfRangeError),
        (tf.errors.NotFoundError("no file"), tf.errors.NotFoundError),
    ],
)
def test_errors_of_runs_keep_their_kind(
    raised: Exception, kind: type[Exception], session: tf.Session
) -> None:
    def end() -> int:
        raise raised

    with pytest.raises(kind, match=r"test_py_func\.py"):
        session.run(tf.py_func(end, [], tf.int32))


def test_a_run_that_fails_has_written_nothing(session: tf.Session) -> None:
    def check(x: Array) -> Array:
        if x > 2:
            raise ValueError("too large")
        return x

    w, x = tf.Variable(1.0), tf.placeholder(tf.float32, [])
    updates = [w.assign_add(tf.py_func(check, [x], tf.float32)), tf.Variable(0.0).assign(x)]
    for size, after in ((3.0, 1.0), (2.0, 3.0), (5.0, 3.0)):
        if size > 2:
            with pytest.raises(ValueError, match="too large"):
                session.run(updates, {x: size})
        else:
            session.run(updates, {x: size})
        assert session.run(w) == after


def test_a_function_with_a_state_is_called_each_time(session: tf.Session) -> None:
    count = iter(range(100))
    one, two = (tf.py_func(lambda: next(count), [], tf.int64) for _ in range(2))
    assert sorted(session.run([one, two])) == [0, 1]
    assert sorted(session.run([one, two])) == [2, 3]
    assert session.run(one * 0) == 0
    assert next(count) == 5


def test_one_without_a_state_is_computed_as_constants_are(session: tf.Session) -> None:
    calls = []

    def double(x: Array) -> Array:
        calls.append(x)
        return x * 2

    y = tf.py_func(double, [tf.constant(4)], tf.int32, stateful=False)
    assert [session.run(y + 1) for _ in range(3)] == [9, 9, 9]
    x = tf.placeholder(tf.int32, [])
    z = tf.py_func(double, [x], tf.int32, stateful=False)
    assert [session.run(z, {x: n}) for n in (1, 2)] == [2, 4]


def test_no_gradient_flows_through_it() -> None:
    x = tf.constant(1.0)
    assert tf.gradients(tf.py_func(lambda x: x, [x], tf.float32), x) == [None]


def test_it_may_run_other_sessions_and_this_one_is_not_locked(session: tf.Session) -> None:
    w = tf.Variable(3.0)
    session.run(w.initializer)
    y = tf.py_func(lambda: session.run(w * 2.0), [], tf.float32)
    assert session.run(y + 1.0) == 7.0


def test_a_loop_of_steps_calls_it_in_each(session: tf.Session) -> None:
    w = tf.Variable(0.0)
    step = w.assign_add(tf.py_func(lambda: np.float32(2), [], tf.float32))
    session.run_steps(step, 5)
    assert session.run(w) == 10.0


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ValueError, match="py_func: func must be a function"):
        tf.py_func(1, [], tf.float32)  # type: ignore[arg-type]
