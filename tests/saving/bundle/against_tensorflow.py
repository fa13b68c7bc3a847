"""Bundles back and forth with real TensorFlow, in its own environment:

    python -m tests.saving.bundle.against_tensorflow

makes the environment of the benchmarks' peer if there is none.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import thalweg as tf
from benchmarks.environments import ensure
from benchmarks.peers import PEERS
from tests.saving.bundle.samples import described, samples
from thalweg.saving.bundle.bundle import BundleFile
from thalweg.saving.bundle.write import write_bundle

ROOT = Path(__file__).resolve().parents[3]


def with_tensorflow(command: str, path: str) -> str:
    """What TensorFlow's side prints."""
    python = ensure(PEERS["tensorflow"])
    module = "tests.saving.bundle.with_tensorflow"
    done = subprocess.run(
        [python, "-m", module, command, path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """The names of tensors that differ, or that only one side has."""
    return [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]


def what_they_write(folder: Path) -> list[str]:
    """Read here what TensorFlow writes."""
    with_tensorflow("write", str(folder))
    plain, training = BundleFile(str(folder / "plain")), BundleFile(str(folder / "training-3"))
    expected = np.load(folder / "training.npz")
    return differences(_all(plain), _all(samples())) + differences(_all(training), _all(expected))


def what_we_write(folder: Path) -> list[str]:
    """Let TensorFlow read what is written here: every dtype, many tensors, and a saver's."""
    values = samples() | {f"many/{n}": np.full((n % 7, 2), n, np.int16) for n in range(20_000)}
    write_bundle(folder / "ours", values)
    found = json.loads(with_tensorflow("read", str(folder / "ours")))
    with tf.Graph().as_default(), tf.Session() as session:
        tf.Variable(tf.random_normal([30, 20], seed=1), name="scope/weights")
        path = tf.train.Saver(format="tensorflow").save(session, folder / "saver", global_step=7)
        saved = {"scope/weights": tf.train.load_variable(path, "scope/weights")}
    state = json.loads(with_tensorflow("read", str(folder)))  # by way of the state file
    state.pop("_THALWEG_CHECKPOINT")
    return differences(_all(values), found) + differences(_all(saved), state)


def _all(tensors: Any) -> dict[str, Any]:
    return {name: described(tensors[name]) for name in tensors}


def main() -> int:
    """Prints what differs; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        found = what_they_write(Path(folder)) + what_we_write(Path(folder))
    print("\n".join(found) or "TensorFlow and Thalweg read each other's bundles alike")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
