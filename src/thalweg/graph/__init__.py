"""The graph: operations, tensors, scopes, and the record that says what an operation is."""

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
from thalweg.graph.node import Operation, Tensor
from thalweg.graph.op import Op, Sample, Spec

__all__ = [
    "Culprit",
    "Graph",
    "Op",
    "Operation",
    "Sample",
    "Spec",
    "Tensor",
    "default_graph",
    "failed",
    "graph_of",
    "infer",
    "located",
    "reset_default_graph",
]
