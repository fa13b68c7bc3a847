"""The graph: operations, tensors, scopes, and the record that says what an operation is."""

from thalweg.graph.body import Body
from thalweg.graph.effects import ACTS_ON_HOST, ON_HOST, Effects, Origin, Timing
from thalweg.graph.executor import OpExecutor, execute
from thalweg.graph.failures import FailedOp, failed, in_iteration, with_place
from thalweg.graph.graph import Graph, default_graph, reset_default_graph
from thalweg.graph.indexed_slices import Gradient, IndexedSlices
from thalweg.graph.inference import infer, located
from thalweg.graph.node import Operation, Tensor
from thalweg.graph.op import Op, Sample, Spec
from thalweg.graph.places import graph_of, home, outermost

__all__ = [
    "ACTS_ON_HOST",
    "ON_HOST",
    "Body",
    "Effects",
    "FailedOp",
    "Gradient",
    "Graph",
    "IndexedSlices",
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
    "home",
    "in_iteration",
    "infer",
    "located",
    "outermost",
    "reset_default_graph",
    "with_place",
]
