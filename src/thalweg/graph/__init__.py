"""The graph: operations, tensors, scopes, and the record that says what an operation is."""

from thalweg.graph.effects import Effects, Origin, Timing
from thalweg.graph.executor import OpExecutor, execute
from thalweg.graph.graph import (
    FailedOp,
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
    "Effects",
    "FailedOp",
    "Graph",
    "Op",
    "OpExecutor",
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
