"""`Timeline`: when operations ran, in the Trace Event Format, as TensorFlow 1 writes it.

    metadata = tf.RunMetadata()
    session.run(train, feeds, tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE), metadata)
    trace = timeline.Timeline(metadata.step_stats).generate_chrome_trace_format()

`Profile.to_chrome_trace` shows the calls of kernels on their threads, which are what really ran; an
operation here is its share of its kernels, in one piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from thalweg.base.record import Record
from thalweg.session.step_stats import DeviceStepStats, NodeExecStats, StepStats

__all__ = ["Timeline"]

Event = dict[str, Any]

_LABEL = re.compile(r"(?P<name>.*?) = (?P<op>[^(]*)\((?P<inputs>.*)\)$")


class _Node(Record, eq=False):
    """An operation with its place in the picture: its process, and a lane in which it fits."""

    stats: NodeExecStats
    op: str
    inputs: tuple[str, ...]
    process: int
    lane: int

    @property
    def end(self) -> int:
        """When it ended, in microseconds."""
        return self.stats.all_start_micros + self.stats.all_end_rel_micros


class Timeline:
    """What a traced run did, as a picture.

    Args:
        step_stats: of its `RunMetadata`.
        graph: accepted for TensorFlow 1; the trace knows the types of operations.
    """

    def __init__(self, step_stats: StepStats, graph: Any = None) -> None:
        self._devices = list(step_stats.dev_stats)

    def generate_chrome_trace_format(
        self, show_dataflow: bool = True, show_memory: bool = False, op_time: str = "schedule"
    ) -> str:
        """The picture for chrome://tracing or https://ui.perfetto.dev, as JSON.

        Args:
            show_dataflow: whether arrows lead from operations to those that take their results.
            show_memory: whether a counter shows the memory of outputs.
            op_time: accepted for TensorFlow 1.
        """
        nodes = [node for n, device in enumerate(self._devices) for node in _placed(n, device)]
        events = [*self._names(), *map(_call, nodes)]
        if show_dataflow:
            events += _arrows(nodes)
        if show_memory:
            events += _memory(nodes)
        return json.dumps({"traceEvents": events}, indent=4, separators=(",", ": "))

    def _names(self) -> Iterator[Event]:
        for n, device in enumerate(self._devices):
            name = f"{device.device} Compute"
            yield {"ph": "M", "name": "process_name", "pid": n, "args": {"name": name}}


def _placed(process: int, device: DeviceStepStats) -> Iterator[_Node]:
    """The operations of a device; those that overlap are in different lanes."""
    ends: list[int] = []
    for stats in sorted(device.node_stats, key=lambda one: one.all_start_micros):
        start, end = stats.all_start_micros, stats.all_start_micros + stats.all_end_rel_micros
        free = [lane for lane, until in enumerate(ends) if until <= start]
        lane = free[0] if free else len(ends)
        ends[lane : lane + 1] = [end]
        found = _LABEL.match(stats.timeline_label)
        op = found["op"] if found else stats.node_name
        inputs = found["inputs"].split(", ") if found and found["inputs"] else []
        yield _Node(stats, op, tuple(inputs), process, lane)


def _call(node: _Node) -> Event:
    stats = node.stats
    args = {"name": stats.node_name, "op": node.op}
    args |= {f"input{n}": name for n, name in enumerate(node.inputs)}
    place = {"pid": node.process, "tid": node.lane}
    times = {"ts": stats.all_start_micros, "dur": stats.all_end_rel_micros}
    return {"ph": "X", "cat": "Op", "name": node.op, **place, **times, "args": args}


def _arrows(nodes: Iterable[_Node]) -> Iterator[Event]:
    """From each operation to those that ran later and take its results."""
    by_name = {node.stats.node_name: node for node in nodes}
    number = 0
    for node in by_name.values():
        for name in node.inputs:
            source = by_name.get(name)
            if source is not None and source.stats.all_start_micros <= node.stats.all_start_micros:
                yield _arrow("s", name, number, source, source.end)
                yield _arrow("t", name, number, node, node.stats.all_start_micros)
                number += 1


def _arrow(kind: str, name: str, number: int, node: _Node, time: int) -> Event:
    place = {"pid": node.process, "tid": node.lane, "ts": time}
    return {"ph": kind, "cat": "DataFlow", "name": name, "id": number, **place}


def _memory(nodes: Iterable[_Node]) -> Iterator[Event]:
    """Bytes of outputs, from when each was made until its last use."""
    every = list(nodes)
    last = {node.stats.node_name: node.end for node in every}
    for node in every:
        for name in node.inputs:
            last[name] = max(last.get(name, 0), node.end)
    changes = []
    for node in every:
        size = sum(used.total_bytes for used in node.stats.memory)
        changes.append((node.stats.all_start_micros, size))
        changes.append((last[node.stats.node_name], -size))
    total = 0
    for time, size in sorted(changes):
        total += size
        yield {
            "ph": "C", "cat": "Memory", "name": "cpu", "pid": 0, "ts": time, "args": {"cpu": total}
        }  # fmt: skip
