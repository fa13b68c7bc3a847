"""Models with signatures, in a folder of JSON and safetensors: TensorFlow 1's `tf.saved_model`."""

from thalweg.graph import calls as _calls
from thalweg.saved_model import (
    builder,
    loader,
    signature_constants,
    signature_def_utils,
    tag_constants,
    utils,
)
from thalweg.saved_model.builder import SavedModelBuilder as Builder
from thalweg.saved_model.loader import load
from thalweg.saved_model.simple_save import simple_save

__all__ = [
    "Builder",
    "builder",
    "load",
    "loader",
    "signature_constants",
    "signature_def_utils",
    "simple_save",
    "tag_constants",
    "utils",
]

_calls.explain_errors(globals(), ["load", "simple_save"])
