"""Check that a graph is what every pass must leave behind."""

from __future__ import annotations

from collections.abc import Iterable

from thalweg.base.errors import CompilerError
from thalweg.graph.graph import Graph
from thalweg.graph.inference import infer
from thalweg.graph.node import Operation, Tensor
from thalweg.graph.op import is_planned


def verify(graph: Graph, outputs: Iterable[Tensor], after: str) -> None:
    """Check order, ownership, inferred specs and that all shapes are known.

    Args:
        graph: a plan's graph.
        outputs: tensors that must be its own.
        after: the pass that made it, for the message.

    Raises:
        CompilerError: if something is wrong, which is a bug of the pass.
    """
    seen: set[Operation] = set()
    for place, op in enumerate(graph.operations):
        _check(op.index == place and op.graph is graph, op, after, "is not where it says")
        before = [*[t.op for t in op.inputs], *op.control_inputs]
        _check(seen.issuperset(before), op, after, "comes before what it reads")
        specs = tuple([t.spec for t in op.outputs])
        _check(is_planned(op), op, after, "has an unknown shape")
        _check(infer(op.record, op.inputs, op.source) == specs, op, after, "has a wrong spec")
        seen.add(op)
    for tensor in outputs:
        _check(tensor.op in seen, tensor.op, after, "is an output but not in the graph")


def _check(holds: bool, op: Operation, after: str, problem: str) -> None:
    if not holds:
        raise CompilerError(f"after {after}: {op!r} {problem}\n  at {op.source}")
