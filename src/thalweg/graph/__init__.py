"""The graph: operations, tensors, scopes, and the record that says what an operation is."""

from thalweg.graph.effects import Effects, Origin, Timing
from thalweg.graph.executor import Executor, execute
from thalweg.graph.graph import (
    Culprit,
    Graph,
    default_graph,
    failed,
    graph_of,
    infer,
    located,
    reset_default_graph,
)
from thalweg.graph.indexed_slices import Gradient, IndexedSlices
from thalweg.graph.node import Operation, Tensor
from thalweg.graph.op import Op, Sample, Spec

__all__ = [
    "Culprit",
    "Effects",
    "Executor",
    "Gradient",
    "Graph",
    "IndexedSlices",
    "Op",
    "Operation",
    "Origin",
    "Sample",
    "Spec",
    "Tensor",
    "Timing",
    "default_graph",
    "execute",
    "failed",
    "graph_of",
    "infer",
    "located",
    "reset_default_graph",
]
