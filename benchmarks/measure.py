"""Checks that all systems compute the same, then times them in turn."""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.machine import busy_cores
from benchmarks.models import Array
from benchmarks.peers import Peer
from benchmarks.process import Worker, printed_numbers
from benchmarks.results import ImportTime, Limits, Result, Side, Start
from benchmarks.workloads import Workload

CHECKED_STEPS = 3
SETTLE = 0.1  # seconds before a round, for the threads of the side before to fall asleep
LISTEN = 0.3  # seconds after that, when every core that is busy is busy with something else
USED_STEPS = 20  # before a process's memory is looked at
NEW_BATCH = 37  # rows: a size that no one could have foreseen
CACHES = {  # where each system keeps compiled code from one process to the next
    "THALWEG_CACHE_DIR": "{}",
    "TORCHINDUCTOR_CACHE_DIR": "{}",
    "JAX_COMPILATION_CACHE_DIR": "{}",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "TF_XLA_FLAGS": "--tf_xla_persistent_cache_directory={}",
}


@dataclass(frozen=True)
class System:
    """A system that is there to be measured, or the reason why it is not.

    Attributes:
        peer: what it is.
        python: the interpreter of its environment.
        threads: how many its workers are to use.
        not_run: why it cannot be measured, if so.
    """

    peer: Peer
    python: Path | str
    threads: int
    not_run: str = ""

    def start(self, environment: Mapping[str, str] | None = None) -> Worker:
        """A new worker."""
        peer = self.peer
        return Worker(peer.label, self.python, peer.module, self.threads, environment)


@dataclass
class Turn:
    """A side while it is measured."""

    worker: Worker
    side: Side
    values: Array = field(default_factory=lambda: np.zeros(0))
    times: list[float] = field(default_factory=list)


def measure(workload: Workload, systems: Sequence[System], rounds: int, limits: Limits) -> Result:
    """All sides of a workload.

    Raises:
        BenchmarkError: they do not compute the same, or a worker failed.
    """
    data = workload.data()
    _say(f"{workload.name}: {workload.title}")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / "data.npz"
        data.save(path)
        missing = [Side(s.peer.label, "", not_run=s.not_run) for s in systems if s.not_run]
        workers = [stack.enter_context(s.start()) for s in systems if not s.not_run]
        prepared = [turn for worker in workers for turn in _prepare(workload, worker, path)]
        turns = [turn for turn in prepared if not turn.side.not_run]
        difference = check(workload, {turn.side.name: turn.values for turn in turns})
        others = _take_turns(workload, turns, rounds)
    sides = [replace(turn.side, ms_per_step=turn.times) for turn in prepared] + missing
    result = Result(workload.name, workload.title, sides, difference, workload.tolerance, others)
    if workload.cost is None:
        return result
    cost = workload.cost(data)
    limit = limits.milliseconds(cost.flops, cost.bytes, cost.footprint)
    return replace(result, flops=cost.flops, bytes=cost.bytes, limit_ms=limit)


def check(workload: Workload, values: Mapping[str, Array]) -> float:
    """The largest relative difference of what the sides computed.

    Args:
        workload: says how much is allowed.
        values: by side, [steps, ...].

    Raises:
        BenchmarkError: it is more than that.
    """
    difference = relative_difference(list(values.values()))
    text = f"values differ by {difference:.1e}, relatively; {workload.tolerance:.0e} is allowed"
    if not difference <= workload.tolerance:
        sides = [f"\n  {name}: {value[:, :4].tolist()}" for name, value in values.items()]
        raise BenchmarkError(f"{workload.name}: the sides do not agree: {text}{''.join(sides)}")
    _say(f"  {CHECKED_STEPS} steps agree: {text}")
    return difference


