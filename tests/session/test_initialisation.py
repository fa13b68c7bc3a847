"""Initial values of variables, in the order in which they need each other."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tf
from thalweg.graph.keys import GraphKeys


def test_a_variable_is_initialised_after_those_that_its_initial_value_needs() -> None:
    a = tf.Variable([1.0, 2.0], name="a")
    b = tf.Variable(a.initialized_value() * 2.0, name="b")
    c = tf.Variable(b.initialized_value() + a.initialized_value(), name="c")
    session, names = tf.Session(), [v.op.name for v in (a, b, c)]
    assert session.run(c).tolist() == [3, 6]
    assert session._store.initialised == set(names)


def test_what_has_a_value_keeps_it() -> None:
    a = tf.Variable([1.0], name="a")
    b = tf.Variable(a.initialized_value() * 2.0, name="b")
    session = tf.Session()
    a.load([5.0], session)
    assert session.run([a, b]) == [[5.0], [10.0]]


def test_an_initialiser_draws_the_numbers_of_the_run_that_needs_it() -> None:
    v = tf.Variable(tf.random_normal([4], seed=1))
    late, early = tf.Session(), tf.Session()
    constant = tf.constant(0.0)
    for _ in range(3):
        late.run(constant)
        early.run(constant)
    early.run(tf.global_variables_initializer())
    np.testing.assert_array_equal(late.run(v), early.run(v))


def test_a_variable_without_an_initial_value_is_named() -> None:
    v = tf.Variable([1.0], name="v")
    tf.get_default_graph().get_collection_ref(GraphKeys.ALL_VARIABLES).clear()
    with pytest.raises(tf.errors.FailedPreconditionError, match="'v' has no value yet"):
        tf.Session().run(v)
