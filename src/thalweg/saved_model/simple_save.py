"""Writes a saved model in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from thalweg.graph import Operation
from thalweg.saved_model import tag_constants
from thalweg.saved_model.builder import SavedModelBuilder
from thalweg.saved_model.signature_constants import DEFAULT_SERVING_SIGNATURE_DEF_KEY
from thalweg.saved_model.signature_def_utils import predict_signature_def
from thalweg.session.session import Session


def simple_save(
    session: Session,
    export_dir: str | os.PathLike[str],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    legacy_init_op: Operation | None = None,
) -> None:
    """Save a session's graph and variables as a model for serving, with one signature.

        tf.saved_model.simple_save(session, "models/1", {"x": x}, {"y": y})

    Args:
        session: the session.
        export_dir: the folder, which must be empty or not there.
        inputs: tensors by the names that callers use.
        outputs: likewise.
        legacy_init_op: an operation to run when the model has been loaded.

    Raises:
        InvalidArgumentError: if the folder is not empty.
        GraphError: if an operation holds what is not data.
    """
    builder = SavedModelBuilder(export_dir)
    builder.add_meta_graph_and_variables(
        session,
        [tag_constants.SERVING],
        {DEFAULT_SERVING_SIGNATURE_DEF_KEY: predict_signature_def(inputs, outputs)},
        legacy_init_op=legacy_init_op,
    )
    builder.save()
