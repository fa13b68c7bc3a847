"""What a run refuses: an error of Thalweg's own, which names the feed or the fetch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import FeedError, FetchError, ThalwegError

LOOP: list[Any] = []
LOOP.append(LOOP)
DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]

VALUES: list[Any] = [
    np.zeros(2, [("a", "f4")]), np.array([None]), "a", ["a"], [1, [2]], LOOP, DEEP, 10**400,
    [10**400], [1.0, 10**400], {}, object(), lambda: 0, np.array(["2000-01-01"], "M8[D]"), 1j,
    [1j], None, set(), b"x", np.zeros(2, "V4"), np.zeros(2, "S3"), np.zeros((2, 2)), 1.0,
]  # fmt: skip
INTEGERS = [[1.5], [float("nan")], [2**40], [-(2**31) - 1], [float("inf")], np.zeros(2, "V2")]
KEYS: list[Any] = [
    0, None, "x", "pixels", "pixels:1", "pixels:²", "pixels:" + "9" * 5000, "", "nosuch:0", 1.5,
    float("nan"), tf.Variable, (), frozenset(),
]  # fmt: skip
FEEDS: list[Any] = [[1], 3, "abc", {1}, np.zeros(2), True]
FETCHES: list[Any] = [
    0, None, 1.5, "nosuch", "nosuch:0", "pixels:7", "pixels:²", [None], {"a": object()}, LOOP,
    DEEP, tf.Variable, np.zeros(2), {1: 2}, b"x", range(2), "", [(3,)],
]  # fmt: skip


def shown(thing: object) -> str:
    return type(thing).__name__


@pytest.mark.parametrize("value", VALUES, ids=shown)
def test_values_that_are_no_feed(value: Any) -> None:
    x = tf.placeholder(tf.float32, [None], name="pixels")
    with tf.Session() as session, pytest.raises(FeedError, match=r"pixels.*\n.*test_bad_runs.py"):
        session.run(x * 2.0, {x: value})


@pytest.mark.parametrize("value", INTEGERS, ids=shown)
def test_values_that_are_no_integers(value: Any) -> None:
    n = tf.placeholder(tf.int32, [None], name="counts")
    with tf.Session() as session, pytest.raises(FeedError, match="counts"):
        session.run(n * 2, {n: value})


@pytest.mark.parametrize("key", KEYS, ids=shown)
def test_keys_that_stand_for_no_tensor(key: Any) -> None:
    x = tf.placeholder_with_default(tf.zeros([1]), [None], name="pixels")
    with tf.Session() as session, pytest.raises(FeedError, match="feed"):
        session.run(x, {key: [1.0]})


@pytest.mark.parametrize("feeds", FEEDS, ids=shown)
def test_feeds_that_are_no_dict(feeds: Any) -> None:
    x = tf.placeholder(tf.float32, [None])
    with tf.Session() as session:
        for call in (session.run, session.program, session.tune):
            with pytest.raises(FeedError, match="feed_dict must be a dict"):
                call(x, feeds)
        with pytest.raises(FeedError, match="batches must be a dict"):
            session.run_steps(x, 1, batches=feeds)


@pytest.mark.parametrize("fetch", FETCHES, ids=shown)
def test_what_cannot_be_fetched(fetch: Any) -> None:
    tf.placeholder(tf.float32, [None], name="pixels")
    with tf.Session() as session, pytest.raises(FetchError, match="fetch") as caught:
        session.run(fetch)
    assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"steps": 1.5}, "steps"),
        ({"steps": None}, "steps"),
        ({"steps": True}, "steps"),
        ({"steps": 2, "every": "x"}, "every"),
        ({"steps": 2, "batch_size": 1.5}, "batch_size"),
        ({"steps": 2, "batch_size": "a"}, "batch_size"),
        ({"steps": 2, "batch_size": 2**70}, "batch_size"),
        ({"steps": 2, "batch_size": 2, "seed": "a"}, "seed"),
    ],
)
def test_numbers_of_a_loop(arguments: dict[str, Any], named: str) -> None:
    x = tf.placeholder(tf.float32, [None])
    with tf.Session() as session, pytest.raises(ThalwegError, match=named):
        session.run_steps(x * 2.0, batches={x: np.zeros(4)}, **arguments)


def test_what_a_session_is_made_of() -> None:
    with pytest.raises(TypeError, match=r"graph must be a tf.Graph, not 3\n  at test_bad_runs"):
        tf.Session(graph=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"config must be a tf.ConfigProto"):
        tf.Session(config="numpy")  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_no_two_arrays_share_memory(backend: str) -> None:
    x = tf.placeholder(tf.float32, [3])
    variable, constant = tf.Variable(tf.ones([3])), tf.constant([1.0, 2.0, 3.0])
    doubled = x * 2.0
    wanted = [
        x, x, tf.identity(x), tf.reshape(x, [3, 1]), variable, variable, constant, constant,
        tf.identity(constant), doubled, doubled, tf.identity(doubled), [doubled, (doubled, x)],
    ]  # fmt: skip
    fed = np.ones(3, np.float32)
    arrays: list[Any] = [fed]
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        for _ in range(2):
            *made, nested = session.run(wanted, {x: fed})
            arrays += [*made, nested[0], *nested[1]]
            arrays += session.run([x, x, constant], {x: fed})
        arrays += session.run_steps([x, x, constant, doubled, doubled], 2, {x: fed})
        for n, one in enumerate(arrays):
            assert not any(np.shares_memory(one, other) for other in arrays[:n])
            one[...] = 7.0
        np.testing.assert_array_equal(session.run(variable), np.ones(3))
        np.testing.assert_array_equal(session.run(constant), [1.0, 2.0, 3.0])
