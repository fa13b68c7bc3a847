"""What a page draws: numbers as JSON, and pictures as bytes behind it."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.base.record import Record
from thalweg.playground.engine import Engine, Measure
from thalweg.playground.points import PIXELS

__all__ = ["Frames", "packed"]

Array = NDArray[Any]

SMALL, LEAST, LARGE, MEDIUM = 30, 10, 100, 50  # points along a picture's sides
MOST_BYTES = 1 << 16  # of the small pictures
FEW_OUTPUTS = 4  # that are shown large
MOST_WEIGHTS = 2_000  # of a layer, of which they are sent as numbers
DIGITS = 4  # behind the point


class Frames:
    """Makes the frames of one network.

    Attributes:
        hovered: the layer (0 for the features) and neuron that is shown large; None for the output.
    """

    def __init__(self) -> None:
        self.hovered: tuple[int, int] | None = None
        self._number = 0
        self._has_features = False

    @property
    def number(self) -> int:
        """How many frames have been made."""
        return self._number

    def begin(self) -> None:
        """Another network: its features are shown once, as they never change."""
        self._has_features = False
        self.hovered = None

    def frame(self, engine: Engine, speed: float, peak: float | None) -> bytes:
        """The next frame.

        Args:
            engine: what to show.
            speed: steps a second.
            peak: the share of the machine's peak that a step reaches; None if not known.
        """
        self._number += 1
        train, test = engine.measure("train"), engine.measure("test")
        shown, images = self._pictures(engine)
        weights, biases = engine.weights()
        head = {
            "type": "frame",
            "frame": self._number,
            "step": engine.step,
            "epoch": engine.epoch,
            "loss": [_number(train.loss), _number(test.loss)],
            "accuracy": [train.accuracy, test.accuracy] if train.confusion else None,
            "confusion": _confusion(train, test),
            "stepsPerSecond": speed,
            "usPerStep": engine.seconds_per_step * 1e6,
            "peak": peak,
            "weights": [_numbers(w) for w in weights],
            "biases": [_numbers(b) for b in biases],
            "maps": shown,
        }
        return packed(head, images)

    def _pictures(self, engine: Engine) -> tuple[list[list[int]], list[bytes]]:
        """Which pictures there are (layer, neuron, size), and their bytes."""
        if engine.data.is_images:
            images = engine.weight_images()
            return [[1, n, PIXELS] for n in range(len(images))], [images.tobytes()]
        places = neurons(engine)
        first = 0 if not self._has_features else engine.structure.sizes[0]
        self._has_features = True
        groups = [(range(first, len(places)), _small(len(places) - first)), self._large(engine)]
        shown, parts = [], []
        for chosen, size in groups:
            shown += [[*places[n], size] for n in chosen]
            parts.append(engine.pictures(chosen, size).tobytes())
        return shown, parts

    def _large(self, engine: Engine) -> tuple[Sequence[int], int]:
        """Which neurons are shown large, and how large."""
        places = neurons(engine)
        if self.hovered in places:
            return [places.index(self.hovered)], LARGE
        outputs = engine.structure.sizes[-1]
        size = LARGE if outputs <= FEW_OUTPUTS else MEDIUM
        return range(len(places) - outputs, len(places)), size


def neurons(engine: Engine) -> list[tuple[int, int]]:
    """The layer and place of each neuron, features first."""
    sizes = engine.structure.sizes
    return [(layer, n) for layer, size in enumerate(sizes) for n in range(size)]


def packed(head: dict[str, Any], images: Sequence[bytes]) -> bytes:
    """A frame as it is sent: the length of the JSON, the JSON, the bytes of the pictures."""
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *images])


def _small(count: int) -> int:
    """The size of small pictures: smaller if there are many."""
    return max(LEAST, min(SMALL, math.isqrt(MOST_BYTES // max(1, count))))


def _number(value: float) -> float | None:
    """A number that JSON has."""
    return value if math.isfinite(value) else None


def _numbers(values: Array) -> Any:
    """Rounded numbers as lists; None for what is not finite, or if there are too many."""
    if values.size > MOST_WEIGHTS:
        return None
    rounded = values.astype(np.float64).round(DIGITS)
    if np.isfinite(rounded).all():
        return rounded.tolist()
    numbers = rounded.astype(object)
    numbers[~np.isfinite(rounded)] = None
    return numbers.tolist()


def _confusion(train: Measure, test: Measure) -> Any:
    """The matrix of the test rows, or of the training rows if there are no others."""
    return test.confusion or train.confusion


class Rate(Record, frozen=False):
    """How often something happens a second, lately.

    Attributes:
        per_second: of the latest second or so.
    """

    per_second: float = 0.0
    _since: float = 0.0
    _count: int = 0

    def add(self, count: int, now: float) -> None:
        """Count what has happened by a time in seconds."""
        self._count += count
        if not self._since:
            self._since = now
        elif (past := now - self._since) >= 0.5:
            self.per_second, self._since, self._count = self._count / past, now, 0
