"""`Print`, in TensorFlow 1's format."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.ops.host.values import summary

CUBE = np.arange(12, dtype=np.int32).reshape(2, 2, 3)


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [
        (np.float32(1 / 3), None, "[0.333333]"),
        (np.float64(-2), None, "[-2]"),
        (np.float32(np.nan), None, "[nan]"),
        (np.bool_(True), None, "[1]"),
        (np.array(b"a\xffb", object), None, r"[a\xffb]"),
        ([1, 2], None, "[1 2]"),
        ([1, 2, 3, 4], None, "[1 2 3...]"),
        ([1, 2, 3, 4], -1, "[1 2 3 4]"),
        ([], None, "[]"),
        ([[1, 2], [3, 4]], None, "[[1 2][3...]...]"),
        ([[1, 2], [3, 4]], 2, "[[1 2]...]"),
        ([[1, 2], [3, 4]], -1, "[[1 2][3 4]]"),
        (CUBE, 7, "[[[0 1 2][3 4 5]][[6...]]...]"),
        (CUBE, 12, "[[[0 1 2][3 4 5]][[6 7 8][9 10 11]]]"),
    ],
)
def test_a_few_elements_stand_for_an_array(value: Any, count: int | None, text: str) -> None:
    assert summary(np.asarray(value), count) == text


def test_it_prints_each_time_that_its_result_is_needed(
    session: tf.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.Print(x * 2.0, [tf.shape(x), x, "done"], "x: ")
    z = y + 1.0
    for size in (2, 4):
        array = np.arange(size, dtype=np.float32)
        np.testing.assert_array_equal(session.run(z, {x: array}), array * 2 + 1)
    session.run(x + 1.0, {x: [1]})
    session.run(z * 0.0, {x: [5]})
    assert capsys.readouterr().err.splitlines() == [
        "x: [2][0 1][done]",
        "x: [4][0 1 2...][done]",
        "x: [1][5][done]",
    ]


def test_it_may_print_a_few_times_only(
    session: tf.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    y = tf.Print(tf.constant(1.0), [[1, 2, 3, 4]], first_n=2, summarize=-1)
    for _ in range(3):
        assert session.run(y) == 1.0
    assert capsys.readouterr().err == "[1 2 3 4]\n" * 2


def test_the_gradient_flows_past_it(session: tf.Session) -> None:
    x = tf.constant([1.0, 2.0])
    by_x, by_data = tf.gradients(tf.Print(x * x, [x * 3.0]), [x, tf.constant(0.0)])
    assert by_data is None
    assert session.run(by_x).tolist() == [2.0, 4.0]


def test_prints_keep_the_order_of_control_dependencies(
    session: tf.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    late = tf.placeholder(tf.float32, [])
    first = tf.Print(late, [], "first")
    with tf.control_dependencies([first]):
        second = tf.Print(tf.constant(0.0), [], "second")
    session.run([second, first], {late: 1.0})
    assert capsys.readouterr().err == "first\nsecond\n"


def test_a_loop_of_steps_prints_in_each(
    session: tf.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    w = tf.Variable(0.0)
    session.run_steps(w.assign_add(tf.Print(1.0, [w], "w: ")), 3)
    assert capsys.readouterr().err == "w: [0]\nw: [1]\nw: [2]\n"
