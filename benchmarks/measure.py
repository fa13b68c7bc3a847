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
from typing import Any

import numpy as np

from benchmarks.errors import WorkerError
from benchmarks.machine import busy_cores
from benchmarks.models import Array
from benchmarks.peers import Peer
from benchmarks.process import PATIENCE, Worker, printed_numbers
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
        versions: of the packages that it runs on.
        patience: seconds that its workers may take for an answer.
    """

    peer: Peer
    python: Path | str
    threads: int
    not_run: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    patience: float = PATIENCE

    def start(self, environment: Mapping[str, str] | None = None) -> Worker:
        """A new worker."""
        peer, threads = self.peer, self.threads
        return Worker(peer.label, self.python, peer.module, threads, environment, self.patience)

    def checked(self) -> System:
        """The same with its versions, or with the reason why it cannot start."""
        with self.start() as worker:
            try:
                return replace(self, versions=worker.ask("hello")["versions"])
            except WorkerError as error:
                return replace(self, not_run=_said(error, self.peer.label))


@dataclass(eq=False)
class Turn:
    """A side while it is measured."""

    worker: Worker
    side: Side
    values: Array = field(default_factory=lambda: np.zeros(0))
    times: list[float] = field(default_factory=list)

    def ask(self, do: str, **details: Any) -> dict[str, Any] | None:
        """The answer about this side's variant; None if there is none, and then it has not run."""
        try:
            return self.worker.ask(do, variant=self.side.variant, **details)
        except WorkerError as error:
            self.side = replace(self.side, not_run=_said(error, self.side.name))
        return None


def measure(
    workload: Workload, systems: Sequence[System], rounds: int, limits: Limits, busy: int = 0
) -> Result:
    """All sides of a workload.

    A side that cannot be measured is said not to have run, and why. One whose values are wrong is
    said so, and is not timed. Neither keeps the others from being measured.

    Args:
        workload: what they do.
        systems: who takes part.
        rounds: how often each is timed.
        limits: of the machine.
        busy: how many processes keep it busy meanwhile, which are no others.
    """
    data = workload.data()
    _say(f"{workload.name}: {workload.title}")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / "data.npz"
        data.save(path)
        missing = [Side(s.peer.label, "", not_run=s.not_run) for s in systems if s.not_run]
        workers = [stack.enter_context(s.start()) for s in systems if not s.not_run]
        prepared = [turn for worker in workers for turn in _prepare(workload, worker, path)]
        difference = check(workload, [turn for turn in prepared if not turn.side.missing])
        others = max(_take_turns(workload, prepared, rounds) - busy, 0.0)
    sides = [_outcome(turn) for turn in prepared] + missing
    result = Result(workload.name, workload.title, sides, difference, workload.tolerance, others)
    if workload.cost is None:
        return result
    cost = workload.cost(data)
    limit = limits.milliseconds(cost.flops, cost.bytes, cost.footprint)
    return replace(result, flops=cost.flops, bytes=cost.bytes, limit_ms=limit)


def check(workload: Workload, turns: Sequence[Turn]) -> float:
    """Compare what the sides computed; those that most others contradict are marked as wrong.

    Where there is no majority, as between two sides, all are.

    Args:
        workload: says how much of a difference is allowed.
        turns: sides with their values, [steps, ...].

    Returns:
        The largest relative difference of those that agree.
    """

    def agree(*some: Turn) -> bool:
        return relative_difference([turn.values for turn in some]) <= workload.tolerance

    right = [t for t in turns if 2 * sum(agree(t, other) for other in turns) > len(turns)]
    if not agree(*right):
        right = []
    for turn in turns:
        if turn not in right:
            difference = relative_difference([t.values for t in (turn, *(right or turns))])
            allowed = f"{workload.tolerance:.0e} is allowed"
            text = f"values differ by {difference:.1e}, relatively; {allowed}"
            turn.side = replace(turn.side, wrong=text)
            _say(f"  WRONG: {turn.side.name}: {text}")
    if len(right) < len(turns):
        _say("\n".join(f"    {t.side.name}: {t.values[:, :4].tolist()}" for t in turns))
    difference = relative_difference([turn.values for turn in right])
    _say(f"  {CHECKED_STEPS} steps agree: {len(right)} sides, {difference:.1e} apart, relatively")
    return difference


