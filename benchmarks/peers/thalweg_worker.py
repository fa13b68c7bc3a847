"""Thalweg's worker: `python -m benchmarks.peers.thalweg_worker THREADS`."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

import numpy as np

import thalweg
from benchmarks.protocol import Model, serve
from benchmarks.workloads import WORKLOADS


def main(threads: int) -> None:
    """Serve until standard input ends."""

    def build(workload: str, arrays: dict[str, Any]) -> Model:
        return WORKLOADS[workload].build(arrays, threads)

    versions = {
        "thalweg": thalweg.__version__,
        "llvmlite": metadata.version("llvmlite"),
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    serve(versions, build)


if __name__ == "__main__":
    main(int(sys.argv[1]))
