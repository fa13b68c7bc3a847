"""What a session gives and takes, so that another can go on."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tf
from thalweg.session.batches import RowOrder
from thalweg.session.progress import LoopPosition, Progress


def test_values_are_of_one_moment_and_read_only() -> None:
    v, w = tf.Variable([1.0, 2.0]), tf.Variable(3.0)
    with tf.Session() as session, session.reading([v, w]) as now:
        assert now.values["Variable"].tolist() == [1, 2]  # initialised for it
        assert now.values["Variable_1"] == 3
        assert now.progress == Progress(0)
        with pytest.raises(ValueError, match="read-only"):
            now.values["Variable"][0] = 5


def test_all_values_are_set_or_none() -> None:
    v, w = tf.Variable([1.0, 2.0]), tf.Variable(3.0)
    with tf.Session() as session:
        session.restore({v: [5.0, 6.0], w: 7})
        with pytest.raises(tf.errors.FeedError, match=r"has the shape \[3\]"):
            session.restore({w: 0, v: [1.0, 2.0, 3.0]}, Progress(9))
        assert session.run([v, w])[1] == 7
        assert session.progress.runs == 1
        session.restore({}, Progress(9))
        assert session.progress == Progress(9)


def test_loops_tell_where_they_are() -> None:
    x = tf.placeholder(tf.int32, [None])
    seen: list[LoopPosition | None] = []
    with tf.Session() as session:

        def inner(*_: object) -> None:
            seen.append(session.progress.loop)
            nested = lambda *_: seen.append(session.progress.loop)  # noqa: E731
            session.run_steps(x, 1, batches={x: [1]}, batch_size=1, every=1, callback=nested)
            seen.append(session.progress.loop)

        session.run_steps(x, 4, batches={x: np.arange(9)}, batch_size=3, every=4, callback=inner)
        assert session.progress.loop is None
    outer, within, after = seen
    assert outer == after == LoopPosition(0, 4, 9, 3, True)
    assert within is not None
    assert (within.rows, within.batches) == (1, 1)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 20])
def test_rows_are_skipped_as_if_they_were_taken(count: int) -> None:
    taken, skipped = (RowOrder(7, np.random.default_rng(1)) for _ in range(2))
    taken.take(count)
    skipped.skip(count)
    np.testing.assert_array_equal(taken.take(10), skipped.take(10))
