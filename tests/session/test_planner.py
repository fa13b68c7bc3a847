"""Plans are made once and found again."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.state import VariableStore
from thalweg.session.devices import SessionDevices
from thalweg.session.feeds import Feeds
from thalweg.session.fetches import Fetches
from thalweg.session.planner import Planner
from thalweg.session.variables import SessionVariables


def planner() -> Planner:
    devices = SessionDevices(tf.ConfigProto(intra_op_parallelism_threads=1))
    return Planner(devices, SessionVariables(lambda name: "", lambda device: VariableStore()))


def entry(own: Planner, fetches: Any, feed_dict: Any) -> Any:
    graph = tf.get_default_graph()
    fetched, feeds = Fetches(graph, fetches), Feeds(graph).arrays(feed_dict)
    return own.entry(own.chosen(fetched, feeds), feeds)


def test_the_same_request_has_the_same_entry() -> None:
    x = tf.placeholder(tf.float32, [None])
    y, own = x * 2.0, planner()
    first = entry(own, y, {x: np.ones(3)})
    assert entry(own, [y], {x: np.zeros(3)}) is first
    assert len(own.why.lines) == 1


def test_a_plan_serves_other_shapes() -> None:
    x = tf.placeholder(tf.float32, [None])
    y, own = x * 2.0, planner()
    first, second = (entry(own, y, {x: np.ones(n)}) for n in (3, 4))
    assert second.program is not first.program
    assert own.why.lines[1].endswith("[3] -> [4] (the plan holds)")


def test_each_value_that_decides_about_shapes_has_an_entry() -> None:
    count, own = tf.placeholder(tf.int64, []), planner()
    repeated = tf.fill([count], 1.0) * tf.Variable(2.0)
    two, three = (entry(own, repeated, {count: n}) for n in (2, 3))
    assert two is not three
    assert entry(own, repeated, {count: 2}) is two
    assert (two.feeds, two.static) == ((), (count,))


def test_the_plan_for_one_value_serves_others() -> None:
    (x, count), own = (tf.placeholder(tf.int32, [None]), tf.placeholder(tf.int32, [])), planner()
    y = tf.reshape(x, [count, -1]) * 2
    made = [entry(own, y, {x: np.arange(60), count: n}) for n in (5, 6, 10, 15)]
    assert len({id(one.program._compiled) for one in made}) == 1
    assert len(own._planned) == 1


def test_the_plan_that_holds_is_tried_first_and_kept_longest() -> None:
    axes, count = tf.placeholder(tf.int32, [3]), tf.placeholder(tf.int32, [])
    y, own = tf.transpose(tf.ones([count, count + 1, 5]) * 2, axes), planner()
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    made = [entry(own, y, {axes: order, count: 9}) for order in orders]
    again = [entry(own, y, {axes: order, count: n}) for order in orders for n in (7, 8)]
    assert len({id(one.program._compiled) for one in (*made, *again)}) == len(orders)
    entry(own, y, {axes: orders[0], count: 10})
    (planned,) = own._planned.values()
    assert planned[-1] is made[0]


def test_values_without_end_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.base.bounded_dict.MAX_ENTRIES", 10)
    count, own = tf.placeholder(tf.int32, []), planner()
    y = tf.range(count) * 2
    for n in range(3, 60):
        assert entry(own, y, {count: n}).program is not None
    tables: tuple[Sized, ...] = own._recent, own._choices, own._requests, own._entries, own._planned
    assert max(map(len, tables)) <= 10
    assert len(own.why._last) == 1


def test_an_entry_says_which_variables_it_uses() -> None:
    v, w = tf.Variable([1.0], name="v"), tf.Variable([1.0], name="w")
    found = entry(planner(), [v.assign_add(w * 2.0)], {})
    assert (found.needs, found.writes, found.uses) == ({"v", "w"}, {"v"}, {"v", "w"})


def test_what_is_forgotten_is_planned_anew() -> None:
    x = tf.placeholder(tf.float32, [3])
    y, own = x * 2.0, planner()
    first = entry(own, y, {x: np.ones(3)})
    own.forget_plans()
    assert entry(own, y, {x: np.ones(3)}) is not first


def test_a_closed_planner_plans_nothing() -> None:
    x = tf.placeholder(tf.float32, [3])
    own = planner()
    entry(own, x * 2.0, {x: np.ones(3)})
    own.close()
    with pytest.raises(RuntimeError, match="closed"):
        entry(own, x * 2.0, {x: np.ones(3)})
