"""`profile` and `Profiler`, as `tf.profiler` has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.record import replace
from thalweg.graph import Graph, Origin, default_graph
from thalweg.inspect.profile import OpProfile, Profile, profile_of_traces
from thalweg.inspect.profile import profile as profile_of
from thalweg.profiler.nodes import GraphNode, by_group, by_inputs, by_scope
from thalweg.profiler.options import Options
from thalweg.profiler.report import report
from thalweg.profiler.timeline import Timeline
from thalweg.session.run_metadata import RunMetadata

__all__ = ["Profiler", "profile"]


def profile(
    graph: Graph | None = None,
    run_meta: RunMetadata | None = None,
    op_log: Any = None,
    cmd: str = "scope",
    options: Mapping[str, Any] | None = None,
) -> GraphNode:
    """What the operations of a graph cost, and print it unless the options say otherwise.

    Without `run_meta`, extents that the graph leaves open count as 1.

    Args:
        graph: by default the default graph.
        run_meta: of a run that was traced, for times and for the shapes of that run.
        op_log: accepted for TensorFlow 1 and ignored.
        cmd: "scope" or "graph" for a `GraphNode`, "op" or "code" for a `MultiGraphNode`.
        options: see `ProfileOptionBuilder`; by default `time_and_memory`.

    Raises:
        InvalidArgumentError: there is no such command.
    """
    own = graph or default_graph()
    return _shown(own, _profile(own, run_meta), run_meta, cmd, Options.of(options))


class Profiler:
    """Profiles of several steps of training.

    Args:
        graph: by default the default graph.
        op_log: accepted for TensorFlow 1 and ignored.
    """

    def __init__(self, graph: Graph | None = None, op_log: Any = None) -> None:
        self._graph = graph or default_graph()
        self._steps: dict[int, RunMetadata] = {}

    def add_step(self, step: int, run_meta: RunMetadata) -> None:
        """Note what a traced run has measured."""
        self._steps[step] = replace(run_meta)

    def profile_name_scope(self, options: Mapping[str, Any] | None = None) -> GraphNode:
        """By name scope."""
        return self._profile("scope", options)

    def profile_graph(self, options: Mapping[str, Any] | None = None) -> GraphNode:
        """By what takes the outputs."""
        return self._profile("graph", options)

    def profile_operations(self, options: Mapping[str, Any] | None = None) -> GraphNode:
        """By kind of operation."""
        return self._profile("op", options)

    def profile_python(self, options: Mapping[str, Any] | None = None) -> GraphNode:
        """By the lines of code that made the operations."""
        return self._profile("code", options)

    def _profile(self, cmd: str, options: Mapping[str, Any] | None) -> GraphNode:
        step = Options.of(options).step
        latest = max(self._steps, default=-1)
        return profile(
            self._graph, self._steps.get(latest if step < 0 else step), None, cmd, options
        )


def _profile(graph: Graph, run_meta: RunMetadata | None) -> Profile:
    if run_meta is not None and run_meta.trace is not None:
        return profile_of_traces(graph, "", [run_meta.trace])
    ops = [op for op in graph.get_operations() if op.record.origin is Origin.FEED]
    tensors = [op.outputs[0] for op in ops if op.outputs[0].static_shape is not None]
    return profile_of(graph, feed_shapes={t: [n or 1 for n in t.shape.as_list()] for t in tensors})


def _shown(
    graph: Graph, profile: Profile, run_meta: RunMetadata | None, cmd: str, options: Options
) -> GraphNode:
    ways: dict[str, Callable[[Profile], GraphNode]] = {
        "scope": lambda counted: by_scope(counted.ops),
        "graph": lambda counted: by_inputs(counted, graph),
        "op": lambda counted: by_group(counted.ops, lambda op: op.type),
        "code": lambda counted: by_group(counted.ops, lambda op: op.source),
    }
    if cmd not in ways:
        raise InvalidArgumentError(f"profile: cmd is one of {', '.join(ways)}, not {cmd!r}")
    made = ways[cmd](Profile(profile.fetches, tuple(_counted(profile.ops, options))))
    kind, _, path = options.output.partition(":outfile=")
    if kind == "timeline" and run_meta is not None:
        _write(path, Timeline(run_meta.step_stats).generate_chrome_trace_format())
    elif kind == "file":
        _write(path, report(made, options))
    elif kind == "stdout":
        print(report(made, options))
    return made


def _counted(ops: Sequence[OpProfile], options: Options) -> list[OpProfile]:
    """The operations that the options count."""
    types = [re.compile(pattern) for pattern in options.account_type_regexes]
    return [op for op in ops if any(p.fullmatch(kind) for p in types for kind in _types(op))]


def _types(op: OpProfile) -> list[str]:
    return [op.type, *(["_trainable_variables"] if op.parameters else [])]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
