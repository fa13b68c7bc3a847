"""Runs that are more than one program: segments, and operations that Python runs between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from thalweg.backends.evaluator import Run
from thalweg.backends.protocol import Feed, MiniBatches, Program
from thalweg.backends.trace import RunTrace, Unit
from thalweg.base.dims import Given
from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.base.shapes import compatible, show
from thalweg.graph import Body, Op, Operation, Spec, Tensor, execute, failed
from thalweg.ops.control.control_flow import ControlFlow, RunBody
from thalweg.ops.control.ragged import is_ragged, regular
from thalweg.ops.evaluation import checked_outputs
from thalweg.passes.costs import OpCost, host_cost
from thalweg.passes.levels import is_free
from thalweg.passes.stages import Stage, Stages, stage_of_body
from thalweg.session.at_once import at_once
from thalweg.session.entry import Entry
from thalweg.session.steps import joined
from thalweg.session.variables import SessionVariables

Array = np.ndarray[Any, Any]

MOST_NAMED = 8  # operations of a stage that are named when it is described


class Segments(Protocol):
    """What finds or makes the compiled plans of segments."""

    def segment(self, stage: Stage, feeds: Mapping[Tensor, Array]) -> Entry:
        """The plan for these feeds."""
        ...

    def segment_costs(self, stage: Stage, feeds: Mapping[Tensor, Array]) -> dict[str, OpCost]:
        """What its operations cost, by name."""
        ...


class StagedProgram:
    """Stages level by level. What one makes and another needs is handed on as a feed.

    Segments of one level run at the same time, each on its device. A value stays in the memory of
    the device that has made it until another one needs it. A segment is planned when it first runs,
    since only then the extents of its feeds are known.

    Args:
        stages: of the run.
        segments: makes the programs of segments.
        store: the values of variables.
        workspace: see `Program.clone`.
    """

    def __init__(
        self,
        stages: Stages,
        segments: Segments,
        store: SessionVariables,
        workspace: int | None = 0,
    ) -> None:
        self.stages = stages
        self.finished = 0
        self._segments, self._store = segments, store
        self._workspace = workspace
        self._levels = _levels(stages)
        self._latest: dict[Stage, Program] = {}
        self._bodies: dict[Body, Stage] = {}
        self._reused = _reusable(stages)
        self._old: dict[Tensor, Array] = {}

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        """Run every stage once; see `Program`."""
        return self._run(feeds, run_counter, None)

    def trace(self, feeds: Sequence[Array], run_counter: int, trace: RunTrace) -> list[Array]:
        """Run every stage once, one after the other, and note what ran when; see `Program`."""
        return self._run(feeds, run_counter, trace)

    def _run(self, feeds: Sequence[Array], run_counter: int, trace: RunTrace | None) -> list[Array]:
        values: dict[Tensor, Any] = dict(zip(self.stages.feeds, feeds, strict=True))
        for stages, release in self._levels:
            if stages[0].is_host:
                self._run_by_python(stages[0], values, run_counter, trace)
            else:
                self._run_segments(stages, values, run_counter, trace)
            for tensor in release:
                values.pop(tensor, None)
        return [np.asarray(values[tensor]) for tensor in self.stages.fetches]

    def _run_segments(
        self,
        stages: Sequence[Stage],
        values: dict[Tensor, Any],
        run_counter: int,
        trace: RunTrace | None,
    ) -> None:
        """Run segments that do not depend on each other, at the same time if nothing is noted."""
        segments = [self._segment(stage, values, trace) for stage in stages]
        calls = [partial(segment.run, run_counter, trace) for segment in segments]
        made = at_once(calls) if trace is None else [call() for call in calls]
        for stage, tensors in zip(stages, made, strict=True):
            values.update(zip(stage.tensors, tensors, strict=True))
        self._old.update(self._for_reuse(stages, values))

    def _for_reuse(
        self, stages: Sequence[Stage], values: Mapping[Tensor, Any]
    ) -> dict[Tensor, Array]:
        """The arrays in which the next run may put what some segments make."""
        made = [t for s in stages for t in s.tensors if t in self._reused]
        return {tensor: values[tensor] for tensor in made if type(values[tensor]) is np.ndarray}

    def _segment(
        self, stage: Stage, values: Mapping[Tensor, Any], trace: RunTrace | None
    ) -> _Segment:
        """The program of a segment, with what it is fed."""
        fed = {tensor: self._fed(tensor, values) for tensor in stage.feeds}
        entry = self._segments.segment(stage, fed)
        if entry.program is None:
            return _Segment(None, [], [])
        if trace is not None:
            with trace.excluding():
                trace.costs = self._segments.segment_costs(stage, fed) | trace.costs
        program = self._latest[stage] = self._placed(entry, entry.program)
        old = [self._old.get(tensor) for tensor in stage.tensors]
        if hasattr(program, "run_on_device"):  # which may keep what it is fed
            lent = [t for t in fed.keys() & self._reused if type(fed[t]) is np.ndarray]
            fed |= {tensor: fed[tensor].copy() for tensor in lent}
        return _Segment(program, [fed[tensor] for tensor in entry.feeds], old)

    def _fed(self, tensor: Tensor, values: Mapping[Tensor, Any]) -> Any:
        """The value of what a segment is fed, perhaps what a variable has held from the start."""
        if tensor not in values and tensor in self.stages.unchanged:
            (handle,) = tensor.op.inputs
            return self._store.current(handle.op.name)
        return values[tensor]

    def _run_by_python(
        self,
        stage: Stage,
        values: dict[Tensor, Any],
        run_counter: int,
        trace: RunTrace | None,
    ) -> None:
        run_body = partial(self._run_body, run_counter, trace)
        fed = {tensor: np.asarray(values[tensor]) for tensor in stage.feeds}
        run = _HostRun(fed, run_counter, self._store, run_body)
        with np.errstate(all="ignore"):
            for op in stage.ops:
                run.execute_traced(op, trace)
        for tensor in stage.tensors:
            run.provide(tensor)
            values[tensor] = self._owned(tensor, run.values[tensor])

    def _owned(self, tensor: Tensor, made: Any) -> Array:
        """What Python has made, or a copy: it may be an operand, or what a function keeps."""
        array = np.asarray(made)
        if tensor not in self._reused or array.dtype.hasobject:
            return np.array(array, order="C")
        if tensor.op.record.borrows:
            return np.asarray(array, order="C")
        old = self._old.get(tensor)
        if old is None or old.shape != array.shape or old.dtype != array.dtype:
            old = self._old[tensor] = np.empty(array.shape, array.dtype)
        np.copyto(old, array)
        return old

    def _run_body(
        self, run_counter: int, trace: RunTrace | None, body: Body, inputs: Sequence[Any]
    ) -> list[Array]:
        """The outputs of a body, which is compiled as a run of its own."""
        if body not in self._bodies:
            self._bodies[body] = stage_of_body(body, self._device_of(body))
        arrays = [np.asarray(value, order="C") for value in inputs]
        values = dict(zip(body.inputs, arrays, strict=True))
        self._run_segments([self._bodies[body]], values, run_counter, trace)
        return [values[tensor] for tensor in body.outputs]

    def _device_of(self, body: Body) -> str:
        """The device of the operation that has a body."""
        places = self.stages.places.items()
        return next(device for op, device in places if body in op.record.bodies)

    def _placed(self, entry: Entry, program: Program) -> Program:
        """The program of a segment in this one's workspace."""
        place = self._workspace
        if place == 0:
            return program
        if place is None:
            return program.clone(None)
        if place not in entry.others:
            entry.others[place] = program.clone(place)
        return entry.others[place]

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        """Run step by step, each stage by stage; see `Program`."""
        self.finished = 0
        made = []
        for n in range(steps):
            fed = [feed.batch(n) if isinstance(feed, MiniBatches) else feed for feed in feeds]
            values = zip(self.stages.fetches, self.run(fed, run_counter + n), strict=True)
            made.append([regular(*one) for one in values])
            self.finished += 1
        if not made:
            return [_nothing(tensor) for tensor in self.stages.fetches]
        every = zip(self.stages.fetches, zip(*made, strict=True), strict=True)
        return [joined(t, [v[np.newaxis] for v in one]) for t, one in every]

    def tune(self) -> dict[str, float]:
        """Tune the segments that have run; see `Program`."""
        found: dict[str, float] = {}
        for program in self._latest.values():
            found |= program.tune()
        return found

    def at(self, given: Sequence[Given]) -> StagedProgram | None:
        """None: a segment itself finds out whether its plan holds."""
        return None

    def clone(self, workspace: int | None) -> StagedProgram:
        """The same stages with segments in another workspace."""
        return StagedProgram(self.stages, self._segments, self._store, workspace)

    def parts(self) -> list[tuple[list[str], Program | None]]:
        """For each stage what it is, in lines, and its program if it is a segment that has run."""
        stages = self.stages.stages
        several = len({stage.device for stage in stages if not stage.is_host}) > 1
        return [(_described(n, s, several), self._latest.get(s)) for n, s in enumerate(stages)]

    def describe(self) -> str:
        """The stages, why each is one, what they are fed, and the programs of those that ran."""
        lines = [f"{len(self.stages.stages)} stages"]
        for about, program in self.parts():
            lines += ["", *about]
            if program:
                lines += ["    " + line for line in program.describe().splitlines()]
        return "\n".join(lines)


