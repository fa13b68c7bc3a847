"""Parts of tensors whose extents are 0, 1 or a few, with every sort of bounds, and gradients."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import thalweg as tf

Array = np.ndarray[Any, Any]
BACKENDS = ("numpy", "llvm")
ENDS = ((None, None), (1, None), (None, 1), (-2, None), (None, -2), (5, None), (-5, None), (2, 1))
KEYS = [
    slice(start, stop, step) for (start, stop), step in itertools.product(ENDS, (None, -1, 2, -2))
]
EXTENTS = (3, 0, 1, 4)


def _squares(x: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """All parts of x, the gradients of the sums of their cubes, and theirs."""
    parts = [x[:, key] for key in KEYS]
    slopes = [tf.gradients(tf.reduce_sum(part * part * part), x)[0] for part in parts]
    return parts, slopes, [tf.gradients(tf.reduce_sum(slope), x)[0] for slope in slopes]


def _check(values: tuple[list[Array], list[Array], list[Array]], array: Array) -> None:
    for key, part, slope, second in zip(KEYS, *values, strict=True):
        inside = np.zeros_like(array)
        inside[:, key] = 1
        np.testing.assert_array_equal(part, array[:, key])
        np.testing.assert_array_equal(slope, inside * array * array * 3)
        np.testing.assert_array_equal(second, inside * array * 6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("is_open", [False, True], ids=["static", "open"])
def test_parts_are_numpy_s(backend: str, is_open: bool) -> None:
    config = tf.ConfigProto(backend=backend)
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        fed = tf.placeholder(tf.float32, [2, None])
        values = _squares(fed) if is_open else None
        for extent in EXTENTS:
            array = np.arange(1, 2 * extent + 1, dtype=np.float32).reshape(2, extent)
            x = fed if is_open else tf.placeholder(tf.float32, [2, extent])
            _check(session.run(values or _squares(x), {x: array}), array)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(3, 4), (None, 4), (None, None)])
def test_an_empty_box_may_begin_anywhere(backend: str, shape: tuple[int | None, ...]) -> None:
    config = tf.ConfigProto(backend=backend)
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        x = tf.placeholder(tf.float32, shape)
        begin = tf.placeholder(tf.int32, [2])
        boxes = [tf.slice(x, [row, 1], [0, 2]) for row in (0, 3, 7)]
        boxes.append(tf.slice(x, begin, [0, 2]))
        slopes = [tf.gradients(box, x)[0] for box in boxes]
        made, zeros = session.run([boxes, slopes], {x: np.ones((3, 4)), begin: [9, 2]})
    assert [box.shape for box in made] == [(0, 2)] * 4
    np.testing.assert_array_equal(zeros, np.zeros((4, 3, 4)))


@pytest.mark.parametrize("shape", [(3, 4), (None, 4), (None, None)])
@pytest.mark.parametrize(
    ("begin", "size"), [([0, 3], [0, 2]), ([0, 0], [-5, 2]), ([5, 0], [-1, 2]), ([-1, 0], [1, 2])]
)
def test_every_other_box_must_lie_inside(
    shape: tuple[int | None, ...], begin: list[int], size: list[int]
) -> None:
    """Along each axis, even if there is nothing along another one."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, shape)
        with pytest.raises(tf.errors.ShapeError, match="reach outside"):
            session.run(tf.slice(x, begin, size), {x: np.ones((3, 4))})
