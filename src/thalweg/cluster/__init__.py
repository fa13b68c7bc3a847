"""Several processes: tasks that hold variables and compiled segments, and sessions over them.

Programs for Horovod change one import: `import thalweg.cluster as hvd`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.graph.later import later as _later

if TYPE_CHECKING:
    from thalweg.cluster.collective.compression import Compression, Compressor
    from thalweg.cluster.collective.errors import LostRankError, Patience
    from thalweg.cluster.collective.functions import (
        allgather,
        allreduce,
        barrier,
        broadcast,
        broadcast_global_variables,
        broadcast_variables,
    )
    from thalweg.cluster.collective.hook import BroadcastGlobalVariablesHook
    from thalweg.cluster.collective.optimizer import DistributedOptimizer
    from thalweg.cluster.collective.process import (
        init,
        is_initialized,
        local_rank,
        local_size,
        rank,
        shutdown,
        size,
    )

_COLLECTIVE = "thalweg.cluster.collective"

# Imported when they are first used: a program with a cluster of tasks needs none of them.
_LATER = {
    "BroadcastGlobalVariablesHook": f"{_COLLECTIVE}.hook",
    "Compression": f"{_COLLECTIVE}.compression",
    "Compressor": f"{_COLLECTIVE}.compression",
    "DistributedOptimizer": f"{_COLLECTIVE}.optimizer",
    "LostRankError": f"{_COLLECTIVE}.errors",
    "Patience": f"{_COLLECTIVE}.errors",
    "allgather": f"{_COLLECTIVE}.functions",
    "allreduce": f"{_COLLECTIVE}.functions",
    "barrier": f"{_COLLECTIVE}.functions",
    "broadcast": f"{_COLLECTIVE}.functions",
    "broadcast_global_variables": f"{_COLLECTIVE}.functions",
    "broadcast_variables": f"{_COLLECTIVE}.functions",
    "init": f"{_COLLECTIVE}.process",
    "is_initialized": f"{_COLLECTIVE}.process",
    "local_rank": f"{_COLLECTIVE}.process",
    "local_size": f"{_COLLECTIVE}.process",
    "rank": f"{_COLLECTIVE}.process",
    "shutdown": f"{_COLLECTIVE}.process",
    "size": f"{_COLLECTIVE}.process",
}

__all__ = [
    "BroadcastGlobalVariablesHook",
    "Compression",
    "Compressor",
    "DistributedOptimizer",
    "LostRankError",
    "Patience",
    "allgather",
    "allreduce",
    "barrier",
    "broadcast",
    "broadcast_global_variables",
    "broadcast_variables",
    "init",
    "is_initialized",
    "local_rank",
    "local_size",
    "rank",
    "shutdown",
    "size",
]

__getattr__ = _later(__name__, _LATER)
