"""Messages against those of protocol buffers themselves, which TensorBoard comes with."""

from __future__ import annotations

import copy
import importlib
import pickle
import random
from typing import Any

import numpy as np
import pytest

from thalweg.base.errors import DataLossError, InvalidArgumentError
from thalweg.protos import events, graphs, step_stats, summaries, tensors
from thalweg.protos.events import Event, SessionLog
from thalweg.protos.examples import Example, Feature, Int64List
from thalweg.protos.graphs import AttrValue, NodeDef
from thalweg.protos.message import DEEPEST, Message
from thalweg.protos.summaries import HistogramProto, Summary
from thalweg.protos.tensors import TensorProto, make_ndarray, make_tensor_proto

PAIRS = {
    graphs.AttrValue: "attr_value",
    graphs.GraphDef: "graph",
    graphs.NodeDef: "node_def",
    events.Event: "event",
    events.SessionLog: "event",
    events.TaggedRunMetadata: "event",
    step_stats.RunMetadata: "config",
    step_stats.StepStats: "step_stats",
    summaries.HistogramProto: "histogram",
    summaries.Summary: "summary",
    summaries.SummaryMetadata: "summary",
    tensors.TensorProto: "tensor",
    tensors.TensorShapeProto: "tensor_shape",
}
# protocol buffers' types of fields: 8 bool, 9 string, 11 message, 12 bytes, 14 enum
MADE: dict[int, Any] = {
    1: lambda r: r.uniform(-9, 9),
    2: lambda r: float(np.float32(r.uniform(-9, 9))),
    3: lambda r: r.choice([0, -1, 1 << 62]),
    5: lambda r: r.choice([0, -1, 300]),
    8: lambda r: r.random() < 0.5,
    9: lambda r: r.choice(["", "é", 'a"b\n']),
    12: lambda r: r.randbytes(r.randrange(4)),
    13: lambda r: r.randrange(300),
    14: lambda r: 1,
}


def theirs(cls: type[Message]) -> Any:
    pytest.importorskip("tensorboard")
    module = importlib.import_module(f"tensorboard.compat.proto.{PAIRS[cls]}_pb2")
    return getattr(module, cls.__name__)


def filled(made: Any, cls: type[Message], r: random.Random, depth: int = 0) -> Any:
    """A message of protocol buffers with random values in the fields that ours has."""
    for field in made.DESCRIPTOR.fields:
        if field.name not in cls.field_names() or r.random() < 0.4 or depth > 4:
            continue
        found = cls._fields[field.name]
        value = getattr(made, field.name)
        if found.is_map:
            filled(value[r.choice("ab")], found.message, r, depth + 1)
        elif field.type == 11:
            for _ in range(r.randrange(3) if found.repeated else 1):
                inner = value.add() if found.repeated else value
                filled(inner, found.message, r, depth + 1)
                if not found.repeated:
                    value.SetInParent()
        elif found.repeated:
            value.extend([MADE[field.type](r) for _ in range(r.randrange(4))])
        else:
            setattr(made, field.name, MADE[field.type](r))
    return made


@pytest.mark.parametrize("cls", PAIRS, ids=lambda cls: cls.__name__)
def test_bytes_are_those_of_protocol_buffers(cls: type[Message]) -> None:
    other = theirs(cls)
    for seed in range(60):
        expected = filled(other(), cls, random.Random(seed))
        ours = cls.FromString(expected.SerializeToString())
        data = ours.SerializeToString()
        assert other.FromString(data) == expected
        assert ours == cls.FromString(data)
        assert len(data) == ours.ByteSize() == expected.ByteSize()


def test_the_text_format_is_that_of_protocol_buffers() -> None:
    expected = theirs(Summary)()
    expected.value.add(tag='a"b\n\xe9', simple_value=0.25).metadata.display_name = "x"
    expected.value.add(tag="b").image.encoded_image_string = b"\x89'\x00\n"
    expected.value.add(tag="h").histo.bucket.extend([1, 2.5])
    assert str(Summary.FromString(expected.SerializeToString())) == str(expected)


def test_messages_are_used_as_tensorflow_code_uses_them() -> None:
    summary = tf_style = Summary(value=[Summary.Value(tag="loss", simple_value=0.1)])
    summary.value.add(tag="size", simple_value=3)
    assert [value.tag for value in tf_style.value] == ["loss", "size"]
    assert summary.value[0].simple_value == np.float32(0.1)
    histogram = HistogramProto()
    histogram.min = -1
    histogram.bucket.append(2)
    event = Event(step=3)
    assert not event.HasField("summary")
    assert event.WhichOneof("what") is None
    event.summary.value.add(tag="h", histo=histogram)
    assert event.HasField("summary")
    assert event.WhichOneof("what") == "summary"
    node = NodeDef(name="x")
    node.attr["T"].type = 1
    assert list(node.attr) == ["T"]
    assert node.attr["T"].WhichOneof("value") == "type"


