"""A meta graph becomes part of a graph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from thalweg.base.errors import DataLossError, GraphError
from thalweg.base.record import Record
from thalweg.graph import Graph, Operation, Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.state.variable import Variable
from thalweg.saving.collections import collections_of_plain
from thalweg.saving.export_meta_graph import without_devices
from thalweg.saving.files import open_regular
from thalweg.saving.graph_def import GraphDef
from thalweg.saving.import_graph import Imported, import_nodes
from thalweg.saving.meta_graph import MetaGraphDef, VariableDef

MOST_BYTES = 1 << 31  # of a file of JSON


class ImportedMetaGraph(Record, eq=False):
    """What has been imported.

    Attributes:
        graph: the elements by their names in the meta graph.
        variables: likewise, by names such as "W:0".
    """

    graph: Imported
    variables: dict[str, Variable]


def add_meta_graph(
    meta: MetaGraphDef,
    clear_devices: bool = False,
    import_scope: str | None = None,
    input_map: Mapping[str, Any] | None = None,
) -> ImportedMetaGraph:
    """Add what a meta graph holds to the default graph: operations, variables and collections.

    Args:
        meta: the meta graph.
        clear_devices: whether to leave the devices out.
        import_scope: a name scope for all of it.
        input_map: as for `tf.import_graph_def`.

    Raises:
        GraphError, DataLossError: if it is not a graph, or names what is not in it.
    """
    graph, nodes = default_graph(), meta.graph_def
    if clear_devices:
        nodes = GraphDef()
        nodes.CopyFrom(meta.graph_def)
        without_devices(nodes)
    _set_seed(graph, meta)
    imported = import_nodes(nodes.node, input_map or {}, import_scope)
    variables = {one.variable_name: _variable(imported, one) for one in meta.variable_def}
    for variable in variables.values():
        graph.add_to_collection(GraphKeys.ALL_VARIABLES, variable)
    for key, item in collections_of_plain(meta.collection_def, imported.element, variables):
        if key != GraphKeys.ALL_VARIABLES:
            graph.add_to_collection(key, item)
    return ImportedMetaGraph(imported, variables)


def _set_seed(graph: Graph, meta: MetaGraphDef) -> None:
    """Let further random operations draw what they would have drawn in the graph of before."""
    if not graph.operations and graph.seed is None:
        graph.seed = meta.random_def.seed
    graph.random_ops += max(0, meta.random_def.operations)


def _variable(imported: Imported, names: VariableDef) -> Variable:
    handle, initializer, initial, read = (
        imported.element(getattr(names, name)) for name in VariableDef.fields[:4]
    )
    if not (
        _writes(initializer, handle, initial)
        and isinstance(read, Tensor)
        and read.op.record.effects.reads == (0,)
        and read.op.inputs[0] is handle
    ):
        raise DataLossError(f"{names.variable_name!r} is not made up of the operations it names")
    return Variable.of_operations(initializer, initial, read, names.trainable)


def _writes(op: Any, handle: Any, value: Any) -> bool:
    """Whether an operation assigns a tensor to a variable, which is how one is initialised."""
    return (
        isinstance(op, Operation)
        and op.record.effects.writes == (0,)
        and not op.record.effects.reads
        and op.inputs == (handle, value)
    )


def read_meta_graph_file(filename: str | os.PathLike[str]) -> MetaGraphDef:
    """The meta graph of a file.

    Raises:
        NotFoundError: if there is no such file.
        DataLossError: if it holds something else.
        UnimplementedError: if it is of a later version, or of TensorFlow's.
    """
    try:
        return MetaGraphDef.FromString(read_file(filename))
    except (DataLossError, GraphError) as error:
        raise type(error)(f"{os.fspath(filename)!r}: {error}") from None


def read_file(filename: str | os.PathLike[str]) -> bytes:
    """The bytes of a file of JSON.

    Raises:
        NotFoundError: if there is no such file.
        DataLossError: if it is no regular file, or larger than any of use.
    """
    with open(open_regular(filename), "rb") as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise DataLossError(f"{os.fspath(filename)!r} has more than {MOST_BYTES:,} bytes")
        return file.read()
