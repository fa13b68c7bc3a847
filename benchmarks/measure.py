"""Checks that two workers compute the same, then times them in turn."""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.machine import busy_cores
from benchmarks.process import Worker, printed_numbers
from benchmarks.results import ImportTime, Result, Side
from benchmarks.workloads import Workload

CHECKED_STEPS = 3
SETTLE = 0.1  # seconds before a round, for the threads of the other side to fall asleep
LISTEN = 0.3  # seconds after that, when every core that is busy is busy with something else


def measure(workload: Workload, thalweg: Worker, peer: Worker, rounds: int) -> Result:
    """Both sides of a workload.

    Raises:
        BenchmarkError: they do not compute the same, or a worker failed.
    """
    workers = (thalweg, peer)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, allow_pickle=False, **workload.data())
        variants = [
            worker.ask("prepare", workload=workload.name, data=str(path))["variant"]
            for worker in workers
        ]
    losses = [worker.ask("check", steps=CHECKED_STEPS)["losses"] for worker in workers]
    difference = check(workload, workers, losses)
    times: list[list[float]] = [[], []]
    others: list[float] = []
    for i in range(rounds):
        for worker, taken in zip(workers, times, strict=True):
            time.sleep(SETTLE)
            others.append(busy_cores(LISTEN))
            taken.append(_round(workload, worker))
        _say(f"  round {i + 1}: {times[0][-1]:.4g} ms, {times[1][-1]:.4g} ms per step")
    ours, theirs = [Side(*side) for side in zip(times, losses, variants, strict=True)]
    return Result(
        workload.name,
        workload.title,
        ours,
        theirs,
        difference,
        workload.tolerance,
        statistics.mean(others),
    )


def check(
    workload: Workload, workers: Sequence[Worker], losses: Sequence[Sequence[float]]
) -> float:
    """The largest relative difference of two sides' losses.

    Raises:
        BenchmarkError: it is beyond the workload's tolerance.
    """
    difference = max(map(relative_difference, *losses))
    text = f"losses differ by {difference:.1e}, relatively; {workload.tolerance:.0e} is allowed"
    if not difference <= workload.tolerance:
        sides = [f"\n  {w.name}: {side}" for w, side in zip(workers, losses, strict=True)]
        raise BenchmarkError(f"{workload.name}: the sides do not agree: {text}{''.join(sides)}")
    _say(f"{workload.name}: {CHECKED_STEPS} steps agree: {text}")
    return difference


def relative_difference(a: float, b: float) -> float:
    """How far two numbers are apart, as a share of the larger; infinite unless both are finite."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b), sys.float_info.min)


def import_time(package: str, python: Path | str, runs: int) -> ImportTime:
    """How long a package takes to import, beyond NumPy."""
    program = (
        "import time, numpy",
        "start = time.perf_counter()",
        f"import {package}",
        "print((time.perf_counter() - start) * 1e3)",
    )

    return ImportTime(package, printed_numbers(python, program, runs))


def _round(workload: Workload, worker: Worker) -> float:
    """Milliseconds per step."""
    answer = worker.ask("time", warm_up=workload.warm_up, steps=workload.steps)
    if not math.isfinite(answer["loss"]):
        raise BenchmarkError(f"{workload.name}: {worker.name}'s loss became {answer['loss']}")
    return float(answer["seconds"]) / workload.steps * 1e3


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
