"""When the operations of a step ran: TensorFlow 1's messages as plain data.

Field for field what tensorflow/core/framework/step_stats.proto defines. Times are in microseconds
since 1970, or in microseconds after `all_start_micros`.
"""

from __future__ import annotations

from thalweg.base.dtypes import DType
from thalweg.base.record import Record, field


class AllocationDescription(Record, frozen=False):
    """Memory of a tensor, in bytes."""

    requested_bytes: int = 0
    allocated_bytes: int = 0
    allocator_name: str = "cpu"


class TensorDescription(Record, frozen=False):
    """A tensor that an operation has made."""

    dtype: DType
    shape: tuple[int, ...]
    allocation_description: AllocationDescription


class NodeOutput(Record, frozen=False):
    """An output of an operation, by its number."""

    slot: int
    tensor_description: TensorDescription


class AllocatorMemoryUsed(Record, frozen=False):
    """Memory that an operation took for its outputs, in bytes."""

    allocator_name: str = "cpu"
    total_bytes: int = 0
    peak_bytes: int = 0
    live_bytes: int = 0


class NodeExecStats(Record, frozen=False):
    """When an operation ran.

    Attributes:
        node_name: its name.
        all_start_micros: when it began, in microseconds since 1970.
        op_start_rel_micros: when its computation began, in microseconds after that.
        op_end_rel_micros: when that was over.
        all_end_rel_micros: when all was over.
        memory: of its outputs.
        output: its outputs.
        timeline_label: "name = Type(input, input)".
        scheduled_micros: when it could have begun.
        thread_id: of the thread that began it: 0 is the one that called `run`.
        all_start_nanos: as `all_start_micros`, in nanoseconds.
        op_end_rel_nanos: as `op_end_rel_micros`, in nanoseconds.
        all_end_rel_nanos: as `all_end_rel_micros`, in nanoseconds.
    """

    node_name: str
    all_start_micros: int = 0
    op_start_rel_micros: int = 0
    op_end_rel_micros: int = 0
    all_end_rel_micros: int = 0
    memory: list[AllocatorMemoryUsed] = field(default_factory=list)
    output: list[NodeOutput] = field(default_factory=list)
    timeline_label: str = ""
    scheduled_micros: int = 0
    thread_id: int = 0
    all_start_nanos: int = 0
    op_end_rel_nanos: int = 0
    all_end_rel_nanos: int = 0


class DeviceStepStats(Record, frozen=False):
    """What a device has run in a step."""

    device: str
    node_stats: list[NodeExecStats] = field(default_factory=list)
    thread_names: dict[int, str] = field(default_factory=dict)


class StepStats(Record, frozen=False):
    """What all devices have run in a step."""

    dev_stats: list[DeviceStepStats] = field(default_factory=list)
