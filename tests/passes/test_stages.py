"""Where a run is cut, and what crosses the boundaries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

import thalweg as tf
from thalweg.graph import Effects, Op, Operation, Spec, Tensor
from thalweg.passes.place import place
from thalweg.passes.prune import prune
from thalweg.passes.stages import Stages, cut_into_stages


class Distinct(Op):
    """The different elements of a vector: how many, only the run can tell."""

    type: ClassVar[str] = "Distinct"
    effects: ClassVar[Effects] = Effects(host=True)

    def infer(self, x: Spec) -> Spec:
        return Spec((None,), x.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return np.unique(x)


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


def distinct(x: Tensor) -> Tensor:
    return tf.get_default_graph().add(Distinct(), (x,)).outputs[0]


def cut(
    *fetches: Tensor, targets: Sequence[Operation] = (), fed: Sequence[Tensor] = ()
) -> Stages | None:
    ops = prune(fetches, targets, fed)
    return cut_into_stages(ops, place(ops, lambda wish: wish or "CPU"), fetches, targets, fed)


def stages_of(*fetches: Tensor, targets: Sequence[Operation] = ()) -> list[list[str]]:
    """The types of the operations of each stage."""
    made = cut(*fetches, targets=targets)
    assert made
    return [[op.type for op in stage.ops] for stage in made.stages]


def test_a_graph_for_one_device_is_not_cut() -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.reshape(x, [-1, tf.shape(x)[0]])
    assert cut(y, fed=[x]) is None


def test_a_size_that_is_fed_does_not_cut() -> None:
    n = tf.placeholder(tf.int32, [])
    assert cut(tf.zeros([n + 1]), fed=[n]) is None


def test_what_python_runs_stands_between_two_segments() -> None:
    x = tf.placeholder(tf.float32, [None])
    made = cut(distinct(x * 2.0) + 1.0, fed=[x])
    assert made
    assert [stage.is_host for stage in made.stages] == [False, True, False]
    before, host, after = made.stages
    assert (before.feeds, before.tensors) == ((x,), host.feeds)
    assert host.tensors == after.feeds
    assert after.tensors == made.fetches
    assert host.reasons == ("'Distinct' (Distinct) is run by Python",)


def test_operations_side_by_side_share_a_stage() -> None:
    x, y = tf.constant([1.0, 2.0]) * 2.0, tf.constant([3.0]) * 3.0
    assert stages_of(distinct(x), distinct(y))[1:] == [["Distinct", "Distinct"]]


def test_a_computed_size_is_known_by_the_next_segment() -> None:
    x = tf.placeholder(tf.int32, [None])
    longest = tf.reduce_max(x)
    made = cut(tf.range(longest), fed=[x])
    assert made
    assert [stage.tensors for stage in made.stages] == [(longest,), made.fetches]
    assert made.stages[1].reasons == ("'Max:0' decides about the shape of 'range'",)


def test_a_variable_is_read_where_it_is_needed() -> None:
    w = tf.Variable(np.ones(1000, np.float32))
    y = tf.reduce_sum(distinct(w[:3] * 2.0)) * w
    made = cut(y)
    assert made
    assert [t.op.type for t in made.stages[2].feeds] == ["Distinct"]


def test_a_variable_that_is_written_in_between_crosses() -> None:
    """The new value depends on the old one in no way: the two are wanted in a circle."""
    w = tf.Variable(np.ones(3, np.float32))
    new = w.assign(np.zeros(3, np.float32))
    with tf.control_dependencies([new]):
        found = distinct(tf.constant([2.0, 2.0]))
    y = w.op.graph.get_tensor_by_name("Variable/read:0") * tf.reduce_sum(found)
    with tf.Session() as s:
        np.testing.assert_array_equal(s.run(y), [2, 2, 2])


def test_writes_come_after_all_that_may_fail() -> None:
    w = tf.Variable(1.0)
    made = cut(distinct(tf.constant([1.0]) * 2.0), targets=[w.assign(5.0).op])
    assert made
    assert [[op.type for op in s.targets] for s in made.stages] == [[], [], ["Assign"]]


def test_groups_make_no_stage() -> None:
    found = distinct(tf.constant([1.0]))
    with tf.control_dependencies([tf.group(found)]):
        done = tf.group(distinct(tf.constant([2.0])))
    assert cut(targets=[done])
    assert stages_of(targets=[done]) == [["Distinct", "NoOp", "Distinct", "NoOp"]]


def test_a_constant_hands_on_what_it_waits_for() -> None:
    w = tf.Variable(1.0)
    with tf.control_dependencies([distinct(tf.constant([1.0])), w.assign(2.0)]):
        done = tf.constant(3.0)
    with tf.Session() as s:
        assert s.run(done * 2.0) == 6.0
        assert s.run(w) == 2.0
    with tf.Session() as s:
        assert s.run(done) == 3.0
        assert s.run(w) == 2.0
