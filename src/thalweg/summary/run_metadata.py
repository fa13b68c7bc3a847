"""What a run has measured, as TensorBoard's graph page reads it."""

from __future__ import annotations

from typing import Any

from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.protos import step_stats
from thalweg.protos.message import Message
from thalweg.protos.tensors import DATA_TYPES, TensorShapeProto, shape_proto

__all__ = ["run_metadata_proto"]


def run_metadata_proto(run_metadata: Any) -> step_stats.RunMetadata:
    """A `tf.RunMetadata` as a message; its `step_stats` have the same fields in both."""
    made = step_stats.RunMetadata()
    _fill(made.step_stats, run_metadata.step_stats)
    return made


def _fill(message: Message, record: Record) -> None:
    """Set the fields of a message to those of a record."""
    for name in set(record.fields) & set(message.field_names()):
        value, inner = getattr(record, name), getattr(message, name)
        if isinstance(value, DType):
            setattr(message, name, DATA_TYPES[value.name])
        elif isinstance(inner, TensorShapeProto):
            setattr(message, name, shape_proto(value))
        elif isinstance(value, Record):
            _fill(inner, value)
        elif isinstance(value, list):
            for item in value:
                _fill(inner.add(), item)
        else:
            setattr(message, name, value)
