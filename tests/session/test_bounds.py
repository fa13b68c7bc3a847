"""What a session remembers is bounded, whatever it is asked for."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.native.backend import NativeProgram
from thalweg.backends.reference.backend import ReferenceProgram
from thalweg.base.bounded_dict import BoundedDict
from thalweg.session.entry import Choice, Entry, Request
from thalweg.session.fetches import Fetches

MANY = 2000
KEPT = 50
REMEMBERED = (Choice, Entry, Request, Fetches, NativeProgram, ReferenceProgram)


@pytest.fixture(autouse=True)
def _bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.base.bounded_dict.MAX_ENTRIES", KEPT)
    monkeypatch.setattr("thalweg.session.why_recompiled.MAX_LINES", KEPT)


def tables(session: tf.Session) -> Iterator[dict[Any, Any]]:
    """All that a session finds again."""
    planner, why = session._planner, session._planner.why
    for part in (session._structures, session._feeds, planner, why):
        yield from (table for table in vars(part).values() if isinstance(table, BoundedDict))


def alive() -> int:
    """How many objects there are of those that a session remembers."""
    gc.collect()
    return sum(type(found) in REMEMBERED for found in gc.get_objects())


def check_bounded(session: tf.Session, before: int) -> None:
    kept = [len(table) for table in tables(session)]
    assert max(kept) == KEPT, kept
    # A fetch, a request, a choice, an entry and its program; some are kept by two tables.
    assert alive() - before < 10 * KEPT
    assert len(session.why_recompiled) == KEPT
    assert session.why_recompiled.dropped >= MANY - KEPT
    assert f"{session.why_recompiled.dropped + KEPT} plans" in repr(session)


def test_many_shapes() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = x * 2.0
    before = alive()
    with tf.Session() as session:
        for n in [*range(1, MANY + 1), 1]:
            assert session.run(y, {x: np.ones(n)})[-1] == 2.0
        check_bounded(session, before)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_many_values_that_decide_about_shapes(backend: str) -> None:
    count = tf.placeholder(tf.int32, [])
    x = tf.placeholder(tf.float32, [1])
    repeated = tf.fill([count], 1.0) * x
    before = alive()
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        for n in [*range(1, 5 * KEPT), 1]:
            assert session.run(repeated, {count: n, x: [3.0]}).shape == (n,)
        kept = [len(table) for table in tables(session)]
        assert max(kept) == KEPT
        assert alive() - before < 10 * KEPT


def test_many_fetches() -> None:
    x = tf.placeholder(tf.float32, [2])
    sums = [x + float(n) for n in range(MANY)]
    before = alive()
    with tf.Session(config=tf.ConfigProto(backend="reference")) as session:
        for n, fetched in enumerate(sums):
            assert session.run({"sum": [fetched]}, {x.name: np.ones(2)})["sum"][0][0] == n + 1
        check_bounded(session, before)
