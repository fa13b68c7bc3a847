"""Training the tutorial's convolutional network by one and by two processes of one thread each.

    python -m benchmarks.all_reduce [--rows 50] [--steps 60] [--rounds 3] [--no-torch]

Each process has mini-batches of `--rows`, so that two processes do twice the work of one. The other
side is PyTorch's DistributedDataParallel over gloo, run eagerly. Sides take turns, and the fastest
round counts: the others were disturbed by something. The last column is the time of one process
relative to that of two, which is their efficiency. Where other programs use the machine, CPU times
tell more than times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.environments import ensure
from benchmarks.peers import PEERS
from benchmarks.process import ROOT
from thalweg.cluster.launch.local import LocalStarter, free_addresses
from thalweg.cluster.launch.supervisor import Plan, Supervisor
from thalweg.cluster.launch.task import Task

__all__ = ["Times", "thalweg_steps"]


@dataclass(frozen=True)
class Times:
    """What a process took.

    Attributes:
        seconds: of each step.
        cpu: seconds of CPUs a step, its own waiting left out.
    """

    seconds: list[float]
    cpu: float


def thalweg_steps(workers: int, rows: int, steps: int, local_steps: int = 1) -> list[Times]:
    """The times of each process."""
    module = "benchmarks.peers.thalweg_all_reduce"
    command = sys.executable, "-m", module, str(rows), str(steps), str(local_steps)
    lines: list[str] = []

    def say(task: Task | None, line: str) -> None:
        if line.startswith("{"):
            lines.append(line)
        else:
            print(line, file=sys.stderr)

    plan = Plan(command, workers, threads=1)
    if Supervisor(plan, LocalStarter(), say).run() or len(lines) != workers:
        raise RuntimeError("a process has failed")
    return [Times(**json.loads(line)) for line in lines]


def torch_steps(workers: int, rows: int, steps: int) -> list[Times]:
    """The same of PyTorch's."""
    peer = PEERS["torch"]
    command = [str(ensure(peer)), "-m", "benchmarks.peers.torch_all_reduce"]
    port = free_addresses("127.0.0.1", 1)[0].rpartition(":")[2]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(workers), port, str(rows), str(steps)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(workers)
    ]
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    return [Times(**json.loads(output)) for output in outputs]


def usual(times: Sequence[Times]) -> tuple[float, float]:
    """The seconds of a usual step of the slowest process, and its CPU time."""
    return max(statistics.median(one.seconds) for one in times), max(one.cpu for one in times)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-torch", action="store_true")
    arguments = parser.parse_args()
    sides: dict[str, Callable[[int, int, int], list[Times]]] = {"Thalweg": thalweg_steps}
    if not arguments.no_torch:
        sides["PyTorch"] = torch_steps
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(arguments.rounds):
        for name, run in sides.items():
            for workers in (1, 2):
                times = usual(run(workers, arguments.rows, arguments.steps))
                found.setdefault((name, workers), []).append(times)
    print(f"{arguments.rows} rows a process; milliseconds a step, the best of the rounds")
    for name in sides:
        for number, what in enumerate(("time", "CPU")):
            one, two = [1e3 * min(t[number] for t in found[name, n]) for n in (1, 2)]
            print(
                f"{name:8} {what:4}  1 process {one:6.1f}  2 processes {two:6.1f}  {one / two:.2f}"
            )


if __name__ == "__main__":
    main()
