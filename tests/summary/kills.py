"""Writers of event files that are killed: `python -m tests.summary.kills --count 200`.

A child adds summaries, each with its step, and says on a pipe which step it has added last. It is
killed at a random instant. Then its file must hold every step up to that one, and damage nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import thalweg as tf

LARGEST = 2_000_000  # bytes of a summary: a write that long takes a while


def write_until_killed(folder: Path, pipe: int, seed: int) -> None:
    """Add summaries of all sizes, one after the other."""
    r, step = random.Random(seed), 0
    with tf.summary.FileWriter(folder) as writer:
        while True:
            size = int(LARGEST ** r.random())
            image = tf.Summary.Image(encoded_image_string=bytes(size))
            writer.add_summary(tf.Summary(value=[tf.Summary.Value(tag="a", image=image)]), step)
            os.write(pipe, step.to_bytes(8, "little"))
            step += 1


def kill_one(folder: Path, seed: int) -> tuple[int, int]:
    """Kill a writer; how many steps it said it had added, and how many are in its file.

    Raises:
        DataLossError: if the file is damaged.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        write_until_killed(folder, writing, seed)
    os.close(writing)
    time.sleep(random.Random(seed).uniform(0.01, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        said = len(pipe.read()) // 8
    steps = [
        event.step
        for path in folder.glob("*tfevents*")
        for event in tf.train.summary_iterator(path)
        if event.HasField("summary")
    ]
    if steps != list(range(len(steps))):
        raise AssertionError(f"seed {seed}: the steps are {steps}")
    return said, len(steps)


def main() -> int:
    """Kill some writers; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    lost, total = 0, 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        with tempfile.TemporaryDirectory() as folder:
            said, found = kill_one(Path(folder), seed)
        total += said
        if found < said:
            lost += 1
            print(f"seed {seed}: {said} steps were added, {found} are there")
    print(f"{arguments.count} writers killed, {total:,} summaries added, {lost} writers lost some")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