def relative_difference(values: Sequence[Array]) -> float:
    """How far the sides are apart at the worst step, as a share of the step's largest value.

    Args:
        values: of each side, [steps, ...].

    Returns:
        Infinity if a value is not finite, or the sides differ in how many values there are.
    """
    if not values:
        return 0.0
    if len({value.shape for value in values}) > 1:
        return float("inf")
    every = np.stack(values)
    if not np.isfinite(every).all():
        return float("inf")
    steps = np.moveaxis(every, 1, 0).reshape(every.shape[1], len(values), -1)
    spread = np.ptp(steps, axis=1).max(axis=1)
    largest = np.abs(steps).max(axis=(1, 2))
    return float((spread / np.maximum(largest, sys.float_info.min)).max())


def import_time(system: System, runs: int) -> ImportTime:
    """How long a system takes to import, beyond NumPy.

    Raises:
        BenchmarkError: the program that imports it failed.
    """
    package = system.peer.package
    program = (
        "import time, numpy",
        "start = time.perf_counter()",
        f"import {package}",
        "print((time.perf_counter() - start) * 1e3)",
    )
    return ImportTime(system.peer.label, package, printed_numbers(system.python, program, runs))


def starts(workload: Workload, system: System, runs: int) -> tuple[list[Start], list[str]]:
    """What it takes to begin with a workload, for each variant of a system.

    Returns:
        What was measured, and a line for each variant that could not be, beside those that cannot
        run on this machine.
    """
    made: list[Start | None] = []
    failed: list[str] = []
    variant = ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        workload.data().save(path)
        try:
            with system.start() as worker:
                variants = worker.ask("open", workload=workload.name, data=str(path))["variants"]
        except WorkerError as error:
            return [], [_said(error, f"start of {system.peer.label}")]
        for variant in variants:
            what = f"start of {system.peer.label} {variant}".rstrip() + f" with {workload.name}"
            _say(what)
            try:
                made.append(_start(workload, system, path, variant, runs))
            except WorkerError as error:
                failed.append(f"{what}: {_said(error, what)}")
    return [start for start in made if start is not None], failed


def _start(workload: Workload, system: System, data: Path, variant: str, runs: int) -> Start | None:
    """None if the variant cannot run."""
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
    return Start(workload.name, system.peer.label, variant, *zip(*figures, strict=True))


def _first_step(workload: Workload, worker: Worker, data: Path, variant: str) -> float | None:
    worker.ask("open", workload=workload.name, data=str(data))
    seconds = worker.ask("prepare", variant=variant, trials=False).get("seconds")
    return None if seconds is None else float(seconds)


def _prepare(workload: Workload, worker: Worker, data: Path) -> list[Turn]:
    """A side for each variant of a system, ready to be timed, with what it computes."""
    try:
        variants = worker.ask("open", workload=workload.name, data=str(data))["variants"]
    except WorkerError as error:
        return [Turn(worker, Side(worker.name, "", not_run=_said(error, worker.name)))]
    turns = [Turn(worker, Side(worker.name, variant)) for variant in variants]
    for turn in turns:
        if answer := turn.ask("prepare", trials=True):
            way, not_run = answer.get("way", ""), answer.get("not_run", "")
            turn.side = replace(turn.side, way=way, not_run=not_run)
        if not turn.side.missing and (checked := turn.ask("check", steps=CHECKED_STEPS)):
            turn.values = np.array(checked["values"])
    return turns


def _take_turns(workload: Workload, turns: Sequence[Turn], rounds: int) -> float:
    """Time them round by round; the cores that other programs kept busy meanwhile."""
    others = []
    for i in range(rounds):
        for turn in turns:
            if not turn.side.missing:
                time.sleep(SETTLE)
                others.append(busy_cores(LISTEN))
                _round(workload, turn)
        left = [turn for turn in turns if not turn.side.missing]
        times = ", ".join(f"{turn.side.name} {turn.times[-1]:.4g}" for turn in left)
        _say(f"  round {i + 1}: {times} ms")
    return statistics.mean(others) if others else 0.0


def _round(workload: Workload, turn: Turn) -> None:
    """Note milliseconds per step, or what went wrong."""
    answer = turn.ask("time", warm_up=workload.warm_up, steps=workload.steps)
    if answer is None:
        return
    turn.times.append(float(answer["seconds"]) / workload.steps * 1e3)
    if not answer["finite"]:
        turn.side = replace(turn.side, wrong="after the timed steps, its values are not finite")
        _say(f"  WRONG: {turn.side.name}: {turn.side.wrong}")


def _outcome(turn: Turn) -> Side:
    """The side, with its times if they are worth comparing."""
    return turn.side if turn.side.missing else replace(turn.side, ms_per_step=turn.times)


def _said(error: WorkerError, whose: str) -> str:
    """The reason in short, after it has been told in full."""
    _say(f"  {whose}: {error}")
    return error.reason


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
