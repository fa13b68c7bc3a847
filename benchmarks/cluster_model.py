"""How fast 2 to 1,000 workers would train, from costs that are measured here.

    python -m benchmarks.cluster_model [--write]

It measures the steps of one process, what adding and copying a byte costs, and what a message
costs; it simulates each way of training step by step, with steps drawn from the measured ones; and
it compares the prediction for two workers of this machine with a real run. `--write` writes
docs/cluster_model.md and its picture.
"""

from __future__ import annotations

import argparse
import heapq
import math
import socket
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.all_reduce import thalweg_steps
from benchmarks.cluster_page import write
from thalweg.cluster.collective.layout import combine
from thalweg.cluster.wire import Connection, Message
from thalweg.session.at_once import at_once

__all__ = ["WAYS", "Costs", "efficiency"]

WORKERS = (1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000)
STEPS = 40  # that are simulated for each number of workers
LOCAL = 8  # steps between two averages
BACKUPS = 0.05  # of the workers
SERVERS = 0.25  # for each worker
MICRO_BATCHES = 32
STAGES = 8  # into which a pipeline cuts the network at most
BYTES = 4 * 3_274_634  # of the variables of the tutorial's convolutional network
ACTIVATION_BYTES = 4 * 50 * 14 * 14 * 32  # between two stages, for a mini-batch


@dataclass(frozen=True)
class Costs:
    """What things cost, in seconds.

    Attributes:
        steps: measured times of one process for a step, from which the simulation draws.
        latency: of a small message.
        byte: of sending a byte from one process to another.
        adding: of adding a byte of one gradient to another, and of packing it.
        update: of applying a byte of gradients.
    """

    steps: tuple[float, ...]
    latency: float
    byte: float
    adding: float
    update: float


