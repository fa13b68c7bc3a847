"""What a run measured, as messages: TensorFlow's RunMetadata."""

from __future__ import annotations

from thalweg.protos.message import (
    Message,
    Repeated,
    int32,
    int64,
    message,
    messages,
    text,
    uint32,
)
from thalweg.protos.tensors import TensorShapeProto

__all__ = [
    "AllocationDescription",
    "AllocatorMemoryUsed",
    "DeviceStepStats",
    "NodeExecStats",
    "NodeOutput",
    "RunMetadata",
    "StepStats",
    "TensorDescription",
]


class AllocationDescription(Message):
    """The memory of a tensor, in bytes."""

    requested_bytes: int = int64(1)
    allocated_bytes: int = int64(2)
    allocator_name: str = text(3)


class TensorDescription(Message):
    """The dtype, shape and memory of a tensor."""

    dtype: int = int32(1)
    shape: TensorShapeProto = message(2, TensorShapeProto)
    allocation_description: AllocationDescription = message(4, AllocationDescription)


class NodeOutput(Message):
    """An output of an operation."""

    slot: int = int32(1)
    tensor_description: TensorDescription = message(3, TensorDescription)


class AllocatorMemoryUsed(Message):
    """What an operation took of a kind of memory, in bytes."""

    allocator_name: str = text(1)
    total_bytes: int = int64(2)
    peak_bytes: int = int64(3)
    live_bytes: int = int64(4)
    allocator_bytes_in_use: int = int64(5)


class NodeExecStats(Message):
    """When an operation ran, in microseconds since 1970 and since its own beginning."""

    node_name: str = text(1)
    all_start_micros: int = int64(2)
    op_start_rel_micros: int = int64(3)
    op_end_rel_micros: int = int64(4)
    all_end_rel_micros: int = int64(5)
    memory: Repeated[AllocatorMemoryUsed] = messages(6, AllocatorMemoryUsed)
    output: Repeated[NodeOutput] = messages(7, NodeOutput)
    timeline_label: str = text(8)
    scheduled_micros: int = int64(9)
    thread_id: int = uint32(10)
    all_start_nanos: int = int64(13)
    op_start_rel_nanos: int = int64(14)
    op_end_rel_nanos: int = int64(15)
    all_end_rel_nanos: int = int64(16)
    scheduled_nanos: int = int64(17)


class DeviceStepStats(Message):
    """What ran on a device."""

    device: str = text(1)
    node_stats: Repeated[NodeExecStats] = messages(2, NodeExecStats)


class StepStats(Message):
    """What ran, by device."""

    dev_stats: Repeated[DeviceStepStats] = messages(1, DeviceStepStats)


class RunMetadata(Message):
    """What a run measured."""

    step_stats: StepStats = message(1, StepStats)
