"""Graphs as messages: TensorFlow's GraphDef."""

from __future__ import annotations

from typing import Any

from thalweg.protos.message import (
    Map,
    Message,
    Repeated,
    boolean,
    float32,
    floats,
    int32,
    int64,
    integers,
    mapping,
    message,
    messages,
    raw,
    raws,
    text,
    texts,
)
from thalweg.protos.tensors import TensorProto, TensorShapeProto

__all__ = ["AttrValue", "GraphDef", "MetaGraphDef", "NameAttrList", "NodeDef", "VersionDef"]


class AttrValue(Message):
    """The value of an attribute of an operation."""

    class ListValue(Message):
        """A list of values."""

        s: list[bytes] = raws(2)
        i: list[int] = integers(3)
        f: list[float] = floats(4)
        b: list[int] = integers(5)
        type: list[int] = integers(6)
        shape: Repeated[TensorShapeProto] = messages(7, TensorShapeProto)
        tensor: Repeated[TensorProto] = messages(8, TensorProto)
        func: Any = messages(9, lambda: NameAttrList)

    list: ListValue = message(1, ListValue, oneof="value")
    s: bytes = raw(2, oneof="value")
    i: int = int64(3, oneof="value")
    f: float = float32(4, oneof="value")
    b: bool = boolean(5, oneof="value")
    type: int = int32(6, oneof="value")
    shape: TensorShapeProto = message(7, TensorShapeProto, oneof="value")
    tensor: TensorProto = message(8, TensorProto, oneof="value")
    placeholder: str = text(9, oneof="value")
    func: Any = message(10, lambda: NameAttrList, oneof="value")


class NameAttrList(Message):
    """A function with its attributes."""

    name: str = text(1)
    attr: Map[AttrValue] = mapping(2, AttrValue)


class NodeDef(Message):
    """An operation. Its inputs are "name", "name:1" ... and, for control, "^name"."""

    name: str = text(1)
    op: str = text(2)
    input: list[str] = texts(3)
    device: str = text(4)
    attr: Map[AttrValue] = mapping(5, AttrValue)


class VersionDef(Message):
    """The version of TensorFlow's graphs."""

    producer: int = int32(1)
    min_consumer: int = int32(2)


class GraphDef(Message):
    """A graph."""

    node: Repeated[NodeDef] = messages(1, NodeDef)
    version: int = int32(3)
    versions: VersionDef = message(4, VersionDef)


class MetaGraphDef(Message):
    """A graph and what belongs to it; only the graph is kept."""

    graph_def: GraphDef = message(2, GraphDef)
