"""Graphs as TensorBoard draws them: TensorFlow's GraphDef, without what a picture has no use for.

The body of a loop or a branch is drawn as a scope of the operation's name. What goes into the
operation goes to the inputs of its body, and the operation itself stands where the body ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.base.dtypes import DType
from thalweg.graph import Body, Graph, Operation, Tensor
from thalweg.graph.op import Attribute
from thalweg.protos.graphs import AttrValue, GraphDef, NodeDef
from thalweg.protos.tensors import DATA_TYPES, make_tensor_proto, shape_proto

__all__ = ["graph_def"]

PRODUCER = 27  # the version of TensorFlow 1's graphs
LARGEST = 64  # bytes of a constant that is written out: TensorBoard shows no large ones


def graph_def(graph: Graph) -> GraphDef:
    """A graph as a message for TensorBoard, which is not meant to be run."""
    drawing = _Drawing(GraphDef())
    drawing.result.versions.producer = PRODUCER
    for op in graph.operations:
        drawing.add(op, op.name)
    return drawing.result


class _Drawing:
    """A message to which operations are added.

    Args:
        result: the message.
    """

    def __init__(self, result: GraphDef) -> None:
        self.result = result
        self._names: dict[Operation, str] = {}
        self._taken: set[str] = set()

    def add(self, op: Operation, name: str) -> None:
        """Add an operation under a name, and before it the bodies that it holds."""
        name = self._names[op] = self._unique(name)
        inputs = [self._reference(tensor) for tensor in op.inputs]
        if op.record.bodies:
            self._taken.add(name)
            inputs = [*self._control_free(op, inputs), *self._bodies(op, name, inputs)]
        node = self.result.node.add(name=name, op=op.type, device=op.device)
        before = [f"^{self._names[o]}" for o in op.control_inputs if o in self._names]
        node.input = list(dict.fromkeys(inputs)) + before
        _set_attributes(node, op)

    def _unique(self, name: str) -> str:
        found, number = name, 1
        while found in self._taken:
            found, number = f"{name}_{number}", number + 1
        self._taken.add(found)
        return found

    def _reference(self, tensor: Tensor) -> str:
        name = self._names[tensor.op]
        return f"{name}:{tensor.value_index}" if tensor.value_index else name

    @staticmethod
    def _control_free(op: Operation, inputs: Sequence[str]) -> list[str]:
        """The inputs that no body takes, such as the condition of a branch."""
        taken = {n for numbers in op.record.sources for n in numbers}  # type: ignore[attr-defined]
        return [text for n, text in enumerate(inputs) if n not in taken]

    def _bodies(self, op: Operation, name: str, inputs: Sequence[str]) -> Iterator[str]:
        """Add the bodies of an operation; what it takes from them."""
        sources: Any = op.record.sources  # type: ignore[attr-defined]
        for field, body in _bodies(op).items():
            scope = name if len(op.record.bodies) == 1 else f"{name}/{field}"
            numbers = sources[op.record.bodies.index(body)]
            given = dict(zip(body.inputs, [inputs[n] for n in numbers], strict=True))
            self._add_body(op, body, scope, given)
            yield from map(self._reference, body.outputs)

    def _add_body(self, op: Operation, body: Body, scope: str, given: Mapping[Tensor, str]) -> None:
        for inner in dict.fromkeys((*[t.op for t in body.inputs], *body.operations)):
            self.add(inner, f"{scope}/{_inside(inner.name, op.name)}")
            if inner.outputs and inner.outputs[0] in given:
                self.result.node[-1].input = [given[inner.outputs[0]]]


def _inside(name: str, outer: str) -> str:
    """The name of an operation of a body, without what the operation's own name says."""
    parent = outer.rpartition("/")[0]
    return name.removeprefix(f"{outer}/").removeprefix(f"{parent}/")


def _bodies(op: Operation) -> dict[str, Body]:
    """The bodies that an operation holds, by the names of its attributes."""
    found = {name: getattr(op.record, name) for name in op.record.fields}
    return {name: body for name, body in found.items() if isinstance(body, Body)}


def _set_attributes(node: NodeDef, op: Operation) -> None:
    """What TensorBoard shows of an operation that is chosen, and the sizes of edges."""
    for name in op.record.fields:
        if (value := _attribute(getattr(op.record, name))) is not None:
            node.attr[name] = value
    if op.outputs:
        shapes = AttrValue.ListValue(shape=[shape_proto(t.static_shape) for t in op.outputs])
        node.attr["_output_shapes"].list = shapes
        node.attr["dtype"].type = DATA_TYPES[op.outputs[0].dtype.name]


def _attribute(value: Any) -> AttrValue | None:
    """An attribute of a record; None for what cannot be shown."""
    match value:
        case bool():
            return AttrValue(b=value)
        case int() if abs(value) < 1 << 63:
            return AttrValue(i=value)
        case float():
            return AttrValue(f=value)
        case str():
            return AttrValue(s=value.encode())
        case DType():
            return AttrValue(type=DATA_TYPES[value.name])
        case Attribute():
            return _constant(value.array)
        case tuple() if value:
            return _list(value)
    return None


def _list(values: Iterable[Any]) -> AttrValue | None:
    items = [-1 if value is None else value for value in values]
    if all(isinstance(item, int) and abs(item) < 1 << 63 for item in items):
        return AttrValue(list=AttrValue.ListValue(i=list(map(int, items))))
    return None


def _constant(array: np.ndarray[Any, Any]) -> AttrValue | None:
    if array.dtype.hasobject or array.nbytes > LARGEST:
        return None
    return AttrValue(tensor=make_tensor_proto(array))
