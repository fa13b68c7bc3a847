"""Which graph a new operation goes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from thalweg.graph.graph import Graph, default_graph
from thalweg.graph.node import Tensor


def graph_of(inputs: Sequence[Tensor]) -> Graph:
    """The graph that an operation with these inputs goes to; the default one if there are none."""
    return home(inputs[0].graph) if inputs else default_graph()


@contextmanager
def outermost(graph: Graph) -> Iterator[Graph]:
    """Build outside of all bodies and control dependencies, in the scopes of a graph.

    Yields:
        the graph that no other one surrounds, which is the default one inside the block.
    """
    root, open_scope = graph.root, graph.get_name_scope()
    scope = f"{open_scope}/" if open_scope else None
    with (
        root.as_default(),
        root.control_dependencies(None),
        root.name_scope(scope),
        root.placed_as(graph),
    ):
        yield root


def home(graph: Graph) -> Graph:
    """The graph for operations on what one holds: the body that is being made, if it sees that."""
    current = default_graph()
    return current if current.sees(graph) else graph