class _Segment(Record, eq=False):
    """A segment that is about to run.

    Attributes:
        program: None if there is nothing to compute.
        feeds: as the program takes them, from wherever they are.
        old: for each result, an array where it may go.
    """

    program: Program | None
    feeds: list[Any]
    old: list[Array | None]

    def run(self, run_counter: int, trace: RunTrace | None) -> list[Any]:
        """The values of the segment's tensors, wherever the program makes them."""
        if self.program is None:
            return []
        on_device = getattr(self.program, "run_on_device", None)
        if on_device is not None and trace is None:
            made: list[Any] = on_device(self.feeds, run_counter)
            return made
        arrays = [np.asarray(value, order="C") for value in self.feeds]
        if trace is not None:
            return self.program.trace(arrays, run_counter, trace)
        into = getattr(self.program, "run_into", None)
        if into is not None and any(array is not None for array in self.old):
            reused: list[Any] = into(arrays, run_counter, self.old)
            return reused
        return [np.asarray(value) for value in self.program.run(arrays, run_counter)]


class _HostRun(Run):
    """Executes the operations of a stage of the host.

    Args:
        values: of tensors, to which the new ones are added.
        run_counter: the number of the run.
        store: tells which variables have a value.
        run_body: runs the bodies of loops and branches.
    """

    def __init__(
        self,
        values: dict[Tensor, Any],
        run_counter: int,
        store: SessionVariables,
        run_body: RunBody,
    ) -> None:
        super().__init__(values, np.asarray(run_counter, np.int64), store, frozenset())
        self._initialised, self._run_body = store.initialised, run_body

    def execute(self, op: Operation) -> None:
        """Execute an operation, after those that no stage before it has executed."""
        if asked := op.record.effects.asks:
            names = {op.inputs[n].op.name for n in asked}
            self.values[op.outputs[0]] = np.array(names <= self._initialised)
            return
        for tensor in op.inputs:
            self.provide(tensor)
        execute(op, self)
        for tensor in op.outputs:
            value = self.values[tensor]
            if value.shape != tensor.static_shape and not is_ragged(tensor, value):
                self._check(tensor)

    def execute_traced(self, op: Operation, trace: RunTrace | None) -> None:
        """The same with its time noted; that of a loop or branch is that of what it runs."""
        if trace is None or op.record.bodies:
            self.execute(op)
        else:
            with trace.timing(Unit((op.name,), f"{op.type} in Python")):
                self.execute(op)
            trace.costs[op.name] = self._cost(op)

    def _cost(self, op: Operation) -> OpCost:
        """What an operation that has been executed has read and made."""
        made = [Spec(np.shape(self.values[tensor]), tensor.dtype) for tensor in op.outputs]
        read = sum(np.asarray(self.values[tensor]).nbytes for tensor in op.inputs)
        return host_cost(op, made, read)

    def _evaluate(self, record: Op, inputs: list[Any], kinds: list[DType]) -> list[Array]:
        if isinstance(record, ControlFlow):
            return record.run(inputs, self._run_body, np)
        return checked_outputs(record, inputs, kinds)

    def provide(self, tensor: Tensor) -> None:
        """Have the value of a tensor that no operation computes."""
        if tensor not in self.values and is_free(tensor.op):
            execute(tensor.op, self)

    def _check(self, tensor: Tensor) -> None:
        shape = self.values[tensor].shape
        if not compatible(shape, tensor.static_shape):
            raise failed(
                tensor.op,
                f"output {tensor.value_index} has the shape {show(shape)}, "
                f"and not {show(tensor.static_shape)}",
            )


