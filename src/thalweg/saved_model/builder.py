"""Writes saved models."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from thalweg.base.errors import FailedPreconditionError, InvalidArgumentError
from thalweg.graph import Graph, Operation, Tensor, default_graph
from thalweg.graph import calls as _calls
from thalweg.graph.keys import GraphKeys
from thalweg.ops.arrays.constant import constant_of
from thalweg.saving.export_meta_graph import export_meta_graph
from thalweg.saving.meta_graph import AssetFileDef, MetaGraphDef
from thalweg.saving.saved_model import GRAPHS, write_saved_model
from thalweg.saving.signatures import SignatureDef
from thalweg.session.session import Session

__all__ = ["SavedModelBuilder"]

MAIN_OP_KEY = "saved_model_main_op"


class SavedModelBuilder:
    """Writes a saved model: graphs with signatures, and the values of their variables.

        builder = tf.saved_model.builder.SavedModelBuilder("models/1")
        builder.add_meta_graph_and_variables(session, [tf.saved_model.tag_constants.SERVING], {
            "serving_default": tf.saved_model.signature_def_utils.predict_signature_def(
                {"images": x}, {"labels": y})})
        builder.save()

    Args:
        export_dir: the folder, which must be empty or not there.

    Raises:
        InvalidArgumentError: if it is not empty.
    """

    def __init__(self, export_dir: str | os.PathLike[str]) -> None:
        self._path = os.fspath(export_dir)
        if os.path.exists(self._path) and (not os.path.isdir(self._path) or os.listdir(self._path)):
            raise InvalidArgumentError(
                f"the export directory {self._path!r} exists and is not empty: choose another one, "
                "or remove what is in it"
            )
        self._meta_graphs: list[MetaGraphDef] = []
        self._values: Mapping[str, Any] | None = None
        self._assets: dict[str, str] = {}

    def add_meta_graph_and_variables(
        self,
        sess: Session,
        tags: Collection[str],
        signature_def_map: Mapping[str, SignatureDef] | None = None,
        assets_collection: Sequence[Tensor] | None = None,
        legacy_init_op: Operation | None = None,
        clear_devices: bool = False,
        main_op: Operation | None = None,
        strip_default_attrs: bool = False,
        saver: Any = None,
    ) -> None:
        """Add the session's graph, and the values that its global variables have now.

        Args:
            sess: the session.
            tags: what the graph is for.
            signature_def_map: what it can be called with, by the names of the signatures.
            assets_collection: constants that are the paths of files, which are copied into the
                model. Where the model is loaded the constants are the paths of the copies.
            legacy_init_op: an operation to run when the model has been loaded.
            clear_devices: whether to leave the devices out.
            main_op: as `legacy_init_op`.
            strip_default_attrs: accepted for TensorFlow 1: defaults are never written.
            saver: accepted for TensorFlow 1.

        Raises:
            FailedPreconditionError: if there are variables already.
            GraphError: if an operation holds what is not data.
        """
        if self._values is not None:
            raise FailedPreconditionError(
                "variables have already been saved: add further graphs with add_meta_graph"
            )
        graph = sess.graph
        meta = self._meta_graph(graph, tags, signature_def_map, clear_devices)
        self._set_init(meta, main_op or legacy_init_op)
        self._add(meta, assets_collection)
        with sess.reading(graph.get_collection(GraphKeys.GLOBAL_VARIABLES)) as now:
            self._values = {name: array.copy() for name, array in now.values.items()}

    def add_meta_graph(
        self,
        tags: Collection[str],
        signature_def_map: Mapping[str, SignatureDef] | None = None,
        assets_collection: Sequence[Tensor] | None = None,
        legacy_init_op: Operation | None = None,
        clear_devices: bool = False,
        main_op: Operation | None = None,
        strip_default_attrs: bool = False,
        saver: Any = None,
    ) -> None:
        """Add the default graph, with the variables that have been added before.

        Args:
            tags: as for `add_meta_graph_and_variables`, as are the others.
            signature_def_map: likewise.
            assets_collection: likewise.
            legacy_init_op: likewise.
            clear_devices: likewise.
            main_op: likewise.
            strip_default_attrs: likewise.
            saver: likewise.

        Raises:
            FailedPreconditionError: if no variables have been added.
            GraphError: if an operation holds what is not data.
        """
        if self._values is None:
            raise FailedPreconditionError(
                "add a graph with its variables first, with add_meta_graph_and_variables"
            )
        meta = self._meta_graph(default_graph(), tags, signature_def_map, clear_devices)
        self._set_init(meta, main_op or legacy_init_op)
        self._add(meta, assets_collection)

    @staticmethod
    def _meta_graph(
        graph: Graph,
        tags: Collection[str],
        signatures: Mapping[str, SignatureDef] | None,
        clear_devices: bool,
    ) -> MetaGraphDef:
        if isinstance(tags, str):
            raise TypeError("tags must be a list of strings")
        meta = export_meta_graph(graph=graph, clear_devices=clear_devices)
        meta.meta_info_def.tags = list(tags)
        meta.signature_def = dict(signatures or {})
        for key, one in meta.signature_def.items():
            if not isinstance(one, SignatureDef):
                raise TypeError(f"the signature {key!r} is a {type(one).__name__}")
            for info in (*one.inputs.values(), *one.outputs.values()):
                graph.get_tensor_by_name(info.name)
        return meta

    @staticmethod
    def _set_init(meta: MetaGraphDef, op: Operation | None) -> None:
        if op is not None:
            meta.collection_def[MAIN_OP_KEY] = [{"operation": op.name}]

    def _add(self, meta: MetaGraphDef, assets: Sequence[Tensor] | None) -> None:
        for tensor in assets or ():
            path = _asset_path(tensor)
            name = self._asset_name(path)
            self._assets[name] = path
            meta.asset_file_def.append(AssetFileDef(tensor.name, name))
        self._meta_graphs.append(meta)

    def _asset_name(self, path: str) -> str:
        """The name that a file gets, which no other file has."""
        base, number = os.path.basename(path), 0
        name = base
        while self._assets.get(name, path) != path:
            number += 1
            name = f"{number}_{base}"
        return name

    def save(self, as_text: bool = False) -> str:
        """Write the model: all of it, or nothing.

        Args:
            as_text: accepted for TensorFlow 1: graphs are always text.

        Returns:
            the path of the file with the graphs.

        Raises:
            OSError: if it cannot be written, or the folder is not empty any more.
        """
        write_saved_model(self._path, self._meta_graphs, self._values or {}, self._assets)
        return os.path.join(self._path, GRAPHS)


def _asset_path(tensor: Tensor) -> str:
    record = constant_of(tensor)
    if record is None or record.array.dtype != object or record.array.size != 1:
        raise InvalidArgumentError(f"an asset is a constant with one string, not {tensor!r}")
    path: str = record.array.item().decode()
    if not os.path.isfile(path):
        raise InvalidArgumentError(f"there is no file {path!r}, which {tensor.name!r} names")
    return path


_calls.explain_errors(globals(), __all__)