def relative_difference(values: Sequence[Array]) -> float:
    """How far the sides are apart at the worst step, as a share of the step's largest value.

    Args:
        values: of each side, [steps, ...].

    Returns:
        Infinity if a value is not finite.
    """
    every = np.stack(values)
    if not np.isfinite(every).all():
        return float("inf")
    steps = np.moveaxis(every, 1, 0).reshape(every.shape[1], len(values), -1)
    spread = np.ptp(steps, axis=1).max(axis=1)
    largest = np.abs(steps).max(axis=(1, 2))
    return float((spread / np.maximum(largest, sys.float_info.min)).max())


def import_time(system: System, runs: int) -> ImportTime:
    """How long a system takes to import, beyond NumPy."""
    package = system.peer.package
    program = (
        "import time, numpy",
        "start = time.perf_counter()",
        f"import {package}",
        "print((time.perf_counter() - start) * 1e3)",
    )
    return ImportTime(system.peer.label, package, printed_numbers(system.python, program, runs))


def starts(workload: Workload, system: System, runs: int) -> list[Start]:
    """What it takes to begin with a workload, for each variant of a system.

    Raises:
        BenchmarkError: a worker failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        workload.data().save(path)
        with system.start() as worker:
            variants = worker.ask("open", workload=workload.name, data=str(path))["variants"]
        made = [_start(workload, system, path, variant, runs) for variant in variants]
    return [start for start in made if start is not None]


def _start(workload: Workload, system: System, data: Path, variant: str, runs: int) -> Start | None:
    """None if the variant cannot run."""
    _say(f"start of {system.peer.label} {variant}")
    figures: list[tuple[float, ...]] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as cache:
            environment = {name: value.format(cache) for name, value in CACHES.items()}
            with system.start(environment) as worker:
                if (cold := _first_step(workload, worker, data, variant)) is None:
                    return None
            with system.start(environment) as worker:
                warm = _first_step(workload, worker, data, variant) or 0.0
                worker.ask("time", variant=variant, warm_up=0, steps=USED_STEPS)
                memory = worker.ask("memory")["bytes"]
                new = worker.ask("new_batch", variant=variant, size=NEW_BATCH)["seconds"]
        figures.append((cold, warm, new, memory))
    return Start(system.peer.label, variant, *zip(*figures, strict=True))


def _first_step(workload: Workload, worker: Worker, data: Path, variant: str) -> float | None:
    worker.ask("open", workload=workload.name, data=str(data))
    seconds = worker.ask("prepare", variant=variant, trials=False).get("seconds")
    return None if seconds is None else float(seconds)


def _prepare(workload: Workload, worker: Worker, data: Path) -> list[Turn]:
    """A side for each variant of a system, ready to be timed, with what it computes."""
    variants = worker.ask("open", workload=workload.name, data=str(data))["variants"]
    turns = []
    for variant in variants:
        answer = worker.ask("prepare", variant=variant, trials=True)
        side = Side(
            worker.name, variant, way=answer.get("way", ""), not_run=answer.get("not_run", "")
        )
        turns.append(Turn(worker, side))
        if not side.not_run:
            checked = worker.ask("check", variant=variant, steps=CHECKED_STEPS)
            turns[-1].values = np.array(checked["values"])
    return turns


def _take_turns(workload: Workload, turns: Sequence[Turn], rounds: int) -> float:
    """Time them round by round; the cores that other programs kept busy meanwhile."""
    others = []
    for i in range(rounds):
        for turn in turns:
            time.sleep(SETTLE)
            others.append(busy_cores(LISTEN))
            turn.times.append(_round(workload, turn))
        times = ", ".join(f"{turn.side.name} {turn.times[-1]:.4g}" for turn in turns)
        _say(f"  round {i + 1}: {times} ms")
    return statistics.mean(others) if others else 0.0


def _round(workload: Workload, turn: Turn) -> float:
    """Milliseconds per step."""
    warm_up, steps = workload.warm_up, workload.steps
    answer = turn.worker.ask("time", variant=turn.side.variant, warm_up=warm_up, steps=steps)
    if not answer["finite"]:
        raise BenchmarkError(f"{workload.name}: {turn.side.name} computes what is not finite")
    return float(answer["seconds"]) / steps * 1e3


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
