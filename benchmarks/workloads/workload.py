"""What a workload is: data that both sides share, and Thalweg's side of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.protocol import Model

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Workload:
    """One training step to be measured.

    The peers' side of it has the same name, in `benchmarks/peers/`.

    Attributes:
        name: what `--only` and the peers know it by.
        title: a line for the table.
        data: makes the starting weights and the batches; the same at every call.
        build: Thalweg's model on that data, with a number of threads.
        warm_up: untimed steps before the timed ones of a round.
        steps: timed steps of a round.
        tolerance: the largest relative difference of two sides' losses that rounding explains.
    """

    name: str
    title: str
    data: Callable[[], Arrays]
    build: Callable[[Arrays, int], Model]
    warm_up: int
    steps: int
    tolerance: float


def mnist_batches(count: int, batch: int, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Batches of MNIST's training images, drawn without replacement.

    Returns:
        `images`, float32 [count, batch, 784] from 0 to 1; `digits`, int64 [count, batch]; and
        `one_hot`, float32 [count, batch, 10].
    """
    from thalweg.datasets import mnist

    (images, digits), _ = mnist.load_data()
    chosen = np.random.default_rng(seed).permutation(len(images))[: count * batch]
    labels = digits[chosen].astype(np.int64).reshape(count, batch)
    pixels = images[chosen].reshape(count, batch, 784).astype(np.float32) / np.float32(255)
    return {"images": pixels, "digits": labels, "one_hot": np.eye(10, dtype=np.float32)[labels]}
