"""Which variables have a value."""

from __future__ import annotations

import pytest

import thalweg as tf


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_variables_without_a_value_are_reported(backend: str) -> None:
    with tf.Graph().as_default():
        v, w = tf.Variable(1.0, name="v"), tf.Variable([2.0], name="w")
        report = tf.report_uninitialized_variables()
        asked = [tf.is_variable_initialized(x) for x in (v, w)]
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            assert list(session.run(report)) == [b"v", b"w"]
            assert session.run([*asked, w.assign([3.0])])[:2] == [False, False]
            assert session.run(asked) == [False, True]
            session.run(tf.global_variables_initializer())
            assert session.run([report.op, tf.size(report)]) == [None, 0]
            assert session.run(asked) == [True, True]


def test_a_list_of_variables_may_be_empty() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        assert session.run(tf.report_uninitialized_variables()).shape == (0,)


def test_only_variables_have_values_of_their_own() -> None:
    with pytest.raises(TypeError, match="is not a variable"):
        tf.is_variable_initialized(tf.constant(1.0))
