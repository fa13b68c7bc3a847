"""Thalweg's worker: `python -m benchmarks.peers.thalweg_worker THREADS`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import metadata

import numpy as np

import thalweg
from benchmarks.models import Data
from benchmarks.protocol import Ways, serve
from benchmarks.workloads import WORKLOADS


def main(threads: int) -> None:
    """Serve until standard input ends."""

    def variants(workload: str, data: Data) -> Mapping[str, Ways]:
        return {"": [lambda: WORKLOADS[workload].build(data, threads)]}

    versions = {
        "thalweg": thalweg.__version__,
        "llvmlite": metadata.version("llvmlite"),
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    serve(versions, variants)


if __name__ == "__main__":
    main(int(sys.argv[1]))
