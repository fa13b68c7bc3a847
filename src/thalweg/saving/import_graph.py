"""Data becomes part of a graph.

What is read may come from anywhere. So types of operations are looked up in the catalogue, fields
are checked against their annotations, and the shapes are inferred anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

from thalweg.base.errors import DataLossError, GraphError, ThalwegError
from thalweg.base.record import Record, replace
from thalweg.base.shapes import merge
from thalweg.base.source import Source
from thalweg.graph import Body, Graph, Operation, Origin, Spec, Tensor, default_graph
from thalweg.graph.op import Op
from thalweg.ops.random.seeds import run_counter
from thalweg.saving.export_graph import OUTPUT_SHAPES
from thalweg.saving.fields import record_of
from thalweg.saving.graph_def import MOST_DEPTH, GraphDef, NodeDef, nodes_of
from thalweg.saving.plain import Plain
from thalweg.saving.signatures import shape_of

_SOURCE = re.compile(r"([^/\\\0]{1,255}):(\d{1,9})")
_INPUT = re.compile(r"(.+?)(?::(\d{1,9}))?", re.DOTALL)

Operations: TypeAlias = dict[str, Operation]


def import_graph_def(
    graph_def: GraphDef,
    input_map: Mapping[str, Any] | None = None,
    return_elements: Sequence[str] | None = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> Any:
    """Add the operations of a `GraphDef` to the default graph.

        y, = tf.import_graph_def(graph_def, {"x:0": images}, ["y:0"])

    Args:
        graph_def: from `Graph.as_graph_def`, or read with `GraphDef.FromString`.
        input_map: tensors to read in the place of tensors of the `graph_def`, by their names there.
        return_elements: names in the `graph_def`, of operations ("y") or of tensors ("y:0").
        name: what to put before the names, with a slash; "import" if not given, nothing if "".
        op_dict: accepted for TensorFlow 1 and ignored.
        producer_op_list: likewise.

    Returns:
        A list of the operations and tensors of `return_elements`; None without them.

    Raises:
        TypeError: if `graph_def` is none.
        GraphError: if it is not a graph: an operation or an attribute is not known, a name is used
            twice, an input is missing, there is a cycle; if shapes do not fit together; if a name
            in `input_map` or `return_elements` is not in it.
    """
    if not isinstance(graph_def, GraphDef):
        raise TypeError(f"graph_def must be a tf.GraphDef, not a {type(graph_def).__name__}")
    imported = import_nodes(graph_def.node, input_map or {}, "import" if name is None else name)
    if return_elements is None:
        return None
    return [imported.element(element) for element in return_elements]


class Imported(Record, eq=False):
    """What has been imported.

    Attributes:
        operations: by their names in the graph definition.
    """

    operations: Operations

    def element(self, name: str) -> Any:
        """The operation or tensor of a name in the graph definition.

        Raises:
            GraphError: if there is none.
        """
        op_name, colon, _ = name.rpartition(":")
        op = self.operations.get(op_name if colon else name)
        if op is None:
            raise GraphError(f"the graph definition has no {name!r}")
        return _output(op, name) if colon else op


def import_nodes(
    nodes: Sequence[NodeDef], input_map: Mapping[str, Any], scope: str | None
) -> Imported:
    """Add operations to the default graph; see `import_graph_def`.

    Args:
        nodes: in any order.
        input_map: as there.
        scope: as its `name`, where None and "" are the same: the names stay as they are.
    """
    graph = default_graph()
    given = {_tensor_name(key): value for key, value in input_map.items()}
    if unused := given.keys() - {_tensor_name(key) for node in nodes for key in node.input}:
        raise GraphError(f"the graph definition does not read {min(unused)!r} of the input_map")
    with graph.name_scope(scope or None):
        given = {key: graph.as_graph_element(value) for key, value in given.items()}
        return Imported(_Importer(graph, given, 0).add(nodes))


class _Importer:
    """Adds nodes to a graph.

    Args:
        graph: the graph.
        given: what stands for inputs, by their names.
        depth: how many bodies the graph lies in.
    """

    def __init__(self, graph: Graph, given: Mapping[str, Any], depth: int) -> None:
        self._graph, self._given, self._depth = graph, given, depth
        self._made: Operations = {}

    def add(self, nodes: Sequence[NodeDef]) -> Operations:
        """The new operations by the names of the nodes.

        Raises:
            GraphError: if the nodes make no graph.
        """
        for node in _in_order(nodes, self._given):
            try:
                self._made[node.name] = self._add(node)
            except Exception as error:
                raise _located(error, node) from error
        return self._made

    def _add(self, node: NodeDef) -> Operation:
        control, inputs = self._inputs(node)
        attr = dict(node.attr)
        output_shapes = attr.pop(OUTPUT_SHAPES, None)
        record = self._named(record_of(node.op, attr, self._body), node.name)
        for tensor in (inputs[number] for number in record.effects.handles):
            if tensor.op.record.origin is not Origin.RESOURCE:
                raise GraphError(f"{tensor.name!r} is no variable")
        if record.origin is Origin.RUN_COUNTER:
            return run_counter(self._graph).op  # of which a graph has one
        on_device = self._graph.device(node.device) if node.device else nullcontext()
        with self._graph.made_at(_source(node.source)), on_device:
            op = self._graph.add(record, inputs, node.name, control)
        if output_shapes is not None:
            _refine(op, output_shapes)
        if any(n is not None and n < 0 for t in op.outputs for n in t.static_shape or ()):
            raise GraphError("an output has extents below 0")
        return op

    def _named(self, record: Op, name: str) -> Op:
        """The record; sessions know a variable by a name, which must be that of its operation."""
        if record.origin is not Origin.RESOURCE:
            return record
        return replace(record, name=self._graph.unique_name(name, mark_as_used=False))

    def _inputs(self, node: NodeDef) -> tuple[list[Operation], list[Tensor]]:
        """What is to run before a node, and what it reads."""
        control, inputs = [], []
        for key in map(_tensor_name, node.input):
            found = self._given[key] if key in self._given else self._own(key)
            if key.startswith("^"):
                control.append(found.op if isinstance(found, Tensor) else found)
            else:
                inputs.append(found)
        return control, inputs

    def _own(self, key: str) -> Any:
        if key.startswith("^"):
            return self._made[key[1:]]
        return _output(self._made[key.rpartition(":")[0]], key)

    def _body(self, value: Plain) -> Body:
        """A body from plain data."""
        if self._depth >= MOST_DEPTH:
            raise GraphError(f"bodies are nested more than {MOST_DEPTH} deep")
        if value.keys() != {"node", "input", "output"}:
            raise DataLossError("a body is an object with node, input and output")
        graph = Graph()
        made = _Importer(graph, {}, self._depth + 1).add(nodes_of(value["node"]))
        tensors = [_tensors_of(made, value[name]) for name in ("input", "output")]
        body = Body(graph, *map(tuple, tensors))
        _check_body(body)
        return body


def _tensors_of(made: Operations, names: Plain) -> list[Tensor]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataLossError("the inputs and outputs of a body are lists of names")
    imported = Imported(made)
    return [imported.element(_tensor_name(name)) for name in names]


def _check_body(body: Body) -> None:
    """A body takes each input once, and reads nothing else that a run must provide."""
    feeds = [op.outputs[0] for op in body.graph.operations if op.record.origin is Origin.FEED]
    if set(feeds) != set(body.inputs) or len(feeds) != len(body.inputs):
        raise GraphError("the inputs of a body are its placeholders")
    for op in body.graph.operations:
        if op.record.origin in _FROM_SESSION or op.record.effects.handles:
            raise GraphError(f"{op.name!r} ({op.type}) cannot be in a body")


_FROM_SESSION = (Origin.RESOURCE, Origin.RUN_COUNTER)


# -- names


def _tensor_name(key: object) -> str:
    """The whole name of an input: "x" is short for "x:0"; those with a "^" stay."""
    match = _INPUT.fullmatch(key) if isinstance(key, str) else None
    if match is None:
        raise GraphError(f"{key!r} is not the name of an input")
    if match[1].startswith("^"):
        return match[0]
    return f"{match[1]}:{int(match[2] or 0)}"


def _output(op: Operation, key: str) -> Tensor:
    number = key.rpartition(":")[2]
    if not number.isdecimal() or int(number) >= len(op.outputs):
        raise GraphError(f"{op.name!r} has {len(op.outputs)} outputs, so no {key!r}")
    return op.outputs[int(number)]


# -- order


def _in_order(nodes: Sequence[NodeDef], given: Mapping[str, Any]) -> Iterator[NodeDef]:
    """The nodes, those that others need first; else as they stand.

    Raises:
        GraphError: if a name is used twice, an input is missing, or a node needs itself.
    """
    by_name = _by_name(nodes)
    done, open_ = set[str](), set[str]()
    for first in nodes:
        waiting = [first.name]
        while waiting:
            node = by_name[waiting[-1]]
            if node.name in done:
                waiting.pop()
            elif node.name in open_:
                done.add(waiting.pop())
                yield node
            else:
                open_.add(node.name)
                needs = [name for name in _needs(node, by_name, given) if name not in done]
                if cycle := next((name for name in needs if name in open_), None):
                    raise GraphError(f"{cycle!r} needs itself: there is a cycle")
                waiting += reversed(needs)


def _by_name(nodes: Iterable[NodeDef]) -> dict[str, NodeDef]:
    found: dict[str, NodeDef] = {}
    for node in nodes:
        if node.name in found:
            raise GraphError(f"two nodes have the name {node.name!r}")
        if node.name.endswith("/"):
            raise GraphError(f"{node.name!r} is not the name of an operation")
        found[node.name] = node
    return found


def _needs(
    node: NodeDef, by_name: Mapping[str, NodeDef], given: Mapping[str, Any]
) -> Iterator[str]:
    """The names of the nodes that one reads, or that are to run before it."""
    for key in map(_tensor_name, node.input):
        if key in given:
            continue
        name = key[1:] if key.startswith("^") else key.rpartition(":")[0]
        if name not in by_name:
            raise GraphError(f"{node.name!r} ({node.op}) reads {name!r}, which is not there")
        yield name


# -- what else a node says


def _source(text: str) -> Source:
    """The line that made an operation: a file's name without its folder.

    The text is that of a stranger; a whole path would make errors show lines of any file.
    """
    match = _SOURCE.fullmatch(text)
    return Source(match[1], int(match[2])) if match else Source("<imported>", 0)


def _refine(op: Operation, output_shapes: Plain) -> None:
    """Note what else is known of the outputs' shapes."""
    if not isinstance(output_shapes, list) or len(output_shapes) != len(op.outputs):
        raise DataLossError(f"{OUTPUT_SHAPES} are the shapes of all outputs")
    for tensor, dims in zip(op.outputs, output_shapes, strict=True):
        tensor.spec = Spec(merge(tensor.spec.shape, shape_of(dims)), tensor.dtype)


def _located(error: Exception, node: NodeDef) -> Exception:
    """The error of a node that cannot be added; what Python raises is one of ours as well."""
    kind = type(error) if isinstance(error, ThalwegError) else GraphError
    text = str(error) or type(error).__name__
    return kind(f"node {node.name!r} ({node.op}): {text}")
