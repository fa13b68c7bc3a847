"""What is measured: models on data in memory. The peers use this file, so it needs NumPy only."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ALIGNMENT = 64  # bytes: what XLA and TensorFlow want of an array in order not to copy it


class NotRunError(Exception):
    """A variant cannot run on this machine; the message says why."""


@dataclass(frozen=True)
class Data:
    """What all systems share.

    Attributes:
        weights: starting values by name; those of convolutions are [height, width, in, out], those
            of dense layers [in, out].
        inputs: the batches, [batches, batch, ...].
        labels: class numbers, int64 [batches, batch, ...].
    """

    weights: Mapping[str, Array]
    inputs: Array
    labels: Array

    def save(self, path: Path) -> None:
        """Write it to a file."""
        named = {f"weights/{name}": weight for name, weight in self.weights.items()}
        np.savez(path, allow_pickle=False, inputs=self.inputs, labels=self.labels, **named)

    @staticmethod
    def load(path: Path) -> Data:
        """Read it from a file, into memory that every library can use as it lies."""
        with np.load(path) as file:
            arrays = {name: aligned(file[name]) for name in file.files}
        inputs, labels = arrays.pop("inputs"), arrays.pop("labels")
        weights = {name.removeprefix("weights/"): array for name, array in arrays.items()}
        return Data(weights, inputs, labels)


def aligned(array: Array) -> Array:
    """A copy that starts at a multiple of `ALIGNMENT`."""
    memory = np.empty(array.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class Model(abc.ABC):
    """A network that works on batches in memory, in order and again from the first.

    Attributes:
        way: how it is run, if there was a choice.
    """

    way: str = ""

    def tune(self) -> None:  # noqa: B027  most systems have nothing to do here
        """Let the system measure how it is fastest on this machine, if it can."""

    @abc.abstractmethod
    def reset(self) -> None:
        """Give the weights, and what the optimiser keeps, their starting values."""

    @abc.abstractmethod
    def check(self, steps: int) -> Array:
        """Make steps on the first batches, in order and without dropout.

        Returns:
            [steps, ...]: each one's loss before it, or what it predicts.
        """

    @abc.abstractmethod
    def run(self, steps: int) -> None:
        """Make steps, from the first batch on; all work is done when it returns."""


class FedModel(Model):
    """Is given each step's batch by the caller, as NumPy arrays.

    Attributes:
        batches: inputs and labels of each.
    """

    def __init__(self, data: Data) -> None:
        self.batches = list(zip(data.inputs, data.labels, strict=True))

    @abc.abstractmethod
    def step(self, inputs: Array, labels: Array) -> None:
        """Make a step of training; nothing is read back."""

    @abc.abstractmethod
    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step without dropout; the loss before it."""

    def finish(self) -> None:
        """Wait until all steps are done."""

    def check(self, steps: int) -> Array:
        """The losses of the first steps."""
        batches = [self.batches[i % len(self.batches)] for i in range(steps)]
        return np.array([self.checked_step(*batch) for batch in batches])

    def run(self, steps: int) -> None:
        """Feed batch after batch."""
        step, batches = self.step, self.batches
        for i in range(steps):
            inputs, labels = batches[i % len(batches)]
            step(inputs, labels)
        self.finish()


class Predictor(Model):
    """Answers batches with NumPy arrays."""

    def __init__(self, data: Data) -> None:
        self._inputs = list(data.inputs)

    @abc.abstractmethod
    def predict(self, inputs: Array) -> Array:
        """What the network says of a batch."""

    def reset(self) -> None:
        """Nothing changes."""

    def check(self, steps: int) -> Array:
        """What it says of the first batches."""
        return np.stack([self.predict(self._inputs[i % len(self._inputs)]) for i in range(steps)])

    def run(self, steps: int) -> None:
        """Answer batch after batch."""
        for i in range(steps):
            self.predict(self._inputs[i % len(self._inputs)])