class Times:
    """Draws times of steps from measured ones, the same for the same seed."""

    def __init__(self, costs: Costs, workers: int) -> None:
        self._rng = np.random.default_rng(workers)
        self._steps = np.asarray(costs.steps)

    def draw(self, *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """So many times."""
        return self._rng.choice(self._steps, shape)


def all_reduce_seconds(costs: Costs, workers: int) -> float:
    """An all-reduce: each sends and gets all parts but one, twice, and adds its own."""
    if workers == 1:
        return 0.0
    moved = 2 * (workers - 1) / workers * BYTES
    messages = 2 * (workers - 1) * costs.latency / 4  # which are sent one after the other
    return 2 * costs.latency + messages + moved * costs.byte + BYTES * costs.adding


def all_reduce(costs: Costs, workers: int) -> float:
    """Steps a second of all workers together, where each waits for the slowest."""
    slowest = Times(costs, workers).draw(STEPS, workers).max(1).mean()
    return float(workers / (slowest + all_reduce_seconds(costs, workers)))


def local_steps(costs: Costs, workers: int) -> float:
    """The same where they come together every few steps."""
    slowest = Times(costs, workers).draw(STEPS, workers, LOCAL).sum(2).max(1).mean()
    return float(workers * LOCAL / (slowest + all_reduce_seconds(costs, workers)))


def servers_of(workers: int) -> int:
    """How many parameter servers there are."""
    return max(1, math.ceil(workers * SERVERS))


def asynchronous(costs: Costs, workers: int) -> float:
    """Workers that wait for nobody but the servers, which serve one after the other."""
    if workers == 1:
        return 1 / statistics.mean(costs.steps)
    times, servers = Times(costs, workers).draw(STEPS, workers), servers_of(workers)
    part = BYTES / servers
    service = part * (2 * costs.byte + costs.update) + 2 * costs.latency
    free = 0.0  # when the servers are; they are alike, and each request goes to all of them
    waiting = [(float(times[0, n]), n, 0) for n in range(workers)]
    heapq.heapify(waiting)
    end = 0.0
    while waiting:
        now, worker, step = heapq.heappop(waiting)
        free = max(now, free) + service
        own = max(free, now + 2 * BYTES * costs.byte)  # a worker's own link carries all parts
        end = max(end, own)
        if step + 1 < STEPS:
            heapq.heappush(waiting, (own + float(times[step + 1, worker]), worker, step + 1))
    return workers * STEPS / end


def synchronous(costs: Costs, workers: int, backups: int = 0) -> float:
    """Workers that wait for the slowest but a few, whose gradients are dropped."""
    if workers == 1:
        return 1 / statistics.mean(costs.steps)
    needed, servers = workers - backups, servers_of(workers)
    times = np.sort(Times(costs, workers).draw(STEPS, workers), 1)[:, needed - 1].mean()
    part = BYTES / servers
    at_servers = workers * part * (2 * costs.byte + costs.adding) + part * costs.update
    exchange = max(at_servers, 2 * BYTES * costs.byte) + 4 * costs.latency
    return float(needed / (times + exchange))


def with_backups(costs: Costs, workers: int) -> float:
    """The same with some workers more than are waited for; those are counted, too."""
    return synchronous(costs, workers, round(BACKUPS * workers))


def pipeline(costs: Costs, workers: int) -> float:
    """The network cut in stages, and all-reduce between pipelines if there are more workers."""
    stages = min(workers, STAGES)
    pipelines = max(1, workers // stages)
    used = stages * pipelines
    step = Times(costs, workers).draw(STEPS, used).max(1).mean()
    bubble = (stages - 1) / (MICRO_BATCHES + stages - 1)
    sent = 2 * ACTIVATION_BYTES * costs.byte + 2 * MICRO_BATCHES * costs.latency
    sent = sent if stages > 1 else 0.0
    reduced = all_reduce_seconds(costs, pipelines) / stages  # each stage its own variables
    return float(used / (step / (1 - bubble) + stages * sent / max(1, stages - 1) + reduced))


WAYS: dict[str, Callable[[Costs, int], float]] = {
    "all-reduce": all_reduce,
    f"local steps ({LOCAL})": local_steps,
    "parameter servers, asynchronous": asynchronous,
    "parameter servers, synchronous": synchronous,
    f"synchronous, {BACKUPS:.0%} backups": with_backups,
    f"pipeline of {STAGES} stages": pipeline,
}


def efficiency(costs: Costs, way: str, workers: int) -> float:
    """The speed of some workers, for each of them, relative to one alone."""
    alone = 1 / statistics.mean(costs.steps)
    if workers == 1:
        return 1.0
    return WAYS[way](costs, workers) / workers / alone


# -- measuring


def measured(steps: int) -> Costs:
    """The costs of this machine: messages go through the loopback address."""
    # Two processes that have nothing to do with each other, as two workers share the machine.
    both = at_once([lambda: thalweg_steps(1, 50, steps)] * 2)
    alone = [seconds for (one,) in both for seconds in one.seconds]
    latency, byte = _message_costs()
    a, b = np.ones(BYTES // 4, np.float32), np.ones(BYTES // 4, np.float32)
    adding = _seconds(lambda: combine([a, b], a, True)) / BYTES
    update = _seconds(lambda: np.multiply(a, 0.5, out=b)) * 3 / BYTES  # reads and writes 6 arrays
    return Costs(tuple(alone), latency, byte, adding, update)


def shared_memory(costs: Costs) -> Costs:
    """Costs within a machine: a byte is copied once to where the others see it, and not sent."""
    a, b = np.ones(BYTES // 4, np.float32), np.ones(BYTES // 4, np.float32)
    copying = _seconds(lambda: np.copyto(a, b)) / BYTES
    return replace(costs, byte=copying, adding=costs.adding / 2)


def _message_costs() -> tuple[float, float]:
    """The seconds of a small message, and of a byte of a large one."""
    ends = [Connection(one) for one in socket.socketpair()]
    echo = threading.Thread(target=_echo, args=(ends[1],))
    echo.start()
    large = [np.ones(BYTES // 4, np.float32)]
    times = {}
    for name, arrays in (("small", []), ("large", large)):

        def there_and_back(arrays: Sequence[np.ndarray] = arrays) -> None:
            ends[0].send(Message(1, None, arrays))
            ends[0].receive()

        times[name] = _seconds(there_and_back)
    ends[0].close()
    echo.join()
    ends[1].close()
    return times["small"] / 2, (times["large"] - times["small"]) / BYTES


def _echo(connection: Connection) -> None:
    try:
        while True:
            connection.receive()
            connection.send(Message(1))
    except Exception:
        return  # the other side has closed it


def _seconds(work: Callable[[], object], rounds: int = 15) -> float:
    """The shortest of some times: the others were disturbed."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


NETWORKS = {  # seconds of a small message, and bits a second
    "10 Gb/s, 50 us": (50e-6, 10e9),
    "1 Gb/s, 1 ms": (1e-3, 1e9),
}


def main() -> None:
    """Measure, simulate, and print or write the page."""
    parser = argparse.ArgumentParser(description="Predict how fast many workers train.")
    parser.add_argument("--steps", type=int, default=100, help="to measure")
    parser.add_argument("--write", action="store_true", help="docs/cluster_model.md")
    arguments = parser.parse_args()
    costs = measured(arguments.steps)
    here = shared_memory(costs)
    checks: list[tuple[str, float, float]] = []
    for way, local in (("all-reduce", 1), (f"local steps ({LOCAL})", LOCAL)):
        real = thalweg_steps(2, 50, arguments.steps, local)
        seconds = max(statistics.mean(one.seconds) for one in real)
        checks.append((way, WAYS[way](here, 2), 2 / seconds))
    tables = {}
    for name, (latency, bits) in NETWORKS.items():
        there = replace(costs, latency=latency, byte=8 / bits)
        tables[name] = {
            way: [efficiency(there, way, workers) for workers in WORKERS] for way in WAYS
        }
    write(costs, here, checks, tables, WORKERS, to_docs=arguments.write)


if __name__ == "__main__":
    main()
