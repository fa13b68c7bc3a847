"""Calls of kernels in the Trace Event Format, which chrome://tracing and Perfetto show.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from thalweg.backends.trace import RunTrace, Unit

Event = dict[str, Any]

MOST_NAMED = 3  # operations of a kernel that its name lists


def chrome_trace(traces: Sequence[RunTrace]) -> dict[str, Any]:
    """The calls of some runs: one row a thread, and one for the runs. Times are in microseconds."""
    threads = range(max(trace.threads for trace in traces))
    rows = [_name("thread_name", n + 1, f"thread {n}") for n in threads]
    names = [_name("process_name", 0, "thalweg"), _name("thread_name", 0, "runs"), *rows]
    begin = min(trace.start for trace in traces)
    events = [event for trace in traces for event in _events(trace, begin)]
    return {"traceEvents": [*names, *events], "displayTimeUnit": "ms"}


def _events(trace: RunTrace, begin: float) -> Iterator[Event]:
    yield _span("run", 0, trace.start - begin, trace.stop - begin, {})
    args = {id(unit): _args(unit) for unit in trace.units}
    for span in trace.spans():
        start, stop = span.start - begin, span.stop - begin
        yield _span(_title(span.unit), span.thread + 1, start, stop, args.get(id(span.unit), {}))


def _span(name: str, row: int, start: float, stop: float, args: Event) -> Event:
    """A complete event."""
    times = {"ts": start * 1e6, "dur": (stop - start) * 1e6}
    return {"ph": "X", "name": name, "pid": 0, "tid": row, **times, "args": args}


def _name(what: str, row: int, name: str) -> Event:
    return {"ph": "M", "name": what, "pid": 0, "tid": row, "args": {"name": name}}


def _title(unit: Unit) -> str:
    """The last operations of a kernel, which are what it is there for as a rule."""
    if not unit.ops:
        return "prepare"
    more = len(unit.ops) - MOST_NAMED
    listed = ", ".join(unit.ops[-MOST_NAMED:])
    return f"{listed} and {more} more" if more > 0 else listed


def _args(unit: Unit) -> Event:
    return {
        "operations": list(unit.ops),
        "loops": unit.label,
        "flop": unit.flops,
        "bytes": unit.bytes,
        "calls": unit.calls,
        "seconds": unit.seconds,
    }
