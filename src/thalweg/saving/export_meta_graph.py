"""A graph becomes a meta graph."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Any

from thalweg.base.errors import GraphError
from thalweg.graph import Graph, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.state.variable import Variable
from thalweg.saving.collections import collections_as_plain
from thalweg.saving.export_graph import graph_def_of, nodes_for
from thalweg.saving.files import write_atomically
from thalweg.saving.graph_def import GraphDef, Message
from thalweg.saving.meta_graph import (
    MetaGraphDef,
    MetaInfoDef,
    RandomDef,
    SaverSettings,
    VariableDef,
)
from thalweg.saving.plain import Plain

UNBOUND = "$unbound_inputs_"  # what an exported scope calls a tensor outside of it


def export_meta_graph(
    filename: str | None = None,
    meta_info_def: MetaInfoDef | None = None,
    graph_def: GraphDef | None = None,
    saver_def: SaverSettings | None = None,
    collection_list: Collection[str] | None = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    **kwargs: Any,
) -> MetaGraphDef:
    """The graph as data, with its variables and collections; written to a file if one is named.

    Args:
        filename: of the file, which is JSON and is whole or not there.
        meta_info_def: what the meta graph says of itself.
        graph_def: replaces the operations of the graph, such as what `tf.graph_util` has made of
            them. It must have those of the variables and of the collections.
        saver_def: the settings of a saver, which `tf.train.import_meta_graph` makes again.
        collection_list: the names of the collections to take; all if None.
        as_text: accepted for TensorFlow 1: the file always is text.
        graph: the default one if None.
        export_scope: takes the operations of this name scope alone, and leaves it out of their
            names. Tensors that they read from outside have the names "$unbound_inputs_" and their
            own, with "/" as "_".
        clear_devices: whether nodes keep no devices.
        clear_extraneous_savers: accepted for TensorFlow 1: savers add nothing to graphs.
        strip_default_attrs: accepted for TensorFlow 1: defaults are never written.
        save_debug_info: accepted for TensorFlow 1: lines of source are always written.
        **kwargs: nothing else is known.

    Raises:
        GraphError: if an operation holds what is not data, such as the function of `py_func`.
        OSError: if the file cannot be written.
    """
    if kwargs:
        raise TypeError(f"there is no argument {min(kwargs)!r}")
    chosen = default_graph() if graph is None else graph
    scope = _Scope(chosen, export_scope)
    made = MetaGraphDef(
        _info() if meta_info_def is None else meta_info_def,
        scope.graph_def() if graph_def is None else graph_def,
        list(scope.variables()),
        collections_as_plain(chosen, collection_list, scope.name),
        saver_def,
        random_def=RandomDef(chosen.seed, chosen.random_ops),
    )
    if clear_devices:
        without_devices(made.graph_def)
    if filename:
        write_message(filename, made)
    return made


def write_graph(
    graph_or_graph_def: Graph | GraphDef,
    logdir: str | os.PathLike[str],
    name: str,
    as_text: bool = True,
) -> str:
    """Write a graph as JSON to a file, which is whole or not there.

    Args:
        graph_or_graph_def: the graph.
        logdir: the folder, which is made if it is not there.
        name: of the file.
        as_text: accepted for TensorFlow 1: the file always is text.

    Returns:
        the path of the file, whose bytes `tf.GraphDef.FromString` reads.

    Raises:
        GraphError: if an operation holds what is not data, such as the function of `py_func`.
        OSError: if the file cannot be written.
    """
    given, path = graph_or_graph_def, os.path.join(os.fspath(logdir), os.fspath(name))
    write_message(path, graph_def_of(given) if isinstance(given, Graph) else given)
    return path


def write_message(filename: str | os.PathLike[str], message: Message) -> None:
    """Write the JSON of a graph or a meta graph to a file, which is whole or not there."""
    data = message.SerializeToString()
    write_atomically(filename, lambda file: file.write(data))


def _info() -> MetaInfoDef:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return MetaInfoDef([], version("thalweg"))
    except PackageNotFoundError:  # it runs from its source
        return MetaInfoDef([], "")


class _Scope:
    """The operations of a name scope, or all of a graph, under names without the scope's."""

    def __init__(self, graph: Graph, scope: str | None) -> None:
        self._graph, self._prefix = graph, f"{scope.rstrip('/')}/" if scope else ""

    def name(self, name: str) -> str | None:
        """The new name of an operation; None if it is outside."""
        return name.removeprefix(self._prefix) if name.startswith(self._prefix) else None

    def graph_def(self) -> GraphDef:
        """The operations as data."""
        inside = [op for op in self._graph.operations if op.name.startswith(self._prefix)]
        nodes = nodes_for(inside)
        if self._prefix:
            for node in nodes:
                node.name = node.name.removeprefix(self._prefix)
                node.input = [self._input(name) for name in node.input if self._is_read(name)]
        return GraphDef(nodes)

    def _is_read(self, name: str) -> bool:
        """Whether an input stays: what is to run before, outside of the scope, does not."""
        return not name.startswith("^") or self.name(name[1:]) is not None

    def _input(self, name: str) -> str:
        if name.startswith("^"):
            return f"^{self.name(name[1:])}"
        inside = self.name(name)
        return f"{UNBOUND}{name.replace('/', '_')}" if inside is None else inside

    def variables(self) -> Iterator[VariableDef]:
        """The variables as data."""
        every: list[Variable] = self._graph.get_collection(GraphKeys.ALL_VARIABLES)
        for one in every:
            parts = (one.handle, one.initializer, one.initial_value, _snapshot(one))
            handle, *others = [self.name(part.name) for part in parts]
            if handle is None:
                continue
            if None in others:
                raise GraphError(
                    f"the initial value of {one.op.name!r} lies outside of the scope that is "
                    f"exported\n  it was made at {one.op.source}"
                )
            initializer, initial_value, snapshot = map(str, others)
            yield VariableDef(handle, initializer, initial_value, snapshot, one.trainable)


def _snapshot(variable: Variable) -> Any:
    graph = variable.graph
    with graph.as_default(), graph.control_dependencies(None):
        return variable.value()


def without_devices(graph_def: GraphDef) -> None:
    """Take the devices off all nodes, those in bodies too."""
    for node in graph_def.node:
        node.device = ""
        node.attr = _without_device(node.attr)


def _without_device(value: Plain) -> Plain:
    if isinstance(value, list):
        return [_without_device(item) for item in value]
    if isinstance(value, dict):
        return {k: _without_device(v) for k, v in value.items() if k != "device"}
    return value
