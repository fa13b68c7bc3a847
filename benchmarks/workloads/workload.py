"""What a workload is: data that all systems share, Thalweg's side of it, and what it must cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from benchmarks.models import Array, Data, Model
from thalweg.datasets import mnist


@dataclass(frozen=True)
class Cost:
    """The least that a step takes, whoever computes it, from the network's contractions alone.

    Attributes:
        flops: floating-point operations, of which a multiplication and an addition are two.
        bytes: what must be read and written at least once: weights and batch, no intermediates.
        footprint: bytes that are touched before a step comes back to the same batch; it says
            whether they come from a cache or from memory.
    """

    flops: float
    bytes: float
    footprint: float


@dataclass(frozen=True)
class Workload:
    """A step to be measured.

    The peers' side of it has the same name, in `benchmarks/peers/`.

    Attributes:
        name: what `--only` and the peers know it by.
        title: a line for the table.
        data: makes the starting weights and the batches; the same at every call.
        build: Thalweg's model on that data, with a number of threads.
        warm_up: untimed steps before the timed ones of a round.
        steps: timed steps of a round.
        tolerance: the largest relative difference of two systems' values that rounding explains,
            and where they train with Adam, what they do with its epsilon (see `recipes`).
        cost: of a step; None where nothing but overhead is measured.
    """

    name: str
    title: str
    data: Callable[[], Data]
    build: Callable[[Data, int], Model]
    warm_up: int
    steps: int
    tolerance: float
    cost: Callable[[Data], Cost] | None = None


def training_cost(
    data: Data,
    multiplications: float,
    unneeded: float,
    optimiser: Literal["sgd", "momentum", "adam"],
) -> Cost:
    """A step of training: the contractions, their two gradients, and the optimiser's traffic.

    Args:
        data: weights and batches.
        multiplications: in the forward contractions.
        unneeded: those among them whose input's gradient nobody needs: the first layer's.
        optimiser: SGD reads and writes each weight, the others one or two slots as well.
    """
    arrays = {"sgd": 1, "momentum": 2, "adam": 3}[optimiser]
    state = arrays * sum(weight.nbytes for weight in data.weights.values())
    batches = data.inputs.nbytes + data.labels.nbytes
    return Cost(
        flops=2 * (3 * multiplications - unneeded),
        bytes=2 * state + batches / len(data.inputs),
        footprint=state + batches,
    )


def prediction_cost(data: Data, multiplications: float) -> Cost:
    """A prediction: the contractions; weights and batch are read."""
    weights = sum(weight.nbytes for weight in data.weights.values())
    batch = data.inputs[0].nbytes
    return Cost(2 * multiplications, weights + batch, weights + data.inputs.nbytes)


def mnist_batches(count: int, batch: int, seed: int = 0) -> tuple[Array, Array]:
    """Batches of MNIST's training images, drawn without replacement.

    Returns:
        Images, float32 [count, batch, 784] from 0 to 1, and digits, int64 [count, batch].
    """
    images, digits = _training_set()
    chosen = np.random.default_rng(seed).permutation(len(images))[: count * batch]
    pixels = images[chosen].reshape(count, batch, 784).astype(np.float32) / np.float32(255)
    return pixels, digits[chosen].astype(np.int64).reshape(count, batch)


@cache
def _training_set() -> tuple[Array, Array]:
    return mnist.load_data()[0]


def normal(rng: np.random.Generator, *shape: int) -> Array:
    """Weights for an input of unit variance and a relu after them (He et al. 2015)."""
    deviation = math.sqrt(2 / math.prod(shape[:-1]))
    return rng.standard_normal(shape, np.float32) * np.float32(deviation)


def zeros(*shape: int) -> Array:
    """Float32 zeros."""
    return np.zeros(shape, np.float32)


def ones(*shape: int) -> Array:
    """Float32 ones."""
    return np.ones(shape, np.float32)
