"""A worker without a network: `python -m tests.benchmarks.fake_worker THREADS`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.models import Array, Data, FedModel, Model, NotRunError
from benchmarks.protocol import serve


class Summing(FedModel):
    """Its loss is the sum of the batch, and what earlier steps have added."""

    def __init__(self, data: Data, step: float = 1.0) -> None:
        super().__init__(data)
        self._step = step
        self.reset()

    def reset(self) -> None:
        self.total = 0.0

    def step(self, inputs: Array, labels: Array) -> None:
        self.total += self._step

    def checked_step(self, inputs: Array, labels: Array) -> float:
        self.step(inputs, labels)
        return float(inputs.sum()) + self.total - self._step


def nowhere(data: Data) -> Model:
    raise NotRunError("no machine can")


def variants(workload: str, data: Data) -> dict[str, list[Callable[[], Model]]]:
    made: dict[str, list[Callable[[], Model]]] = {"good": [partial(Summing, data)]}
    if workload == "some":
        made["nowhere"] = [partial(nowhere, data)]
    if workload == "quarrel":
        made["bad"] = [partial(Summing, data, 2.0)]
    return made


if __name__ == "__main__":
    serve({"numpy": np.__version__, "cache": os.environ.get("THALWEG_CACHE_DIR", "")}, variants)
