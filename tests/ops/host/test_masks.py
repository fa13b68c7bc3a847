"""Where a condition holds, and what a mask selects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf


def test_the_places_of_a_condition(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    places = tf.where(x > 0)
    assert (places.dtype, places.shape.as_list()) == (tf.int64, [None, 2])
    rng = np.random.default_rng(1)
    for rows in (4, 1, 0, 7):
        array = rng.normal(size=(rows, 3)).astype(np.float32)
        np.testing.assert_array_equal(session.run(places, {x: array}), np.argwhere(array > 0))


def test_numbers_hold_unless_they_are_0(session: tf.Session) -> None:
    assert session.run(tf.where([0, 2, 0, -1])).tolist() == [[1], [3]]
    assert session.run(tf.where(True)).shape == (1, 0)
    condition = tf.placeholder(tf.bool)
    for rank in (2, 3):
        fed = np.ones([1] * rank, np.bool_)
        assert session.run(tf.where(condition), {condition: fed}).shape == (1, rank)


def test_where_takes_two_branches_or_none() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="where: give both x and y") as caught:
        tf.where([True], [1.0])
    assert "test_masks.py" in str(caught.value)


CASES: list[tuple[Any, Any, int | None]] = [
    ((None, 2), (None,), None),
    ((4, 2), (4,), 0),
    ((4, None), (None,), 1),
    ((4, 2), (2,), -1),
    ((None, None, 3), (None, None), 0),
    ((4, 2, 3), (2, None), 1),
]


@pytest.mark.filterwarnings("ignore:.*IndexedSlices:UserWarning")  # of rows that are not counted
@pytest.mark.parametrize(("static", "mask_static", "axis"), CASES)
def test_a_mask_selects_slices(
    static: Any, mask_static: Any, axis: int | None, session: tf.Session
) -> None:
    rng = np.random.default_rng(2)
    array = rng.normal(size=[d or (4, 2, 3)[n] for n, d in enumerate(static)]).astype(np.float32)
    at = (axis or 0) % array.ndim
    shape = array.shape[at : at + len(mask_static)]
    x, m = tf.placeholder(tf.float32, static), tf.placeholder(tf.bool, mask_static)
    y = tf.boolean_mask(x, m, axis=axis)
    left = [*static[:at], None, *static[at + len(mask_static) :]]
    assert y.shape.as_list() == left
    slope = tf.convert_to_tensor(tf.gradients(y * y, x)[0])  # that of rows may be slices
    for chance in (0.5, 0.0, 1.0):
        mask = rng.random(shape) < chance
        index: Any = (*[slice(None)] * at, mask)
        found, by_x = session.run([y, slope], {x: array, m: mask})
        np.testing.assert_array_equal(found, array[index])
        expected = np.zeros_like(array)
        expected[index] = 2 * array[index]
        np.testing.assert_array_equal(by_x, expected)


def test_a_mask_as_an_index(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None])
    w = tf.Variable([1.0, 2.0])
    session.run(w.initializer)
    made = [x[x > 1.0], x[np.array([True, False, True])], w[tf.constant([False, True])]]
    found = session.run(made, {x: [1, 2, 3]})
    assert [array.tolist() for array in found] == [[2, 3], [1, 3], [2]]


def test_a_loss_over_what_a_mask_leaves_trains(session: tf.Session) -> None:
    """A boundary in the middle of a training step, with another number of rows in each."""
    rng = np.random.default_rng(3)
    x, t = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32, [None])
    w = tf.Variable(tf.zeros([3, 1]))
    valid = tf.greater_equal(t, 0.0)
    error = tf.boolean_mask(tf.squeeze(tf.matmul(x, w), [1]) - t, valid)
    loss = tf.reduce_mean(tf.square(error))
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    session.run(tf.global_variables_initializer())
    expected = np.zeros(3)
    for rows in (5, 8, 6, 5):
        a = rng.normal(size=(rows, 3)).astype(np.float32)
        b = rng.normal(size=rows).astype(np.float32)
        b[0] = 1.0  # one at least is valid
        session.run(step, {x: a, t: b})
        kept = b >= 0
        expected -= 0.2 * a[kept].T @ (a[kept] @ expected - b[kept]) / kept.sum()
    # some steps of sums of eight float32 terms of size 1
    np.testing.assert_allclose(session.run(w)[:, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("mask", "axis", "text"),
    [
        ([True], 0, r"the tensor is \[2, 3\], the mask \[1\], from axis 0"),
        ([True, True], 1, r"the tensor is \[2, 3\], the mask \[2\], from axis 1"),
        (True, 0, "the mask must have rank 1 or more"),
        ([True], 2, "axis 2 is out of range for rank 2"),
    ],
)
def test_masks_that_do_not_fit(mask: Any, axis: int, text: str) -> None:
    with pytest.raises(ValueError, match=f"boolean_mask: {text}") as caught:
        tf.boolean_mask(tf.zeros([2, 3]), mask, axis=axis)
    assert "test_masks.py" in str(caught.value)
    with pytest.raises(ValueError, match="the ranks of the tensor and the mask must be known"):
        tf.boolean_mask(tf.placeholder(tf.float32), [True])
