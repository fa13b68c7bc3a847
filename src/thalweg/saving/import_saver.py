"""A meta graph becomes part of a graph, with the saver that wrote it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from thalweg.base.errors import DataLossError
from thalweg.saving.import_meta_graph import add_meta_graph, read_meta_graph_file
from thalweg.saving.meta_graph import MetaGraphDef
from thalweg.saving.saver import Saver, SaverDef

__all__ = ["import_meta_graph"]


def import_meta_graph(
    meta_graph_or_file: MetaGraphDef | str | os.PathLike[str],
    clear_devices: bool = False,
    import_scope: str | None = None,
    input_map: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Saver | None:
    """Add a graph that was saved to the default graph, with its variables and collections.

        saver = tf.train.import_meta_graph("models/model.ckpt-1000.meta")
        with tf.Session() as session:
            saver.restore(session, "models/model.ckpt-1000")
            session.run("y:0", {"x:0": images})

    Args:
        meta_graph_or_file: what `Saver.save` writes beside a checkpoint, with the ending ".meta",
            or `tf.train.export_meta_graph` has made.
        clear_devices: whether to leave the devices out.
        import_scope: a name scope for the graph.
        input_map: tensors to read in the place of tensors of the graph, by their names there.
        **kwargs: accepted for TensorFlow 1: arguments of its importer.

    Returns:
        The saver that wrote the graph, or else one of all its variables; None if it has none.

    Raises:
        NotFoundError: if there is no such file.
        DataLossError, GraphError: if it is damaged.
        UnimplementedError: if it is of a later version, or of TensorFlow's.
    """
    given = meta_graph_or_file
    meta = given if isinstance(given, MetaGraphDef) else read_meta_graph_file(given)
    variables = add_meta_graph(meta, clear_devices, import_scope, input_map).variables
    saved = meta.saver_def
    if saved is None:
        return Saver({_key(name): one for name, one in variables.items()}) if variables else None
    if lost := set(saved.variables.values()) - variables.keys():
        raise DataLossError(f"the saver has the variable {min(lost)!r}, which is not there")
    settings = SaverDef(
        saved.max_to_keep, saved.sharded, saved.keep_checkpoint_every_n_hours, saved.version
    )
    of_saver = {key: variables[name] for key, name in saved.variables.items()}
    return Saver(of_saver, saver_def=settings, allow_empty=True, format=saved.format)


def _key(name: str) -> str:
    """What a checkpoint calls a variable: the name of its operation."""
    return name.rpartition(":")[0]
