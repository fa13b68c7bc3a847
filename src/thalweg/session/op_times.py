"""From the trace of a run to TensorFlow 1's `StepStats`: when each operation ran.

A kernel computes several operations at once, and a loop runs it again and again. So an operation
has one entry: it begins with the first call of its first kernel, after those that share this one
with it, and lasts for its share of all their time; see `RunTrace.parts`.
"""

from __future__ import annotations

from thalweg.backends.trace import RunTrace
from thalweg.base.record import Record
from thalweg.base.shapes import known
from thalweg.graph import Spec
from thalweg.passes.costs import OpCost
from thalweg.session.step_stats import (
    AllocationDescription,
    AllocatorMemoryUsed,
    DeviceStepStats,
    NodeExecStats,
    NodeOutput,
    StepStats,
    TensorDescription,
)

DEVICE = "/job:localhost/replica:0/task:0/device:CPU:0"


class OpTime(Record, frozen=False):
    """When an operation ran, in seconds since 1970, for how long, and on which thread."""

    start: float
    seconds: float
    thread: int


def op_times(trace: RunTrace) -> dict[str, OpTime]:
    """When each operation ran, by name."""
    found: dict[str, OpTime] = {}
    for unit, parts in trace.parts():
        start = unit.first + trace.epoch
        for name, part in parts.items():
            time = found.setdefault(name, OpTime(start, 0.0, unit.thread))
            time.seconds += part * unit.seconds
            start += part * unit.seconds
    return found


def step_stats(trace: RunTrace, device: str = DEVICE) -> StepStats:
    """What a traced run has run, as of one device."""
    nodes = [_node(name, time, trace.costs.get(name)) for name, time in op_times(trace).items()]
    nodes.sort(key=lambda node: node.all_start_nanos)
    names = {n: f"thread {n}" for n in range(trace.threads)}
    return StepStats([DeviceStepStats(device, nodes, names)])


def _node(name: str, time: OpTime, cost: OpCost | None) -> NodeExecStats:
    start, nanos = round(time.start * 1e9), round(time.seconds * 1e9)
    micros = max(nanos // 1000, 1)  # TensorFlow, too, has nothing take no time at all
    node = NodeExecStats(
        name,
        all_start_micros=start // 1000,
        op_end_rel_micros=micros,
        all_end_rel_micros=micros,
        scheduled_micros=start // 1000,
        thread_id=time.thread,
        all_start_nanos=start,
        op_end_rel_nanos=nanos,
        all_end_rel_nanos=nanos,
    )
    if cost is not None:
        size = cost.output_bytes
        node.memory = [AllocatorMemoryUsed("cpu", size, size, size)] if size else []
        slots = cost.slots or range(len(cost.outputs))
        pairs = zip(slots, cost.outputs, strict=True)
        node.output = [NodeOutput(slot, _tensor(spec)) for slot, spec in pairs]
        node.timeline_label = f"{name} = {cost.type}({', '.join(cost.inputs)})"
    return node


def _tensor(spec: Spec) -> TensorDescription:
    shape = known(spec.shape)
    size = spec.dtype.size
    for extent in shape:
        size *= extent
    return TensorDescription(spec.dtype, shape, AllocationDescription(size, size))
