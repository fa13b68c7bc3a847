"""Graphs as data, changed for use: TensorFlow 1's `tf.graph_util`."""

from thalweg.graph import calls as _calls
from thalweg.saving.graph_util import (
    convert_variables_to_constants,
    extract_sub_graph,
    remove_training_nodes,
)

__all__ = ["convert_variables_to_constants", "extract_sub_graph", "remove_training_nodes"]

_calls.explain_errors(globals(), __all__)
