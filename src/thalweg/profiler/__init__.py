"""TensorFlow 1's profiler: the same questions, answered as objects and as its reports.

`thalweg.profile` answers more of them, with blocks, backward passes and the machine's peak.
"""

from thalweg.profiler import timeline
from thalweg.profiler.nodes import GraphNode, MultiGraphNode
from thalweg.profiler.options import ProfileOptionBuilder
from thalweg.profiler.profiler import Profiler, profile

__all__ = [
    "GraphNode",
    "MultiGraphNode",
    "ProfileOptionBuilder",
    "Profiler",
    "profile",
    "timeline",
]
