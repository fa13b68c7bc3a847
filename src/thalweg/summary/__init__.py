"""Summaries, and the files that TensorBoard reads: TensorFlow 1's `tf.summary`."""

from thalweg.graph import calls as _calls
from thalweg.ops.summaries.audio import audio
from thalweg.ops.summaries.histogram import histogram_ as histogram
from thalweg.ops.summaries.image import image
from thalweg.ops.summaries.merge import merge, merge_all
from thalweg.ops.summaries.scalar import scalar
from thalweg.ops.summaries.tensor import get_summary_description, tensor_summary, text
from thalweg.protos.events import Event, SessionLog, TaggedRunMetadata
from thalweg.protos.summaries import Summary, SummaryDescription
from thalweg.summary.file_writer import FileWriter, FileWriterCache

__all__ = [
    "Event",
    "FileWriter",
    "FileWriterCache",
    "SessionLog",
    "Summary",
    "SummaryDescription",
    "TaggedRunMetadata",
    "audio",
    "get_summary_description",
    "histogram",
    "image",
    "merge",
    "merge_all",
    "scalar",
    "tensor_summary",
    "text",
]

_calls.explain_errors(globals(), __all__)
