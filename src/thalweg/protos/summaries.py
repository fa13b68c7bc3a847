"""Summaries as messages: what TensorBoard shows of a step."""

from __future__ import annotations

from typing import ClassVar

from thalweg.protos.message import (
    Message,
    Repeated,
    double,
    doubles,
    float32,
    int32,
    int64,
    message,
    messages,
    raw,
    text,
)
from thalweg.protos.tensors import TensorProto

__all__ = ["HistogramProto", "Summary", "SummaryDescription", "SummaryMetadata"]


class SummaryDescription(Message):
    """What a summary shows; TensorBoard no longer asks."""

    type_hint: str = text(1)


class SummaryMetadata(Message):
    """Which part of TensorBoard shows a value, and how it calls it."""

    class PluginData(Message):
        """A part of TensorBoard, and what it keeps about a tag."""

        plugin_name: str = text(1)
        content: bytes = raw(2)

    DATA_CLASS_SCALAR: ClassVar[int] = 1
    DATA_CLASS_TENSOR: ClassVar[int] = 2
    DATA_CLASS_BLOB_SEQUENCE: ClassVar[int] = 3

    plugin_data: PluginData = message(1, PluginData)
    display_name: str = text(2)
    summary_description: str = text(3)
    data_class: int = int32(4)


class HistogramProto(Message):
    """How many values lie in each bucket: `bucket[n]` up to `bucket_limit[n]`."""

    min: float = double(1)
    max: float = double(2)
    num: float = double(3)
    sum: float = double(4)
    sum_squares: float = double(5)
    bucket_limit: list[float] = doubles(6)
    bucket: list[float] = doubles(7)


class Summary(Message):
    """What TensorBoard shows of a step: values with tags."""

    class Image(Message):
        """An image: PNG, or another format that a browser shows."""

        height: int = int32(1)
        width: int = int32(2)
        colorspace: int = int32(3)
        encoded_image_string: bytes = raw(4)

    class Audio(Message):
        """A sound: WAV, or another format that a browser plays."""

        sample_rate: float = float32(1)
        num_channels: int = int64(2)
        length_frames: int = int64(3)
        encoded_audio_string: bytes = raw(4)
        content_type: str = text(5)

    class Value(Message):
        """A value with its tag."""

        tag: str = text(1)
        simple_value: float = float32(2, oneof="value")
        image: Summary.Image = message(4, lambda: Summary.Image, oneof="value")
        histo: HistogramProto = message(5, HistogramProto, oneof="value")
        audio: Summary.Audio = message(6, lambda: Summary.Audio, oneof="value")
        node_name: str = text(7)
        tensor: TensorProto = message(8, TensorProto, oneof="value")
        metadata: SummaryMetadata = message(9, SummaryMetadata)

    value: Repeated[Value] = messages(1, Value)
