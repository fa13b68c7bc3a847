"""A worker without a network: `python -m tests.benchmarks.fake_worker THREADS`."""

from __future__ import annotations

import os
import time
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


class Broken(Summing):
    """Raises, dies or hangs when it is built, or in the second round.

    What goes wrong, and when, is the name of the workload: "die-later".
    """

    def __init__(self, data: Data, how: str) -> None:
        super().__init__(data)
        what, _, when = how.partition("-")
        self._fail = {"raise": self._raise, "die": self._die, "hang": self._hang}[what]
        self._resets = 3  # for the values that are checked, and each round
        if when == "now":
            self._fail()

    def reset(self) -> None:
        super().reset()
        self._resets = getattr(self, "_resets", 4) - 1
        if not self._resets:
            self._fail()

    def _raise(self) -> None:
        raise ArithmeticError("five | six")

    def _die(self) -> None:
        os.abort()

    def _hang(self) -> None:
        time.sleep(1000)


class Diverging(Summing):
    """Is finite for the steps that are checked, and no longer when it has been timed."""

    def checked_step(self, inputs: Array, labels: Array) -> float:
        return super().checked_step(inputs, labels) if self.total < 3 else float("nan")


def nowhere(data: Data) -> Model:
    raise NotRunError("no machine can")


def variants(workload: str, data: Data) -> dict[str, list[Callable[[], Model]]]:
    made: dict[str, list[Callable[[], Model]]] = {"good": [partial(Summing, data)]}
    if workload == "some":
        made["nowhere"] = [partial(nowhere, data)]
    if workload in ("quarrel", "majority"):
        made["bad"] = [partial(Summing, data, 2.0)]
    if workload == "majority":
        made["other"] = [partial(Summing, data)]
        made["nan"] = [partial(Summing, data, float("nan"))]
        made["third"] = [partial(Summing, data)]
    if workload == "diverge":
        made["diverging"] = [partial(Diverging, data)]
    if "-" in workload:
        made["broken"] = [partial(Broken, data, workload)]
    return made


if __name__ == "__main__":
    serve({"numpy": np.__version__, "cache": os.environ.get("THALWEG_CACHE_DIR", "")}, variants)
