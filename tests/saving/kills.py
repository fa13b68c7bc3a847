"""Kills processes while they save: a whole checkpoint must be there every time.

    python -m tests.saving.kills --count 1000 --seed 0

A child saves again and again in one folder, in a format and a way that are drawn anew for each
child, and is killed at a random instant. Then the folder's latest checkpoint must be whole, all its
values must be of one moment, and it must not be older than the last that `save` has returned.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import thalweg as tf

SIZES = (1, 1000, 300_000)  # elements of the variables
LONGEST_S = 0.04  # that a child lives for after its first save
MOST_PARTS = 3  # unfinished files: only what the last child has left
_STEP = struct.Struct("<q")


class Program:
    """A graph with variables that all have the same number in them."""

    def __init__(self) -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.variables = [tf.Variable(tf.zeros([n]), name=f"v{n}") for n in SIZES]
        self.session = tf.Session(graph=self.graph)
        self.session.run(self.variables)  # so that the child need not compile anything

    def saver(self, format: str) -> tf.train.Saver:
        """A new saver of all variables."""
        with self.graph.as_default():
            return tf.train.Saver(max_to_keep=2, format=format)

    def fill(self, number: int) -> None:
        """Set all elements of all variables."""
        values = {v: np.full(v.static_shape, number, np.float32) for v in self.variables}
        self.session.restore(values)

    def numbers(self, path: str) -> set[float]:
        """All numbers that a checkpoint has."""
        self.fill(-1)
        self.saver("thalweg").restore(self.session, path)
        return {float(n) for v in self.variables for n in np.unique(self.session.run(v))}


def save_for_ever(program: Program, folder: Path, first: int, seed: int, say: int) -> None:
    """What a child does: tell the parent each number whose checkpoint is on the disk."""
    draw = random.Random(seed)
    background = draw.random() < 0.5
    saver = program.saver(draw.choice(["thalweg", "tensorflow"]))
    state = tf.train.get_checkpoint_state(folder)
    if state is not None:
        saver.recover_last_checkpoints(state.all_model_checkpoint_paths)
    for number in range(first, first + 10_000):
        program.fill(number)
        saver.save(program.session, folder / "model", number, background=background)
        if not background:
            os.write(say, _STEP.pack(number))
        elif number > first:  # the one before is done, since this one has begun
            os.write(say, _STEP.pack(number - 1))


def killed(program: Program, folder: Path, first: int, seed: int) -> int:
    """Let a child save, and kill it; the last number that it told."""
    told, say = os.pipe()
    child = os.fork()
    if not child:
        try:
            save_for_ever(program, folder, first, seed, say)
        finally:
            os._exit(1)
    os.close(say)
    with open(told, "rb") as pipe:
        data = pipe.read(_STEP.size)
        time.sleep(random.Random(seed).uniform(0, LONGEST_S))
        os.kill(child, signal.SIGKILL)
        data += pipe.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise AssertionError("the child has ended by itself")
    numbers = [n for (n,) in _STEP.iter_unpack(data[: len(data) // _STEP.size * _STEP.size])]
    return max(numbers, default=first - 1)


def problems(count: int, seed: int, folder: Path) -> Iterator[str]:
    """What is wrong after each of so many kills."""
    program, last = Program(), -1
    for n in range(count):
        told = killed(program, folder, last + 1, seed + n)
        latest = tf.train.latest_checkpoint(folder)
        if latest is None:
            yield f"kill {n}: there is no checkpoint"
            continue
        number = int(latest.rpartition("-")[2])
        if number < told:
            yield f"kill {n}: the latest is of {number}, and {told} had been saved"
        if (found := program.numbers(latest)) != {number}:
            yield f"kill {n}: the checkpoint of {number} has {found}"
        parts = [name for name in os.listdir(folder) if name.endswith(".partial")]
        if len(parts) > MOST_PARTS:
            yield f"kill {n}: {len(parts)} unfinished files are left"
        last = number


def main() -> int:
    """Prints what is wrong; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.saving.kills")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = 0
        for problem in problems(given.count, given.seed, Path(folder)):
            found += 1
            print(problem, flush=True)
        print(f"{given.count} kills, {found} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