def _levels(stages: Stages) -> list[tuple[list[Stage], list[Tensor]]]:
    """The stages of each level, and the tensors that none after it needs."""
    needed = set(stages.fetches)
    levels: list[tuple[list[Stage], list[Tensor]]] = []
    for _, group in groupby(reversed(stages.stages), attrgetter("level")):
        together = list(group)[::-1]
        last = {t for s in together for t in (*s.feeds, *s.tensors) if t not in needed}
        levels.append((together, list(last)))
        needed |= last
    return levels[::-1]


def _reusable(stages: Stages) -> frozenset[Tensor]:
    """The tensors between stages that nobody has any use for once a run has ended.

    What Python computes of them keeps no arrays: it borrows them, or hands them to its bodies.
    """
    found = {tensor for stage in stages.stages for tensor in stage.tensors}
    for stage in stages.stages:
        for op in stage.ops if stage.is_host else ():
            if not (op.record.borrows or op.record.bodies):
                found -= {*op.inputs}
    return frozenset(found - {*stages.fetches})


def _nothing(tensor: Tensor) -> Array:
    """The values of a tensor in no steps."""
    extents = tensor.static_shape or ()
    return np.empty((0, *[extent or 0 for extent in extents]), tensor.dtype.numpy)


def _described(number: int, stage: Stage, with_device: bool) -> list[str]:
    what = "operations that Python runs" if stage.is_host else "segment"
    if with_device and not stage.is_host:
        what += f" on {stage.device}"
    named = _listed([f"{op.name} ({op.type})" for op in stage.ops])
    lines = [f"stage {number}: {what}: {named}"]
    lines += [f"  because {reason}" for reason in stage.reasons]
    if stage.feeds:
        lines.append(f"  takes {_listed([f'{t.name} {t.spec}' for t in stage.feeds])}")
    if stage.tensors:
        lines.append(f"  makes {_listed([f'{t.name} {t.spec}' for t in stage.tensors])}")
    return lines


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    rest = len(every) - MOST_NAMED
    return ", ".join(every[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
