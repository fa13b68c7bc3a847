"""Reads saved models into sessions."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

import numpy as np

from thalweg.base.errors import DataLossError
from thalweg.graph import calls as _calls
from thalweg.graph.keys import GraphKeys
from thalweg.saved_model.builder import MAIN_OP_KEY
from thalweg.saving.graph_util import node_name
from thalweg.saving.import_meta_graph import ImportedMetaGraph, add_meta_graph
from thalweg.saving.matching import matched
from thalweg.saving.meta_graph import MetaGraphDef
from thalweg.saving.saved_model import SavedModel, is_saved_model, read_saved_model
from thalweg.session.session import Session

__all__ = ["load", "maybe_saved_model_directory"]


def maybe_saved_model_directory(export_dir: str | os.PathLike[str]) -> bool:
    """Whether a folder looks like a saved model."""
    return is_saved_model(export_dir)


def load(
    sess: Session,
    tags: Collection[str],
    export_dir: str | os.PathLike[str],
    import_scope: str | None = None,
    **saver_kwargs: Any,
) -> MetaGraphDef:
    """Add the graph of a saved model to a session's graph, and give its variables their values.

        meta = tf.saved_model.loader.load(session, ["serve"], "models/1")
        signature = meta.signature_def["serving_default"]
        y = session.run(signature.outputs["y"].name, {signature.inputs["x"].name: x})

    Args:
        sess: the session.
        tags: those of the graph, all of them.
        export_dir: the folder.
        import_scope: a name scope for the graph.
        **saver_kwargs: accepted for TensorFlow 1 and ignored.

    Returns:
        The meta graph, with the signatures.

    Raises:
        NotFoundError: if there is no saved model, or no graph of these tags.
        DataLossError: if it is damaged.
        UnimplementedError: if it is of a later version, or of TensorFlow's.
    """
    model = read_saved_model(export_dir)
    meta = model.meta_graph([tags] if isinstance(tags, str) else tags)
    _set_assets(model, meta)
    with sess.graph.as_default():
        added = add_meta_graph(meta, import_scope=import_scope)
    _load_values(sess, model, added)
    for item in meta.collection_def.get(MAIN_OP_KEY, ()):
        sess.run(added.graph.element(str(item.get("operation"))))
    return meta


def _set_assets(model: SavedModel, meta: MetaGraphDef) -> None:
    """Let the constants that are paths of files be those of the model's own."""
    nodes = {node.name: node for node in meta.graph_def.node}
    for asset in meta.asset_file_def:
        node = nodes.get(node_name(asset.tensor_name))
        if node is None or node.op != "Const" or "value" not in node.attr:
            raise DataLossError(f"{asset.tensor_name!r} is no constant")
        value = np.empty(np.shape(node.attr["value"]), object)
        value[...] = model.asset_path(asset.filename).encode()
        node.attr = {"value": value}


def _load_values(sess: Session, model: SavedModel, added: ImportedMetaGraph) -> None:
    """Give the variables their values: all of them or, if one does not fit, none."""
    every = sess.graph.get_collection(GraphKeys.GLOBAL_VARIABLES)
    found = {node_name(name): one for name, one in added.variables.items() if one in every}
    sess.restore(matched(found, model.variables, reshape=False))


_calls.explain_errors(globals(), __all__)
