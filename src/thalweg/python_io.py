"""TFRecord files: TensorFlow 1's `tf.python_io`."""

from thalweg.graph import calls as _calls
from thalweg.saving.records import (
    TFRecordCompressionType,
    TFRecordOptions,
    TFRecordWriter,
    tf_record_iterator,
)

__all__ = [
    "TFRecordCompressionType",
    "TFRecordOptions",
    "TFRecordWriter",
    "tf_record_iterator",
]

_calls.explain_errors(globals(), __all__)
