"""Runs of several stages: values, effects, random numbers, sizes that only the run can tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import FeedError, InvalidArgumentError
from thalweg.graph import Effects, Op, Spec, Tensor
from thalweg.session.config import ConfigProto

BACKENDS = ("native", "reference")


class Positive(Op):
    """The elements above 0, in order; NaN is an error."""

    type: ClassVar[str] = "Positive"
    effects: ClassVar[Effects] = Effects(host=True)

    def infer(self, x: Spec) -> Spec:
        return Spec((None,), x.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        if np.isnan(x).any():
            raise ValueError("there is a NaN")
        return x[x > 0]


class Wrong(Op):
    """A record that says less than the truth about its shape."""

    type: ClassVar[str] = "Wrong"
    effects: ClassVar[Effects] = Effects(host=True)

    def infer(self, x: Spec) -> Spec:
        return Spec((2,), x.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return x


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


def session(backend: str = "native") -> tf.Session:
    return tf.Session(config=ConfigProto(backend=backend))


def emit(record: Op, x: Tensor) -> Tensor:
    return tf.get_default_graph().add(record, (x,)).outputs[0]


def positive(x: Tensor) -> Tensor:
    return emit(Positive(), x)


@pytest.mark.parametrize("backend", BACKENDS)
def test_extents_that_the_run_finds(backend: str) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(tf.square(positive(x - 1.0)))
    with session(backend) as s:
        for count in (1, 7, 0, 3, 300):
            fed = np.arange(count, dtype=np.float32)
            right = (fed[2:] - 1) ** 2
            assert s.run(y, {x: fed}) == right.sum(dtype=np.float32)


def test_a_new_number_of_rows_compiles_nothing() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = positive(x) * 3.0
    with session() as s:
        for count in range(2, 30):
            s.run(y, {x: np.ones(count, np.float32)})
        first, *others = s.why_recompiled
        assert all("the plan holds" in line for line in others[1:]), others
        assert "first run" in first


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_fails_has_written_nothing(backend: str) -> None:
    x, w, v = tf.placeholder(tf.float32, [None]), tf.Variable(1.0), tf.Variable(10.0)
    first = w.assign_add(1.0)
    total = tf.reduce_sum(positive(x))
    second = v.assign_add(total)
    with session(backend) as s:
        with pytest.raises(InvalidArgumentError, match=r"(?s)there is a NaN.*test_staged\.py"):
            s.run([first, second], {x: [1.0, np.nan]})
        assert s.run([w, v]) == [1.0, 10.0]
        s.run([first, second], {x: [1.0, 2.0]})
        assert s.run([w, v]) == [2.0, 13.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_updates_across_a_boundary_take_turns(backend: str) -> None:
    w = tf.Variable(2.0)
    before = w * 1.0
    doubled = w.assign(w * 2.0)
    with tf.control_dependencies([doubled]):
        found = tf.reduce_sum(positive(w.read_value()[None]))
    last = w.assign_add(found)
    with session(backend) as s:
        assert s.run([before, last, found]) == [2.0, 8.0, 4.0]
        assert s.run(w) == 8.0


def test_random_numbers_are_those_of_one_segment() -> None:
    noise = tf.random_normal([5], seed=7)
    together = tf.reduce_sum(noise)
    apart = tf.reduce_sum(positive(tf.reduce_max(noise, keep_dims=True) * 0.0 + 1.0)) * noise
    with session() as s, session() as t:
        for _ in range(3):
            np.testing.assert_array_equal(s.run(noise), t.run([apart, together])[0])


def test_steps_run_stage_by_stage() -> None:
    x, w = tf.placeholder(tf.float32, [2]), tf.Variable(0.0)
    step = w.assign_add(tf.reduce_sum(positive(x)))
    rows = np.array([[1, -1], [2, 3], [-4, 5]], np.float32)
    with session() as s:
        made = s.run_steps(step, 3, batches={x: rows.reshape(-1)}, batch_size=2, shuffle=False)
        np.testing.assert_array_equal(made, [1, 6, 11])
        made = s.run_steps(step, 2, {x: rows[1]}, every=2)
        np.testing.assert_array_equal(made, [21])


def test_steps_with_results_of_different_sizes_are_refused() -> None:
    x = tf.placeholder(tf.float32, [2])
    rows = np.array([1, -1, 2, 3], np.float32)
    with session() as s, pytest.raises(InvalidArgumentError, match="different shapes"):
        s.run_steps(positive(x), 2, batches={x: rows}, batch_size=2, shuffle=False)


def test_a_result_of_another_shape_than_declared_names_the_line() -> None:
    y = emit(Wrong(), tf.constant([1.0, 2.0, 3.0]) * 2.0)
    with session() as s, pytest.raises(InvalidArgumentError, match=r"(?s)shape \[3\].*_staged\.py"):
        s.run(y)


def test_a_placeholder_that_is_not_fed() -> None:
    x = tf.placeholder(tf.float32, [None], "x")
    with session() as s, pytest.raises(FeedError, match="'x'"):
        s.run(positive(x))


def test_results_belong_to_the_caller() -> None:
    x = tf.placeholder(tf.float32, [2])
    y = emit(Wrong(), x)
    fed = np.ones(2, np.float32)
    with session() as s:
        made = s.run(y, {x: fed})
        made[:] = 5
    np.testing.assert_array_equal(fed, [1, 1])


def test_initial_values_may_need_python() -> None:
    w = tf.Variable(tf.reshape(positive(tf.constant([3.0, -1.0])), [1]))
    with session() as s:
        np.testing.assert_array_equal(s.run(w * 2.0), [6.0])


def test_a_boundary_may_be_fed() -> None:
    found = positive(tf.constant([1.0, 2.0]))
    y = found * 2.0
    with session() as s:
        np.testing.assert_array_equal(s.run(y, {found: [5.0]}), [10.0])


def test_threads_run_stages_at_once() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(positive(x * 2.0)) + 1.0
    wrong: list[Any] = []

    def work(s: tf.Session, count: int) -> None:
        for _ in range(50):
            value = s.run(y, {x: np.ones(count, np.float32)})
            if value != 2 * count + 1:
                wrong.append((count, value))

    with session() as s:
        threads = [threading.Thread(target=work, args=(s, n)) for n in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_explain_shows_the_stages() -> None:
    x = tf.placeholder(tf.float32, [None], "x")
    y = positive(x * 2.0) + 1.0
    with session() as s:
        assert "3 stages, not yet run" in str(tf.explain(y, {x: [1.0]}, s))
        s.run(y, {x: [1.0]})
        text = str(tf.explain(y, {x: [1.0]}, s, formulas=True))
    assert "3 stages, 2 kernels" in text
    assert "because 'Positive' (Positive) is run by Python" in text
    assert "makes mul:0 float32[?]" in text
    assert "mul[i] = x[i] * 2" in text


def test_a_variable_that_is_only_fetched_gets_its_initial_value() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable(2.0)
        assert session.run([v, tf.py_func(lambda: np.float32(1), [], tf.float32)]) == [2, 1]
