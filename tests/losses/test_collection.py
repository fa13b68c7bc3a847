"""Collections of losses, and their sums."""

from __future__ import annotations

import pytest

import thalweg as tf


def test_sums_of_losses() -> None:
    run = tf.Session().run
    assert run(tf.losses.get_regularization_loss()) == 0
    with pytest.raises(ValueError, match="at least one"):
        tf.losses.get_total_loss()
    with tf.name_scope("a"):
        tf.losses.add_loss(tf.constant(1.0, name="one"))
    tf.losses.add_loss(tf.constant(2.0, name="two"))
    tf.losses.add_loss(tf.constant(9.0), None)
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, tf.constant(4.0, name="four"))
    assert run(tf.losses.get_losses("a")) == [1]
    assert run(tf.losses.get_total_loss()) == 7
    assert run(tf.losses.get_total_loss(add_regularization_losses=False)) == 3
