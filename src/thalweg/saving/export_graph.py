"""A graph becomes data."""

from __future__ import annotations

import os
from collections.abc import Iterable

from thalweg.base.errors import GraphError
from thalweg.base.shapes import Shape
from thalweg.graph import Body, Graph, Operation, Tensor
from thalweg.graph.inference import infer
from thalweg.saving.fields import FieldError, fields_to_plain
from thalweg.saving.graph_def import GraphDef, NodeDef, Nodes
from thalweg.saving.plain import Plain

OUTPUT_SHAPES = "_output_shapes"


def graph_def_of(graph: Graph, from_version: int = 0, add_shapes: bool = False) -> GraphDef:
    """The operations of a graph as data; see `Graph.as_graph_def`."""
    return GraphDef(nodes_for(graph.operations[from_version:], add_shapes))


def nodes_for(ops: Iterable[Operation], add_shapes: bool = False) -> Nodes:
    """Operations as data.

    Raises:
        GraphError: if one of them holds what is not data; the error has its line.
    """
    return Nodes(node_def(op, add_shapes) for op in ops)


def node_def(op: Operation, add_shapes: bool = False) -> NodeDef:
    """An operation as data.

    Raises:
        GraphError: if it holds what is not data.
    """
    try:
        attr = fields_to_plain(op.record, _body)
    except FieldError as error:
        raise GraphError(
            f"{op.name!r} ({op.type}) cannot be saved: {error}\n  it was made at {op.source}"
        ) from None
    if add_shapes or _is_refined(op):
        attr[OUTPUT_SHAPES] = [_dims(tensor.static_shape) for tensor in op.outputs]
    inputs = [*map(input_name, op.inputs), *[f"^{before.name}" for before in op.control_inputs]]
    source = f"{os.path.basename(op.source.file)}:{op.source.line}"
    return NodeDef(op.name, op.type, inputs, op.device, attr, source)


def _is_refined(op: Operation) -> bool:
    """Whether more is known of its outputs' shapes than follows from the inputs."""
    inferred = infer(op.record, op.inputs, op.source)
    return any(tensor.spec != spec for tensor, spec in zip(op.outputs, inferred, strict=True))


def _dims(shape: Shape) -> Plain:
    return None if shape is None else [None if n is None else int(n) for n in shape]


def input_name(tensor: Tensor) -> str:
    """What a node calls a tensor that it reads."""
    return tensor.name if tensor.value_index else tensor.op.name


def _body(body: Body) -> Plain:
    """A body as data: what its outputs need, and its inputs though nobody may read them."""
    wanted = {*body.operations, *[tensor.op for tensor in body.inputs]}
    nodes = nodes_for(sorted(wanted, key=lambda op: op.index))
    return {
        "node": [node.to_plain() for node in nodes],
        "input": list(map(input_name, body.inputs)),
        "output": list(map(input_name, body.outputs)),
    }
