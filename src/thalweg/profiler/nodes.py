"""The answers of `profile` as trees: by scope, by graph, by kind of operation, by line of code.

Fields have the names of tensorflow/core/profiler/tfprof_output.proto. What begins with `total_`
includes a node's children.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from thalweg.base.record import Record, field
from thalweg.graph import Graph
from thalweg.inspect.profile import OpProfile, Profile

__all__ = ["ROOT", "GraphNode", "MultiGraphNode", "by_group", "by_inputs", "by_scope"]

ROOT = "_TFProfRoot"

_AMOUNTS = ("exec_micros", "requested_bytes", "parameters", "float_ops", "run_count")


class GraphNode(Record, frozen=False, eq=False):
    """An operation or a scope. Times are in microseconds.

    Attributes:
        name: in full.
        exec_micros: that it took of a run.
        cpu_exec_micros: the same; there is no accelerator.
        requested_bytes: memory of its outputs.
        parameters: of a trainable variable, how many numbers it has.
        float_ops: floating-point operations.
        run_count: 1 if it took time.
        children: what is in it.
    """

    name: str
    exec_micros: int = 0
    requested_bytes: int = 0
    parameters: int = 0
    float_ops: int = 0
    run_count: int = 0
    total_exec_micros: int = 0
    total_requested_bytes: int = 0
    total_parameters: int = 0
    total_float_ops: int = 0
    total_run_count: int = 0
    total_definition_count: int = 0
    children: list[GraphNode] = field(default_factory=list)

    @property
    def cpu_exec_micros(self) -> int:
        """As `exec_micros`: there is no accelerator."""
        return self.exec_micros

    @property
    def total_cpu_exec_micros(self) -> int:
        """As `total_exec_micros`."""
        return self.total_exec_micros


class MultiGraphNode(GraphNode, frozen=False, eq=False):
    """Operations of one kind, or of one line of code.

    Attributes:
        graph_nodes: the operations.
    """

    graph_nodes: list[GraphNode] = field(default_factory=list)


Node = TypeVar("Node", bound=GraphNode)


def by_scope(ops: Iterable[OpProfile]) -> GraphNode:
    """Operations in their name scopes."""
    nodes: dict[str, GraphNode] = {"": GraphNode(ROOT)}
    for op in ops:
        _put(_scope(nodes, op.name), op)
    return _totalled(nodes[""])


def by_inputs(profile: Profile, graph: Graph) -> GraphNode:
    """Operations under those that take their outputs, each under the last of these."""
    ops = {op.name: op for op in profile.ops}
    users: dict[str, str] = {}
    for op in graph.get_operations():
        users |= {source.op.name: op.name for source in op.inputs if op.name in ops}
    nodes = {name: _put(GraphNode(name), one) for name, one in ops.items()}
    root = GraphNode(ROOT)
    for name, node in nodes.items():
        user = nodes.get(users.get(name, ""))
        (root if user is None else user).children.append(node)
    return _totalled(root)


def by_group(ops: Iterable[OpProfile], group: Callable[[OpProfile], str]) -> MultiGraphNode:
    """Operations in groups of one name, in a list under the root."""
    groups: dict[str, MultiGraphNode] = {}
    for op in ops:
        if name := group(op):
            node = groups.setdefault(name, MultiGraphNode(name))
            node.graph_nodes.append(_put(GraphNode(op.name), op))
            _put(node, op)
    root = MultiGraphNode(ROOT)
    root.children = [*groups.values()]
    return _totalled(root)


def walk(node: GraphNode) -> Iterator[GraphNode]:
    """The node and all below it."""
    waiting = [node]
    while waiting:
        yield (last := waiting.pop())
        waiting += reversed(last.children)


def _scope(nodes: dict[str, GraphNode], name: str) -> GraphNode:
    """The node of a name, with those of the scopes around it."""
    if name not in nodes:
        nodes[name] = GraphNode(name)
        _scope(nodes, name.rpartition("/")[0]).children.append(nodes[name])
    return nodes[name]


def _put(node: Node, op: OpProfile) -> Node:
    """Add to a node what an operation costs."""
    amounts = (
        round(op.seconds * 1e6),
        op.output_bytes,
        op.parameters,
        op.flops,
        int(op.seconds > 0),
    )
    for name, amount in zip(_AMOUNTS, amounts, strict=True):
        setattr(node, name, getattr(node, name) + amount)
    node.total_definition_count += 1
    return node


def _totalled(root: Node) -> Node:
    """The tree with the totals of all nodes."""
    for node in reversed(list(walk(root))):
        for name in _AMOUNTS:
            below = sum(getattr(child, f"total_{name}") for child in node.children)
            setattr(node, f"total_{name}", getattr(node, name) + below)
        node.total_definition_count += sum(c.total_definition_count for c in node.children)
    return root


def listed(nodes: Sequence[GraphNode], order: str) -> list[GraphNode]:
    """Nodes in the order of an attribute of TensorFlow's options, the largest first."""
    if order == "name":
        return sorted(nodes, key=lambda node: node.name)
    return sorted(nodes, key=lambda node: -getattr(node, TOTALS[order]))


TOTALS = {
    "micros": "total_exec_micros",
    "bytes": "total_requested_bytes",
    "params": "total_parameters",
    "float_ops": "total_float_ops",
    "occurrence": "total_definition_count",
}
