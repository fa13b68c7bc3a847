"""Small programs of TensorFlow 1's API: their results here, against those of TensorFlow.

    python -m tests.compat_v1 [--only TEXT ...] [--backend numpy] [--python PYTHON] [--write]

Without --python, the environment of TensorFlow is made as the benchmarks make it. --write keeps
TensorFlow's results in `expected.npz`, which the tests compare with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import thalweg as tf
from tests.compat_v1.bench import run, store
from tests.compat_v1.catalogue import FAILING, PROGRAMS
from tests.compat_v1.compare import Results, differences, results_of

ROOT = Path(__file__).parents[2]
EXPECTED = Path(__file__).with_name("expected.npz")


def main() -> int:
    options = _options()
    os.environ["THALWEG_STRICT"] = "1"  # no slower way where the compiler fails
    names = [n for n in PROGRAMS if not options.only or any(text in n for text in options.only)]
    wanted = _by_tensorflow(options.python, names)
    found = [name for name in names if _report(name, wanted, options.backend)]
    print(f"{len(names)} programs, {len(found)} findings")
    if options.write:
        store(EXPECTED, _kept(wanted))
    return bool(found)


def _report(name: str, wanted: Results, backend: str) -> bool:
    """Print what is different in a program, if anything is."""
    made = run(tf, PROGRAMS[name], tf.ConfigProto(backend=backend))
    lines = list(differences(made, results_of(name, wanted), name in FAILING))
    for line in lines:
        print(f"{name}: {line}", flush=True)
    return bool(lines)


def _kept(wanted: Results) -> Results:
    """These results, and those that are kept already of other programs that there still are."""
    if not EXPECTED.exists():
        return wanted
    made = {key.rpartition("/")[0] for key in wanted}
    with np.load(EXPECTED, allow_pickle=False) as before:
        names = {key: key.rpartition("/")[0] for key in before.files}
        left = [key for key, name in names.items() if name in PROGRAMS and name not in made]
        return {**{key: before[key] for key in left}, **wanted}


def _by_tensorflow(python: str | None, names: list[str]) -> Results:
    """TensorFlow's results."""
    if python is None:
        from benchmarks.environments import ensure
        from benchmarks.peers import PEERS

        python = str(ensure(PEERS["tensorflow"]))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "results.npz")
        command = [python, "-m", "tests.compat_v1.peer", str(out), *names]
        subprocess.run(command, check=True, cwd=ROOT, timeout=1800)
        with np.load(out, allow_pickle=False) as results:
            return dict(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compat_v1", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="programs whose names have it")
    parser.add_argument("--backend", default="llvm", choices=["llvm", "numpy"])
    parser.add_argument("--python", help="of an environment that has TensorFlow")
    parser.add_argument("--write", action="store_true", help="keep the results for the tests")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
