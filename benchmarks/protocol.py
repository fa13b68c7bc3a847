"""What a worker process answers: one JSON object per line, on standard input and output.

    {"do": "hello"}                                       {"versions": {...}}
    {"do": "open", "workload": ..., "data": PATH}         {"variants": [...]}
    {"do": "prepare", "variant": ..., "trials": true}     {"way": ..., "seconds": ...}
    {"do": "check", "variant": ..., "steps": 3}           {"values": [[...], ...]}
    {"do": "time", "variant": ..., "warm_up": 3, "steps": 20}
                                                          {"seconds": ..., "finite": true}
    {"do": "new_batch", "variant": ..., "size": 37}       {"seconds": ...}
    {"do": "memory"}                                      {"bytes": ...}

A system may run a workload in several variants (eager, compiled), which are measured one by one;
and a variant in several ways (memory layouts), of which short trials choose the fastest. One that
cannot run on this machine answers {"not_run": REASON}.

Peers have no Thalweg in their environment: this file needs NumPy only.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.models import Data, FedModel, Model, NotRunError, aligned

Versions = dict[str, str]
Ways = Sequence[Callable[[], Model]]
Variants = Callable[[str, Data], Mapping[str, Ways]]

TRIAL_SECONDS = 0.5
USUAL_STEPS = 5  # after which the time of a first step at a new batch size is known to be unusual


class Server:
    """Answers requests about one workload after another.

    Args:
        versions: of the system and what it runs on.
        variants: how a workload can be run on some data.
    """

    def __init__(self, versions: Versions, variants: Variants) -> None:
        self._versions = versions
        self._variants = variants
        self._ways: Mapping[str, Ways] = {}
        self._models: dict[str, Model] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            ValueError: there is no such request.
            RuntimeError: it is about a model that was not prepared.
        """
        match request["do"]:
            case "hello":
                return {"versions": self._versions}
            case "open":
                return self._open(request["workload"], Path(request["data"]))
            case "prepare":
                return self._prepare(request["variant"], request["trials"])
            case "check":
                model = self._model(request)
                model.reset()
                values = model.check(request["steps"])
                return {"values": np.asarray(values, np.float64).reshape(len(values), -1).tolist()}
            case "time":
                return self._time(self._model(request), request["warm_up"], request["steps"])
            case "new_batch":
                return self._new_batch(self._model(request), request["size"])
            case "memory":
                return {"bytes": peak_memory()}
        raise ValueError(f"no such request: {request['do']!r}")

    def _open(self, workload: str, path: Path) -> dict[str, Any]:
        self._models = {}
        self._ways = self._variants(workload, Data.load(path))
        return {"variants": list(self._ways)}

    def _prepare(self, variant: str, trials: bool) -> dict[str, Any]:
        """Build the model, in the first way or the fastest; the seconds include a first step."""
        start = time.perf_counter()
        try:
            ways = self._ways[variant]
            model = fastest(ways) if trials and len(ways) > 1 else ways[0]()
            model.run(1)
            if trials:
                model.tune()
        except NotRunError as error:
            return {"not_run": str(error)}
        self._models[variant] = model
        return {"way": model.way, "seconds": time.perf_counter() - start}

    def _time(self, model: Model, warm_up: int, steps: int) -> dict[str, Any]:
        model.reset()  # every round does the same work, and none diverges
        model.run(warm_up)
        start = time.perf_counter()
        model.run(steps)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "finite": bool(np.isfinite(model.check(1)).all())}

    def _new_batch(self, model: Model, size: int) -> dict[str, Any]:
        """How much longer the first step at a batch size takes than the next ones."""
        if not isinstance(model, FedModel):
            raise TypeError("only a model that is fed can be given another batch size")
        inputs, labels = (aligned(array[:size]) for array in model.batches[0])
        first, *usual = [_seconds(model, inputs, labels) for _ in range(1 + USUAL_STEPS)]
        return {"seconds": first - statistics.median(usual)}

    def _model(self, request: Mapping[str, Any]) -> Model:
        try:
            return self._models[request["variant"]]
        except KeyError as error:
            raise RuntimeError(f"{error} was not prepared") from None


def fastest(ways: Ways, seconds: float = TRIAL_SECONDS) -> Model:
    """The model whose median step is the shortest, in two trials of each, in turn."""
    models = [make() for make in ways]
    times: list[list[float]] = [[] for _ in models]
    for _ in range(2):
        for model, taken in zip(models, times, strict=True):
            model.reset()
            model.run(3)
            end = time.perf_counter() + seconds
            while (start := time.perf_counter()) < end:
                model.run(1)
                taken.append(time.perf_counter() - start)
    medians = [statistics.median(taken) for taken in times]
    return models[medians.index(min(medians))]


def peak_memory() -> int:
    """The most bytes of memory that this process has had.

    Linux tells a new process's `ru_maxrss` from what its parent had when it started it.
    """
    try:
        status = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return usage if sys.platform == "darwin" else usage * 1024
    (peak,) = [line for line in status if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024


def serve(versions: Versions, variants: Variants) -> None:
    """Answer requests until standard input ends.

    What libraries print goes to standard error, so that it cannot be taken for an answer.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = Server(versions, variants)
    for line in sys.stdin:
        try:
            answer = server.answer(json.loads(line))
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


def _seconds(model: FedModel, inputs: Any, labels: Any) -> float:
    start = time.perf_counter()
    model.step(inputs, labels)
    model.finish()
    return time.perf_counter() - start
