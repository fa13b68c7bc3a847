"""Saving and restoring, beside the safetensors library and PyTorch.

    python -m benchmarks.checkpoints [--megabytes 1024] [--rounds 5]

Each side writes the same float32 values to the same folder, waits for the disk (`fsync`), and reads
them again, with the file in the system's cache. A restore fills the variables of a new session. It
checks every byte's checksum, which the others do not. A save in the background is timed until
`save` returns, and the training steps beside it are not.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

import thalweg as tf
from benchmarks.environments import ensure
from benchmarks.peers import PEERS
from benchmarks.process import ROOT

ARRAYS = 32
MEGABYTE = 1 << 20
Times = dict[str, list[float]]


def timed(work: Callable[[], object]) -> float:
    """The seconds that something takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class Thalweg:
    """Variables in a session, and savers of both formats.

    Args:
        folder: for checkpoints.
        elements: of each variable.
    """

    def __init__(self, folder: Path, elements: int) -> None:
        self._folder = folder
        with tf.Graph().as_default() as self._graph:
            self._variables = [tf.Variable(tf.zeros([elements])) for _ in range(ARRAYS)]
            self._savers = {f: tf.train.Saver(format=f) for f in ("thalweg", "tensorflow")}
        self._session = tf.Session(graph=self._graph)
        for n, variable in enumerate(self._variables):
            variable.load(np.full(elements, n, np.float32), self._session)

    def round(self, times: Times) -> None:
        """Save and restore once in every way."""
        # Each format goes first in turn: the first write after a pause waits for new memory.
        self._savers = dict(reversed(self._savers.items()))
        for format, saver in self._savers.items():
            path = self._folder / format
            save = partial(saver.save, self._session, path, write_meta_graph=False)
            times.setdefault(f"save, {format}", []).append(timed(save))
            returned = timed(partial(save, background=True))
            times.setdefault(f"save in the background, {format}", []).append(returned)
            saver.wait()
            times.setdefault(f"restore, {format}", []).append(self._restored(saver, path))

    def _restored(self, saver: tf.train.Saver, path: Path) -> float:
        with tf.Session(graph=self._graph) as session:
            seconds = timed(lambda: saver.restore(session, path))
            assert session.run(self._variables[-1][-1]) == ARRAYS - 1
        return seconds


def library_round(folder: Path, arrays: dict[str, Any], times: Times) -> None:
    """Save and load once with the safetensors library."""
    path = folder / "library.safetensors"

    def save() -> None:
        safetensors.numpy.save_file(arrays, path)
        file = os.open(path, os.O_RDONLY)
        os.fsync(file)
        os.close(file)

    times.setdefault("save_file of safetensors", []).append(timed(save))
    loaded: list[Any] = []
    load = lambda: loaded.append(safetensors.numpy.load_file(path))  # noqa: E731
    times.setdefault("load_file of safetensors", []).append(timed(load))
    assert loaded[0][f"v{ARRAYS - 1}"][-1] == ARRAYS - 1


def torch_rounds(folder: Path, elements: int, rounds: int) -> Times:
    """What PyTorch takes, in a process of its own."""
    python = ensure(PEERS["torch"])
    module = "benchmarks.peers.torch_checkpoints"
    command = [str(python), "-m", module, str(folder), *map(str, (ARRAYS, elements, rounds))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    made: Times = json.loads(done.stdout)
    return {"torch.save": made["save"], "torch.load": made["load"]}


def copy_rounds(megabytes: int, rounds: int) -> Times:
    """How fast the memory is: a copy to memory that is in use, and one to new memory."""
    source = np.ones(megabytes * MEGABYTE, np.uint8)
    target = source.copy()
    warm = [timed(lambda: np.copyto(target, source)) for _ in range(rounds)]
    return {
        "copy in memory": warm,
        "copy to new memory": [timed(source.copy) for _ in range(rounds)],
    }


def main() -> None:
    """Measure, and print a table: the median and the least of all rounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoints", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", default=None, help="where to write; a temporary folder if left out"
    )
    given = parser.parse_args()
    elements = given.megabytes * MEGABYTE // 4 // ARRAYS
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder, times = Path(name), Times()
        ours = Thalweg(folder, elements)
        arrays = {f"v{n}": np.full(elements, n, np.float32) for n in range(ARRAYS)}
        for _ in range(given.rounds):
            ours.round(times)
            library_round(folder, arrays, times)
        times |= torch_rounds(folder, elements, given.rounds)
    times |= copy_rounds(given.megabytes, given.rounds)
    print(f"{given.megabytes} MiB in {ARRAYS} arrays, {given.rounds} rounds")
    print(f"{'':40}  median s   least s   GB/s at the least")
    for what, seconds in times.items():
        rate = given.megabytes * MEGABYTE / min(seconds) / 1e9
        print(f"{what:40} {statistics.median(seconds):9.3f} {min(seconds):9.3f} {rate:8.1f}")


if __name__ == "__main__":
    main()
