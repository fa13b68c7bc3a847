"""Hyper-parameters of a run, which TensorBoard compares runs by.

Source: the messages of tensorboard/plugins/hparams/plugin_data.proto.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from thalweg.base.errors import InvalidArgumentError
from thalweg.protos.message import (
    Map,
    Message,
    boolean,
    double,
    int32,
    mapping,
    message,
    text,
)
from thalweg.protos.summaries import Summary, SummaryMetadata
from thalweg.protos.tensors import make_tensor_proto

__all__ = ["hparams", "hparams_end"]


class _Value(Message):
    """A value of any type: google.protobuf.Value."""

    number_value: float = double(2, oneof="kind")
    string_value: str = text(3, oneof="kind")
    bool_value: bool = boolean(4, oneof="kind")


class _SessionStartInfo(Message):
    """With which values a run was begun."""

    hparams: Map[_Value] = mapping(1, _Value)
    group_name: str = text(4)
    start_time_secs: float = double(5)


class _SessionEndInfo(Message):
    """How a run ended."""

    STATUS: ClassVar[dict[str, int]] = {"success": 1, "failure": 2, "running": 3}

    status: int = int32(1)
    end_time_secs: float = double(2)


class _PluginData(Message):
    """What the plugin keeps about a tag."""

    version: int = int32(1)
    session_start_info: _SessionStartInfo = message(3, _SessionStartInfo, oneof="data")
    session_end_info: _SessionEndInfo = message(4, _SessionEndInfo, oneof="data")


def hparams(values: Mapping[str, Any], group_name: str | None = None) -> Summary:
    """A summary of the hyper-parameters of a run.

        writer.add_summary(board.hparams({"rate": 0.1, "optimizer": "adam"}))

    Each run has a folder of its own, and writes this once. TensorBoard's page then shows the values
    beside the scalars of all runs.

    Args:
        values: numbers, strings and bools by name.
        group_name: runs of one group are repetitions with the same values; by default, those with
            the same values are.

    Raises:
        InvalidArgumentError: if a value is of another type.
    """
    group = repr(sorted(values.items())) if group_name is None else group_name
    start = _SessionStartInfo(group_name=group, start_time_secs=time.time())
    for name, value in values.items():
        start.hparams[name] = _value(name, value)
    return _summary("session_start_info", _PluginData(session_start_info=start))


def hparams_end(status: str = "success") -> Summary:
    """A summary that says how a run ended: "success", "failure", or "running" still.

    Raises:
        InvalidArgumentError: for another word.
    """
    if status not in _SessionEndInfo.STATUS:
        known = ", ".join(map(repr, _SessionEndInfo.STATUS))
        raise InvalidArgumentError(f"status must be one of {known}, not {status!r}")
    end = _SessionEndInfo(status=_SessionEndInfo.STATUS[status], end_time_secs=time.time())
    return _summary("session_end_info", _PluginData(session_end_info=end))


def _value(name: str, value: Any) -> _Value:
    plain = value.item() if hasattr(value, "item") else value
    match plain:
        case bool():
            return _Value(bool_value=plain)
        case int() | float():
            return _Value(number_value=plain)
        case str():
            return _Value(string_value=plain)
    raise InvalidArgumentError(f"{name!r} must be a number, a string or a bool, not {value!r}")


def _summary(what: str, data: _PluginData) -> Summary:
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data.SerializeToString())
    metadata = SummaryMetadata(plugin_data=plugin, data_class=SummaryMetadata.DATA_CLASS_TENSOR)
    nothing = make_tensor_proto([], "float32")
    tag = f"_hparams_/{what}"
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=nothing)])
