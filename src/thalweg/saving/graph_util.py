"""Graphs as data, changed for use: `tf.graph_util`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.base.errors import GraphError
from thalweg.saving.graph_def import GraphDef, NodeDef

__all__ = [
    "convert_variables_to_constants",
    "extract_sub_graph",
    "remove_training_nodes",
]

_VARIABLE, _READ = "VariableV2", "ReadVariable"
# What only matters while a model is trained: its output is its first input.
_TRAINING = frozenset({"CheckNumerics", "Identity", "StopGradient"})


def extract_sub_graph(graph_def: GraphDef, dest_nodes: Sequence[str]) -> GraphDef:
    """The nodes that some nodes need, and those themselves.

    Args:
        graph_def: a graph.
        dest_nodes: the names of the nodes.

    Raises:
        TypeError: if `dest_nodes` is a string.
        GraphError: if there is no node of a name.
    """
    if isinstance(dest_nodes, str):
        raise TypeError("dest_nodes must be a list of names")
    by_name = {node.name: node for node in graph_def.node}
    wanted, waiting = set[str](), list(dest_nodes)
    while waiting:
        name = waiting.pop()
        if name not in by_name:
            raise GraphError(f"{name!r} is not in the graph")
        if name not in wanted:
            wanted.add(name)
            waiting += map(node_name, by_name[name].input)
    return _copy_of(node for node in graph_def.node if node.name in wanted)


def node_name(key: str) -> str:
    """The name of the node that an input is an output of, or that it waits for."""
    name, colon, _ = key.rpartition(":")
    return (name if colon else key).removeprefix("^")


def _copy_of(nodes: Iterable[NodeDef]) -> GraphDef:
    made = GraphDef()
    for node in nodes:
        made.node.add().CopyFrom(node)
    return made


def convert_variables_to_constants(
    sess: Any,
    input_graph_def: GraphDef,
    output_node_names: Sequence[str],
    variable_names_whitelist: Collection[str] | None = None,
    variable_names_blacklist: Collection[str] | None = None,
) -> GraphDef:
    """Freeze a graph: what some nodes need of it, with constants in the place of variables.

        frozen = tf.graph_util.convert_variables_to_constants(
            session, tf.get_default_graph().as_graph_def(), ["y"])
        tf.train.write_graph(frozen, "models", "frozen.json")

    Args:
        sess: has the values of the variables, under the names that the graph has.
        input_graph_def: the graph.
        output_node_names: the names of the nodes.
        variable_names_whitelist: the names of the variables to convert; all if None.
        variable_names_blacklist: the names of variables to leave as they are.

    Raises:
        GraphError: if there is no node of a name, or one of them writes a variable.
    """
    made = extract_sub_graph(input_graph_def, output_node_names)
    names = [node.name for node in made.node if node.op == _VARIABLE]
    if variable_names_whitelist is not None:
        names = [name for name in names if name in variable_names_whitelist]
    names = [name for name in names if name not in (variable_names_blacklist or ())]
    handles = [sess.graph.get_tensor_by_name(f"{name}:0") for name in names]
    values = dict(zip(names, sess.run(handles), strict=True)) if names else {}
    for node in made.node:
        _freeze(node, values)
    return made


def _freeze(node: NodeDef, values: Mapping[str, Any]) -> None:
    """Turn a variable into a constant, and a read of it into an identity."""
    if node.name in values:
        node.op, node.attr = "Const", {"value": np.asarray(values[node.name])}
    elif node.input and node.input[0] in values and node.op == _READ:
        node.op, node.attr = "Identity", {}
    elif written := next((key for key in node.input if key in values), None):
        raise GraphError(
            f"{node.name!r} ({node.op}) needs the variable {written!r} itself, and not only its "
            "value: it cannot be frozen"
        )


def remove_training_nodes(
    input_graph: GraphDef, protected_nodes: Collection[str] | None = None
) -> GraphDef:
    """The graph without identities, checks of numbers and stops of gradients.

    A node stays that runs before or after others for their effects, or whose name is needed.

    Args:
        input_graph: a graph.
        protected_nodes: the names of nodes that stay; take those that you fetch.
    """
    needed = {node_name(key) for n in input_graph.node for key in n.input if key.startswith("^")}
    kept = needed.union(protected_nodes or ())
    source = {
        node.name: node.input[0]
        for node in input_graph.node
        if node.op in _TRAINING and node.name not in kept and len(node.input) == 1
    }
    made = _copy_of(node for node in input_graph.node if node.name not in source)
    for node in made.node:
        node.input = [_followed(key, source) for key in node.input]
    return made


def _followed(key: str, source: Mapping[str, str]) -> str:
    """An input, with those nodes passed by that are left out; they have one output each."""
    passed = set[str]()
    while not key.startswith("^") and (name := node_name(key)) in source:
        if name in passed:
            raise GraphError(f"{name!r} needs itself: there is a cycle")
        passed.add(name)
        key = source[name]
    return key
