"""Networks as published: values, gradients and some steps of training, against PyTorch.

    python -m tests.networks [--only NAME ...] [--batches 1 2 4 5 16] [--short]
        [--numpy | --python PYTHON]

Without --python, the environment of PyTorch is made as the benchmarks make it; with --numpy,
Thalweg's NumPy backend in float64 takes its place.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.networks.catalogue import NETWORKS
from tests.networks.compare import Results, differences, trained, trained_by_torch


def main() -> int:
    options = _options()
    os.environ["THALWEG_STRICT"] = "1"  # no slower way where the compiler fails
    bad = 0
    for name in options.only:
        for batch in options.batches:
            start = time.perf_counter()
            wanted = _reference(options, name, batch)
            for dtype in ("float32", "float64"):
                bad += _report(options, name, batch, dtype, wanted)
            print(f"{name} {batch}: {time.perf_counter() - start:.1f} s", flush=True)
    print(f"{bad} findings")
    return bool(bad)


def _reference(options: argparse.Namespace, name: str, batch: int) -> Results:
    if options.numpy:
        return trained(name, batch, "float64", "numpy", options.short)
    if options.python is None:
        from benchmarks.environments import ensure
        from benchmarks.peers import PEERS

        options.python = str(ensure(PEERS["torch"]))
    return trained_by_torch(options.python, name, batch, options.short)


def _report(
    options: argparse.Namespace, name: str, batch: int, dtype: str, wanted: Results
) -> bool:
    try:
        found = differences(trained(name, batch, dtype, "llvm", options.short), wanted, dtype)
    except Exception as error:
        found = [f"{type(error).__name__}: {str(error)[:300]}"]
    for line in found[:8]:
        print(f"  {name}, batch {batch}, {dtype}: {line}")
    return bool(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.networks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2, 4, 5, 16])
    parser.add_argument("--short", action="store_true", help="with fewer repeated blocks")
    parser.add_argument("--numpy", action="store_true", help="compare with the NumPy backend")
    parser.add_argument("--python", help="of an environment that has PyTorch")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
