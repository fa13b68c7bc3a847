"""What this package puts behind methods of graphs, imported when they are first called."""

from __future__ import annotations

from typing import Any

from thalweg.graph import Graph, Operation
from thalweg.graph.node import Hooks


def _graph_def(graph: Graph, from_version: int, add_shapes: bool) -> Any:
    from thalweg.saving.export_graph import graph_def_of

    return graph_def_of(graph, from_version, add_shapes)


def _node_def(op: Operation) -> Any:
    from thalweg.saving.export_graph import node_def

    return node_def(op)


def connect() -> None:
    """Let the methods of graphs and operations find it."""
    Hooks.graph_def, Hooks.node_def = _graph_def, _node_def
