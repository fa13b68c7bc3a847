"""Processes that are killed, or start together, while they share one disk cache.

    python -m tests.backends.native.crashes --kills 1000 --races 50 --mutations 10000

Each kill ends a process at a random instant while it plans, compiles, runs and tunes, in a folder
that is empty or has seen other kills; what starts next in that folder must compute the right
numbers. In each race some processes start at once in an empty folder, and all must be right. Before
each start with mutations, every entry is damaged, or something else is put in its place.

All are forks of a process that has imported Thalweg and not used it yet: imports write nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import thalweg as tf


def computed(tuned: bool) -> bytes:
    """What a small network computes in three steps; it may be tuned after the first."""
    rng = np.random.default_rng(0)
    x = tf.placeholder(tf.float32, [None, 12, 12, 3])
    filters = tf.Variable(rng.normal(size=(3, 3, 3, 16)).astype(np.float32))
    hidden = tf.nn.relu(tf.nn.conv2d(x, filters, [1, 1, 1, 1], "SAME"))
    pooled = tf.nn.max_pool(hidden, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    weights = tf.Variable(rng.normal(size=(576, 5)).astype(np.float32))
    logits = tf.matmul(tf.reshape(pooled, [-1, 576]), weights)
    step = tf.train.AdamOptimizer(1e-3).minimize(tf.reduce_mean(tf.square(logits)))
    feeds = {x: rng.normal(size=(50, 12, 12, 3)).astype(np.float32)}
    with tf.Session() as session:
        made = [session.run([logits, step], feeds)[0]]
        if tuned:
            session.tune([logits, step], feeds)
        made += [session.run([logits, step], feeds)[0] for _ in range(2)]
    return np.stack(made).tobytes()


class Process:
    """A fork that computes with a cache in a folder."""

    def __init__(self, folder: Path, tuned: bool = False) -> None:
        self._read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._run(folder, write, lambda: computed(tuned))
        os.close(write)

    @staticmethod
    def _run(folder: Path, write: int, work: Callable[[], bytes]) -> None:
        status = 1
        try:
            # On one thread it takes less time where others want the CPUs, and computes the same.
            os.environ |= {"THALWEG_CACHE_DIR": str(folder), "THALWEG_NUM_THREADS": "1"}
            with open(write, "wb") as pipe:
                pipe.write(work())
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)

    def kill_after(self, seconds: float) -> None:
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGKILL)
        self.result()

    def result(self) -> bytes:
        """What it has computed, all or nothing."""
        with open(self._read, "rb") as pipe:
            made = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        return made if status == 0 else b""


def kills(count: int, seed: int) -> int:
    """Kill processes at random instants; how often the next start was wrong."""
    chooser, wrong = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top, "cache")
        right = Process(folder).result()
        shutil.rmtree(folder)
        start = time.perf_counter()
        Process(folder, tuned=True).result()
        most = time.perf_counter() - start
        for _ in range(count):
            if chooser.random() < 0.3:
                shutil.rmtree(folder, ignore_errors=True)
            # A start with a warm cache takes a small part of a cold one with tuning.
            Process(folder, tuned=chooser.random() < 0.5).kill_after(most * chooser.random() ** 3)
            wrong += Process(folder).result() != right
    return wrong + (not right)


def races(count: int, processes: int) -> int:
    """Start processes together on an empty cache; how many were wrong."""
    with tempfile.TemporaryDirectory() as top:
        right, wrong = Process(Path(top, "right")).result(), 0
        for number in range(count):
            folder = Path(top, str(number))
            running = [Process(folder) for _ in range(processes)]
            wrong += sum(process.result() != right for process in running)
            wrong += Process(folder).result() != right
            shutil.rmtree(folder)
    return wrong + (not right)


def mutations(count: int, seed: int) -> int:
    """Start with folders in which no entry is sound, `count` in all; how many starts were wrong."""
    chooser, wrong, left = random.Random(seed), 0, count
    with tempfile.TemporaryDirectory() as top:
        good, folder = Path(top, "good"), Path(top, "cache")
        right = Process(good).result()
        while left > 0:
            shutil.copytree(good, folder)
            paths = sorted(folder.iterdir())
            for path in paths:
                mutate(path, chooser, good / chooser.choice(paths).name)
            left -= len(paths)
            wrong += Process(folder).result() != right
            wrong += Process(folder).result() != right  # with what the one before has made
            shutil.rmtree(folder)
    return wrong + (not right)


def mutate(path: Path, chooser: random.Random, other: Path) -> None:
    """Damage an entry, or put something else in its place, such as another entry."""
    content = bytearray(path.read_bytes())
    a, b = sorted(chooser.choices(range(len(content)), k=2))
    path.unlink()
    match chooser.randrange(10):
        case 0:
            content[a] ^= 1 << chooser.randrange(8)
        case 1:
            content[a : b + 1] = chooser.randbytes(b + 1 - a)
        case 2:
            content[a : b + 1] = bytes(b + 1 - a)
        case 3:
            content[a:a] = content[a : b + 1]
        case 4:
            del content[a:]
        case 5:
            content = bytearray(other.read_bytes())
        case 6:
            return os.mkfifo(path)
        case 7:
            return path.symlink_to(other)
        case 8:
            return path.mkdir()
        case 9:
            pass  # it is gone
    path.write_bytes(content)
    path.chmod(0o600)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0, help="how many processes to kill")
    parser.add_argument("--races", type=int, default=0, help="how often to start some at once")
    parser.add_argument("--processes", type=int, default=8, help="how many in a race")
    parser.add_argument("--mutations", type=int, default=0, help="how many entries to damage")
    parser.add_argument("--seed", type=int, default=0, help="of the instants and mutations")
    chosen = parser.parse_args()
    runs: dict[str, Callable[[int], int]] = {
        "kills": partial(kills, seed=chosen.seed),
        "mutations": partial(mutations, seed=chosen.seed),
        "races": partial(races, processes=chosen.processes),
    }
    wrong = 0
    for name, run in runs.items():
        count = getattr(chosen, name)
        found = run(count) if count else 0
        print(f"{count} {name} with seed {chosen.seed}: {found} processes were wrong", flush=True)
        wrong += found
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
