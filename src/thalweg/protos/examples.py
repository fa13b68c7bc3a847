"""Examples as messages: the records of most TFRecord files."""

from __future__ import annotations

from thalweg.protos.message import (
    Map,
    Message,
    Repeated,
    floats,
    integers,
    mapping,
    message,
    messages,
    raws,
)

__all__ = [
    "BytesList",
    "Example",
    "Feature",
    "FeatureList",
    "FeatureLists",
    "Features",
    "FloatList",
    "Int64List",
    "SequenceExample",
]


class BytesList(Message):
    """Strings."""

    value: list[bytes] = raws(1)


class FloatList(Message):
    """Numbers, as float32."""

    value: list[float] = floats(1)


class Int64List(Message):
    """Whole numbers."""

    value: list[int] = integers(1)


class Feature(Message):
    """A list of strings or numbers."""

    bytes_list: BytesList = message(1, BytesList, oneof="kind")
    float_list: FloatList = message(2, FloatList, oneof="kind")
    int64_list: Int64List = message(3, Int64List, oneof="kind")


class Features(Message):
    """Lists by name."""

    feature: Map[Feature] = mapping(1, Feature)


class FeatureList(Message):
    """A sequence of lists."""

    feature: Repeated[Feature] = messages(1, Feature)


class FeatureLists(Message):
    """Sequences of lists by name."""

    feature_list: Map[FeatureList] = mapping(1, FeatureList)


class Example(Message):
    """One example of a data set."""

    features: Features = message(1, Features)


class SequenceExample(Message):
    """One example of a data set of sequences: what belongs to all of it, and to each step."""

    context: Features = message(1, Features)
    feature_lists: FeatureLists = message(2, FeatureLists)