def test_a_group_holds_one_value() -> None:
    value = Summary.Value(simple_value=0.0)
    assert value.HasField("simple_value")  # though it is zero
    value.image = Summary.Image(height=1)
    assert not value.HasField("simple_value")
    assert value.WhichOneof("value") == "image"
    value.ClearField("image")
    assert value.WhichOneof("value") is None


def test_copies_are_their_own() -> None:
    event = Event(step=1, session_log=SessionLog(status=SessionLog.START))
    for other in (copy.deepcopy(event), pickle.loads(pickle.dumps(event))):
        assert other == event
        other.session_log.status = SessionLog.STOP
        assert other != event
    other = Event()
    other.CopyFrom(event)
    assert other == event
    with pytest.raises(InvalidArgumentError, match="is not a Event"):
        other.CopyFrom(SessionLog())


def test_maps_of_examples() -> None:
    example = Example()
    example.features.feature["n"].int64_list.value.extend([1, -2])
    again = Example.FromString(example.SerializeToString())
    assert list(again.features.feature["n"].int64_list.value) == [1, -2]
    example = Example()
    example.features.feature["n"] = Feature(int64_list=Int64List(value=[1, -2]))
    assert example == again


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (Event, {"wall": 1}, "Event has no field 'wall'; it has wall_time, step"),
        (Event, {"step": 1.5}, "Event.step: "),
        (Event, {"step": 1 << 63}, "does not fit int64"),
        (Event, {"wall_time": "now"}, "'now' is not a number"),
        (Event, {"summary": SessionLog()}, "is not a Summary"),
        (Event, {"file_version": 3}, "3 is not a text"),
        (Event, {"graph_def": "text"}, "'text' is not bytes"),
        (HistogramProto, {"bucket": ["a"]}, "HistogramProto.bucket: 'a' is not a number"),
    ],
)
def test_what_does_not_fit_is_refused(cls: Any, values: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message.replace("(", r"\(")):
        cls(**values)


@pytest.mark.parametrize(
    "data",
    [
        b"\x09",  # a double that is cut off
        b"\x2a\x05\x00",  # a message that is cut off
        b"\x2a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # one of 2^63 bytes
        b"\x10" + b"\xff" * 10,  # a varint of more than 64 bits
        b"\x0b",  # a group
        b"\x00\x00",  # a field with the number 0
        b"\x1a\x01\xff",  # a text that is not UTF-8
        b"\x15\x00\x00\x00\x00",  # a step of the wrong wire type
    ],
)
def test_damaged_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(DataLossError):
        Event.FromString(data)


def test_messages_in_each_other_without_end() -> None:
    data = b""
    for _ in range(DEEPEST + 2):  # a list of tensors, functions ...: attr in attr in attr
        entry = b"\x12" + _length(data) + data
        inner = b"\x12" + _length(entry) + entry
        data = b"\x52" + _length(inner) + inner
    with pytest.raises(DataLossError, match="more than 100 deep"):
        AttrValue.FromString(data)


def _length(data: bytes) -> bytes:
    from thalweg.protos.wire import varint

    return varint(len(data))


@pytest.mark.parametrize(
    "array",
    [
        np.float32(0.5),
        np.arange(6, dtype=np.int64).reshape(2, 3),
        np.array([True, False]),
        np.zeros([0, 2], np.float64),
        np.array([[b"a", b""]], object),
        np.array([1.5, -2], np.float16),
    ],
)
def test_tensors_come_back(array: Any) -> None:
    proto = make_tensor_proto(array)
    again = make_ndarray(TensorProto.FromString(proto.SerializeToString()))
    np.testing.assert_array_equal(again, array)
    assert again.dtype == np.asarray(array).dtype
    util = pytest.importorskip("tensorboard.util.tensor_util")
    theirs_of = theirs(TensorProto).FromString(proto.SerializeToString())
    np.testing.assert_array_equal(util.make_ndarray(theirs_of), array)


def test_the_last_value_of_a_list_stands_for_the_rest() -> None:
    proto = TensorProto(dtype=1, float_val=[1, 2])
    proto.tensor_shape.dim.add(size=4)
    assert make_ndarray(proto).tolist() == [1, 2, 2, 2]
    proto.tensor_shape.dim[0].size = 1 << 40
    with pytest.raises(DataLossError, match="has 2 values"):
        make_ndarray(proto)
    proto.float_val = [1]
    assert make_ndarray(proto).nbytes == 4 << 40  # in the memory of one number


@pytest.mark.parametrize(
    "proto",
    [
        TensorProto(dtype=99),
        TensorProto(dtype=1, tensor_content=b"abc"),
        TensorProto(dtype=1, float_val=[1, 2]),
        TensorProto(dtype=4, int_val=[300]),
    ],
)
def test_tensors_that_are_none(proto: TensorProto) -> None:
    with pytest.raises(DataLossError):
        make_ndarray(proto)
