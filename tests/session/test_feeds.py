"""What a run is fed becomes contiguous arrays of the tensors' types, or an error with a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.session.feeds import Feeds, check_shape, describe, feed_array, missing, rows_array


def feeds() -> Feeds:
    return Feeds(tf.get_default_graph())


def test_keys_are_tensors_or_their_names() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    for key in (x, "x:0"):
        ((tensor, array),) = feeds().arrays({key: [1, 2]}).items()
        assert tensor is x
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, [1, 2])


def test_an_array_that_fits_is_not_copied() -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    value = np.ones((2, 3), np.float32)
    assert feed_array(x, value) is value


def test_an_array_in_another_order_is_copied() -> None:
    x = tf.placeholder(tf.float32, [3, 2])
    value = np.arange(6, dtype=np.float32).reshape(2, 3).T
    array = feed_array(x, value)
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([1.5], "float64 values that int32 cannot hold"),
        ([2**40], "int64 values that int32 cannot hold"),
        ([1j], "complex numbers"),
        (["a"], "which are no numbers"),
        ([[1], [1, 2]], "a list that is no array"),
    ],
    ids=str,
)
def test_values_that_cannot_be_fed(value: Any, problem: str) -> None:
    x = tf.placeholder(tf.int32, name="x")
    with pytest.raises(tf.errors.FeedError, match=problem) as caught:
        feed_array(x, value)
    assert "the placeholder 'x' (int32" in str(caught.value)
    assert f"'x:0' was made at {x.op.source}" in str(caught.value)


def test_a_tensor_is_no_value() -> None:
    x = tf.placeholder(tf.float32)
    with pytest.raises(tf.errors.FeedError, match="feed its value, an array"):
        feed_array(x, tf.constant(1.0))


def test_a_variable_is_no_key() -> None:
    v = tf.Variable(1.0, name="v")
    with pytest.raises(tf.errors.FeedError, match="is a variable and cannot be fed"):
        feeds().arrays({v: 2.0})


@pytest.mark.parametrize(
    ("key", "problem"), [(3, "cannot be a key of feed_dict"), ("y:0", "cannot feed 'y:0'")]
)
def test_keys_that_stand_for_nothing(key: Any, problem: str) -> None:
    with pytest.raises(tf.errors.FeedError, match=problem):
        feeds().arrays({key: 1})


@pytest.mark.parametrize("given", [[1], 3, None], ids=str)
def test_feeds_are_a_dict(given: Any) -> None:
    with pytest.raises(tf.errors.FeedError, match="feed_dict must be a dict"):
        feeds().arrays(given)


def test_rows_of_a_narrower_type_stay_as_they_are() -> None:
    """A byte fits a float, so batches of it are converted; a float64 may lose digits at once."""
    x = tf.placeholder(tf.float32, [None, 2])
    assert rows_array(x, np.ones((4, 2), np.uint8)).dtype == np.uint8
    assert rows_array(x, np.ones((4, 2), np.float64)).dtype == np.float32


def test_a_tensor_is_fed_once() -> None:
    x = tf.placeholder(tf.float32, [None])
    fed = feeds().arrays({x: [1.0]})
    with pytest.raises(tf.errors.FeedError, match="is in both feed_dict and batches"):
        feeds().rows({x: [1.0]}, fed)


def test_shapes_have_the_known_extents() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    check_shape(x, (5, 3))
    check_shape(tf.placeholder(tf.float32), (5, 3))
    for wrong in ((5, 4), (3,), (1, 5, 3)):
        with pytest.raises(tf.errors.FeedError, match="has the shape"):
            check_shape(x, wrong)


def test_messages_call_tensors_by_kind_name_type_and_shape() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    assert describe(x) == "the placeholder 'x' (float32 [?, 3])"
    assert describe(tf.negative(x, name="y")) == "the tensor 'y' (float32 [?, 3])"
    assert str(missing(x)).startswith("the placeholder 'x' (float32 [?, 3]) was not fed\n  it was")


def test_a_key_can_be_a_tuple_of_tensors() -> None:
    """The state of a recurrent cell is fed as a whole."""
    cell = tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.BasicLSTMCell(2) for _ in range(2)])
    state = cell.zero_state(1, tf.float32)
    total = tf.add_n([part for layer in state for part in layer])
    pairs = tuple((np.full([1, 2], n), np.ones([1, 2])) for n in (1, 2))
    with tf.Session() as session:
        np.testing.assert_array_equal(session.run(total, {state: pairs}), [[5, 5]])
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="has 2 tensors, but its value has 1"
        ):
            session.run(total, {state: pairs[:1]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="but its value has ndarray"):
            session.run(total, {state: np.zeros([2, 2, 1, 2])})
