"""The worker of Thalweg on XLA: `python -m benchmarks.peers.thalweg_xla_worker THREADS`.

XLA takes as many threads as the process may use CPUs; on a machine with a GPU it takes that.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import metadata

import thalweg
from benchmarks.models import Data
from benchmarks.protocol import Ways, serve
from benchmarks.workloads import WORKLOADS, graph_model


def main(threads: int) -> None:
    """Serve until standard input ends."""
    graph_model.BACKEND[0] = "xla"

    def variants(workload: str, data: Data) -> Mapping[str, Ways]:
        return {"": [lambda: WORKLOADS[workload].build(data, threads)]}

    versions = {"thalweg": thalweg.__version__, "jax": metadata.version("jax")}
    serve({**versions, "python": sys.version.split()[0]}, variants)


if __name__ == "__main__":
    main(int(sys.argv[1]))
