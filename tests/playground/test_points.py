"""The data sets are the original's, and one's own points are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from thalweg.base.errors import InvalidArgumentError
from thalweg.playground.points import make_data, own_points, points_of_csv
from thalweg.playground.state import parsed


@pytest.mark.parametrize(
    ("link", "rows", "train"),
    [("", 500, 250), ("percTrainData=90", 500, 450), ("problem=regression", 1200, 600)],
)
def test_there_are_as_many_points_as_in_the_original(link: str, rows: int, train: int) -> None:
    data = make_data(parsed(link))
    assert (len(data.labels), data.train) == (rows, train)


def test_a_seed_decides_about_everything() -> None:
    one, same = (make_data(parsed("seed=0.5&noise=20")) for _ in range(2))
    other = make_data(parsed("seed=0.6&noise=20"))
    np.testing.assert_array_equal(one.inputs, same.inputs)
    assert (one.inputs != other.inputs).any()


def test_labels_without_noise_follow_from_the_place() -> None:
    """By the rules of src/dataset.ts."""
    x, y, label = _columns("dataset=circle")
    np.testing.assert_array_equal(label > 0, np.hypot(x, y) < 2.5)
    assert np.hypot(x, y)[label < 0].min() >= 3.5 - 1e-5
    x, y, label = _columns("dataset=xor")
    np.testing.assert_array_equal(label > 0, x * y >= 0)
    assert min(np.abs(x).min(), np.abs(y).min()) >= 0.3 - 1e-6
    assert max(np.abs(x).max(), np.abs(y).max()) <= 5.3 + 1e-6
    x, y, label = _columns("dataset=spiral")
    r = np.hypot(x, y)
    turned = 1.75 * r / 5 * 2 * np.pi + np.where(label > 0, 0, np.pi)
    np.testing.assert_allclose(x, r * np.sin(turned), atol=1e-4)
    x, y, label = _columns("problem=regression&regDataset=reg-plane")
    np.testing.assert_allclose(label, (x + y) / 10, atol=1e-6)
    x, y, label = _columns("problem=regression&regDataset=reg-gauss")
    hills = [(-4, 2.5, 1), (0, 2.5, -1), (4, 2.5, 1), (-4, -2.5, -1), (0, -2.5, 1), (4, -2.5, -1)]
    for px, py, found in zip(x, y, label, strict=True):
        heights = [s * max(0.0, 1 - np.hypot(px - cx, py - cy) / 2) for cx, cy, s in hills]
        assert found == pytest.approx(max(heights, key=abs), abs=1e-5)


def test_clouds_have_the_variance_of_the_original() -> None:
    for noise, variance in ((0, 0.5), (50, 4.0)):
        x, y, label = _columns(f"dataset=gauss&noise={noise}&seed=1")
        for sign in (1, -1):
            for values in (x[label == sign], y[label == sign]):
                # The mean and variance of 250 normal numbers, within four standard errors.
                assert abs(values.mean() - 2 * sign) < 4 * np.sqrt(variance / 250)
                assert abs(values.var() / variance - 1) < 4 * np.sqrt(2 / 250)


@pytest.mark.parametrize("name", ["circle", "xor", "gauss", "spiral"])
@pytest.mark.parametrize("classes", [3, 10])
def test_more_classes(name: str, classes: int) -> None:
    data = make_data(parsed(f"dataset={name}&classes={classes}"))
    assert data.labels.dtype == np.int32
    assert set(data.labels.tolist()) == set(range(classes))
    assert np.abs(data.inputs).max() < 8


def _columns(link: str) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[Any]]:
    data = make_data(parsed(link))
    return data.inputs[:, 0], data.inputs[:, 1], data.labels


def test_csv_is_read() -> None:
    text = "x,y,kind\n1,2,cat\n-1,2.5,dog\n\n3,-4,cat\n"
    np.testing.assert_array_equal(points_of_csv(text, False), [[1, 2, 0], [-1, 2.5, 1], [3, -4, 0]])
    np.testing.assert_array_equal(points_of_csv("1,2,7\n3,4,5\n", False)[:, 2], [1, 0])
    np.testing.assert_array_equal(points_of_csv("1,2,0.25\n", True), [[1, 2, 0.25]])
    wide = points_of_csv("0,100,0\n1000,300,1\n", False)
    np.testing.assert_array_equal(wide[:, :2], [[-5, -5], [5, 5]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n", "line 1 must be x, y and a label: it has 2 parts"),
        ("a,b,c\n1,x,0\n", "line 2: 'x' is no number"),
        ("1,inf,0\n", "line 1: 'inf' is no number"),
        ("\n".join(f"1,2,{n}" for n in range(11)), "there are 11 classes, and at most 10"),
        ("1,2,0\n" * 5001, "at most 5,000 points"),
        ("1" * 200_001, "at most 200,000 characters"),
    ],
)
def test_csv_that_does_not_fit_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        points_of_csv(text, False)


@pytest.mark.parametrize(
    "points", [None, {}, [[1, 2]], [[1, 2, "3"]], [[1, 2, float("nan")]], [[1, 2, True]], [1, 2]]
)
def test_painted_points_are_checked(points: object) -> None:
    with pytest.raises(InvalidArgumentError, match="point"):
        own_points(points)
