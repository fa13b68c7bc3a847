"""What a worker process answers: one JSON object per line, on standard input and output.

    {"do": "hello"}                                      the versions it runs on
    {"do": "prepare", "workload": ..., "data": PATH}     builds; {"variant": ...}
    {"do": "check", "steps": 3}                          {"losses": [...]}, without dropout
    {"do": "time", "warm_up": 3, "steps": 20}            {"seconds": ..., "loss": ...}

Peers have no Thalweg in their environment: this file needs NumPy only.
"""

from __future__ import annotations

import abc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Versions = dict[str, str]
Build = Callable[[str, dict[str, Any]], "Model"]


class Model(abc.ABC):
    """A network that trains on batches in memory, in order and again from the first.

    Attributes:
        variant: how it is run, if there was a choice.
    """

    variant: str = ""

    @abc.abstractmethod
    def reset(self) -> None:
        """Give the weights their starting values."""

    @abc.abstractmethod
    def check(self, batch: int) -> float:
        """Make a step without dropout; the loss before it."""

    @abc.abstractmethod
    def loss(self) -> float:
        """The first batch's loss, without dropout and without a step."""

    @abc.abstractmethod
    def train(self, steps: int) -> None:
        """Make steps, from the first batch on; all work is done when it returns."""


class Server:
    """Answers requests about one model after another."""

    def __init__(self, versions: Versions, build: Build) -> None:
        self._versions = versions
        self._build = build
        self._model: Model | None = None

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            ValueError: there is no such request.
            RuntimeError: it is about a model, and none was prepared.
        """
        match request["do"]:
            case "hello":
                return {"versions": self._versions}
            case "prepare":
                with np.load(Path(request["data"])) as arrays:
                    self._model = self._build(request["workload"], dict(arrays))
                return {"variant": self._model.variant}
            case "check":
                model = self._prepared()
                return {"losses": [model.check(i) for i in range(request["steps"])]}
            case "time":
                return self._time(request["warm_up"], request["steps"])
        raise ValueError(f"no such request: {request['do']!r}")

    def _time(self, warm_up: int, steps: int) -> dict[str, Any]:
        model = self._prepared()
        model.reset()  # every round does the same work, and none diverges
        model.train(warm_up)
        start = time.perf_counter()
        model.train(steps)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "loss": model.loss()}

    def _prepared(self) -> Model:
        if self._model is None:
            raise RuntimeError("nothing was prepared")
        return self._model


def serve(versions: Versions, build: Build) -> None:
    """Answer requests until standard input ends.

    What libraries print goes to standard error, so that it cannot be taken for an answer.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = Server(versions, build)
    for line in sys.stdin:
        try:
            answer = server.answer(json.loads(line))
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)
