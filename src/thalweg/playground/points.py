"""The data of a playground: made, painted, read from CSV, or handwritten digits."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.record import Record
from thalweg.playground import generators
from thalweg.playground.state import State

__all__ = ["Data", "make_data", "own_points", "points_of_csv"]

DOMAIN = (-6.0, 6.0)
CLASSIFIED, REGRESSED = 500, 1200  # points of a data set that is made
MOST_POINTS = 5_000  # of one's own
LONGEST_CSV = 200_000  # characters
MOST_CLASSES = 10
PIXELS = 28  # along each side of a digit
DIGITS = 2_000  # of the data set


class Data(Record, eq=False):
    """Rows to train and to test with.

    Attributes:
        inputs: float32, [n, 2] or, for digits, [n, 784].
        labels: float32 [n], 1 or -1 for two classes, else int32 [n].
        train: how many of the rows, the first ones, are for training.
        classes: how many there are; 0 in a regression.
        name: of the data set.
        state: what was set when it was made.
        own: the rows that somebody gave, if it is "own".
    """

    inputs: NDArray[np.float32]
    labels: NDArray[Any]
    train: int
    classes: int
    name: str
    state: State
    own: NDArray[np.float64] | None = None

    @property
    def is_images(self) -> bool:
        """Whether a row is an image."""
        return bool(self.inputs.shape[1] == PIXELS**2)

    def part(self, name: str) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """The inputs and labels of "train" or "test"."""
        rows = slice(self.train) if name == "train" else slice(self.train, None)
        return self.inputs[rows], self.labels[rows]


def make_data(state: State, own: NDArray[np.float64] | None = None) -> Data:
    """The data that a state asks for, in an order that its seed decides.

    Args:
        state: what is set.
        own: rows of x, y and a label, for the data set "own".
    """
    is_regression = state["problem"] == "regression"
    name = state["regDataset" if is_regression else "dataset"]
    if name == "digits":
        return _digits(state)
    random = random_numbers(state["seed"])
    if name == "own":
        rows = np.zeros((0, 3)) if own is None else own
    else:
        make = getattr(generators, name.replace("-", "_"))
        rows = make(random, points_made(state), state["noise"] / 100, state["classes"])
    rows = rows[random.permutation(len(rows))]
    classes = 0 if is_regression else number_of_classes(state, rows[:, 2], name)
    points, labels = rows[:, :2].astype(np.float32), labels_of(rows[:, 2], classes)
    return Data(points, labels, share(state, len(rows)), classes, name, state, own)


def points_made(state: State) -> int:
    """How many points a data set has."""
    return REGRESSED if state["problem"] == "regression" else CLASSIFIED


def random_numbers(seed: str) -> np.random.Generator:
    """Those that follow from a seed."""
    return np.random.default_rng(list(seed.encode()))


def share(state: State, rows: int) -> int:
    """How many rows are for training: of one at least, since nothing cannot be trained with."""
    return max(1, rows * int(state["percTrainData"]) // 100) if rows else 0


def labels_of(values: NDArray[np.float64], classes: int) -> NDArray[Any]:
    """What the network is to learn, from classes or numbers."""
    if classes > 2:
        return values.astype(np.int32)
    return (1 - 2 * values if classes else values).astype(np.float32)


def number_of_classes(state: State, values: NDArray[np.float64], name: str) -> int:
    """How many classes there are to tell apart: with own points, as many as they have."""
    if name != "own":
        return int(state["classes"])
    return max(2, int(values.max(initial=0)) + 1)


def _digits(state: State) -> Data:
    images, labels = _mnist()
    order = random_numbers(state["seed"]).permutation(len(images))[:DIGITS]
    return Data(images[order], labels[order], share(state, DIGITS), 10, "digits", state)


@cache
def _mnist() -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The 10,000 test images as rows of numbers from 0 to 1, and their digits."""
    from thalweg.datasets import mnist

    digits = mnist.read_data_sets(validation_size=0).test
    return digits.images, digits.labels.astype(np.int32)


def points_of_csv(text: str, is_regression: bool) -> NDArray[np.float64]:
    """Rows of x, y and a label from CSV, scaled so that they fit the picture.

    The first row may be a heading. Labels that are no numbers are classes, in the order in which
    they appear; so are numbers, unless it is a regression.

    Raises:
        InvalidArgumentError: for a text that is too long, or a row that does not fit, by its line.
    """
    if len(text) > LONGEST_CSV:
        raise InvalidArgumentError(f"a file has at most {LONGEST_CSV:,} characters")
    try:
        rows = [(n, row) for n, row in enumerate(csv.reader(text.splitlines()), 1) if any(row)]
    except csv.Error as error:
        raise InvalidArgumentError(f"this is not CSV: {error}") from None
    if rows and not _is_number(rows[0][1][0]):
        del rows[0]
    at = [[_number(n, row, 0), _number(n, row, 1)] for n, row in rows]
    words = [row[2].strip() for _, row in rows]
    if is_regression:
        labels = [_number(n, row, 2) for n, row in rows]
    else:
        known = {word: number for number, word in enumerate(_in_order(words))}
        labels = [float(known[word]) for word in words]
    return own_points(np.column_stack([_fitted(np.array(at).reshape(-1, 2)), labels]).tolist())


def own_points(points: Any) -> NDArray[np.float64]:
    """Rows of x, y and a label that somebody painted.

    Raises:
        InvalidArgumentError: if it is not a list of three finite numbers each, or too long.
    """
    if not isinstance(points, list) or len(points) > MOST_POINTS:
        raise InvalidArgumentError(f"there must be a list of at most {MOST_POINTS:,} points")
    for number, point in enumerate(points, 1):
        if not isinstance(point, list) or len(point) != 3 or not all(map(_is_finite, point)):
            raise InvalidArgumentError(f"point {number} must be three numbers: {point!r:.60}")
    return np.array(points, np.float64).reshape(-1, 3)


def classified(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same points, whose labels are known to be classes.

    Raises:
        InvalidArgumentError: for a label that is no class.
    """
    labels = points[:, 2]
    if not ((labels == np.floor(labels)) & (labels >= 0) & (labels < MOST_CLASSES)).all():
        raise InvalidArgumentError(f"classes must be 0 to {MOST_CLASSES - 1}")
    return points


def _in_order(words: Iterable[str]) -> Sequence[str]:
    """Words in order of their appearance; numbers by their size."""
    found = list(dict.fromkeys(words))
    if len(found) > MOST_CLASSES:
        raise InvalidArgumentError(f"there are {len(found)} classes, and at most {MOST_CLASSES}")
    return sorted(found, key=float) if all(map(_is_number, found)) else found


def _fitted(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns that lie within the picture: scaled to -5 and 5 if some did not."""
    if not len(at) or np.abs(at).max() <= DOMAIN[1]:
        return at
    low, high = at.min(axis=0), at.max(axis=0)
    fitted: NDArray[np.float64] = (at - low) / np.where(high > low, high - low, 1) * 10 - 5
    return fitted


def _number(line: int, row: Sequence[str], place: int) -> float:
    if len(row) != 3:
        raise InvalidArgumentError(f"line {line} must be x, y and a label: it has {len(row)} parts")
    if not _is_number(row[place]):
        raise InvalidArgumentError(f"line {line}: {row[place]!r:.40} is no number")
    return float(row[place])


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_finite(value: object) -> bool:
    """Whether it is a number that float32 can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -1e30 < value < 1e30
