"""Cut a run into stages: segments that a device's backend compiles, and what Python runs.

A graph that needs one device, and Python nowhere, is one segment. Else the operations get *levels*:
segments have the even ones, the stages of the host the odd ones between them. An operation stands
on the lowest level that all it depends on, or waits for, allows:

    x -> MatMul -> Unique -> Gather -> Assign        x -> Add -> Assign of another variable
    level   0         1        2         2                 0        2, after what may fail

What one level holds for one device is a stage. Stages of one level do not depend on each other, so
they can run at the same time:

    x -> MatMul on GPU 0 -> Add on the CPU           x -> MatMul on GPU 1 -> the same Add
    level   0                 2                            0

A tensor that crosses a boundary is fetched from one segment and fed to a later one. So the extents
that only the run can tell are ordinary open extents of a segment, and a value that decides about
shapes is known when the segment that needs it is planned. A variable's value that nobody has
changed yet crosses to other devices as it is, without a segment of its own device.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import cast

from thalweg.base.record import Record
from thalweg.base.shapes import is_known
from thalweg.graph import Body, Operation, Origin, Tensor
from thalweg.ops.control.control_flow import ControlFlow
from thalweg.passes.bodies import collects_until, needs_host, used
from thalweg.passes.fold import static_sources
from thalweg.passes.levels import (
    HOST,
    Levels,
    Where,
    is_free,
    is_group,
    is_plain_read,
    next_level,
)
from thalweg.passes.place import Places, has_place
from thalweg.passes.prune import NOTHING
from thalweg.passes.sink import sink
from thalweg.passes.stagger import stagger

UNKNOWN = 1 << 60  # the level of a value that no plan can know


class Stage(Record, eq=False):
    """Operations that run together.

    Attributes:
        level: even for a segment, odd for the host; stages of one level are independent.
        device: on which it runs; HOST if Python runs it.
        ops: in an order in which they can run; those that every stage makes for itself left out.
        feeds: the tensors that it takes, from the user or from stages before it.
        tensors: those made here that later stages or the user need.
        targets: operations that run for their effect, or since others wait for them.
        done: the operations of the stages before it; None if it is a run of its own.
        reasons: why it is a stage of its own, for people.
    """

    level: int
    device: str
    ops: tuple[Operation, ...]
    feeds: tuple[Tensor, ...]
    tensors: tuple[Tensor, ...]
    targets: tuple[Operation, ...]
    done: frozenset[Operation] | None
    reasons: tuple[str, ...]

    @property
    def is_host(self) -> bool:
        """Whether Python runs it."""
        return self.device == HOST


def stage_of_body(body: Body, device: str) -> Stage:
    """A body, as what a run of its own does on a device."""
    fetches = dict.fromkeys(t for t in body.outputs if t not in body.inputs)
    return Stage(0, device, tuple(body.operations), body.inputs, tuple(fetches), (), None, ())


class Stages(Record, eq=False):
    """A run in stages.

    Attributes:
        stages: in order of their levels.
        places: the device of each operation.
        feeds: the tensors of which a run is given the values.
        fetches: what it returns.
        needs: variables that must have a value before it runs.
        writes: variables that have a value afterwards.
        unchanged: the reads of variables that stages on other devices are fed: where no stage has
            made one before, it is the variable's value when the stage begins.
    """

    stages: tuple[Stage, ...]
    places: Places
    feeds: tuple[Tensor, ...]
    fetches: tuple[Tensor, ...]
    needs: frozenset[str]
    writes: frozenset[str]
    unchanged: frozenset[Tensor] = frozenset()


def cut_into_stages(
    ops: list[Operation],
    places: Places,
    fetches: Sequence[Tensor],
    targets: Sequence[Operation],
    fed: Collection[Tensor],
    done: frozenset[Operation] = NOTHING,
    by_python: Collection[Operation] = (),
) -> Stages | None:
    """The stages of a run; None if a single segment takes it all.

    Args:
        ops: of the user's graph: what the run needs, in graph order.
        places: the device of each of them.
        fetches: tensors of the user's graph.
        targets: operations of the user's graph.
        fed: the tensors that are fed.
        done: operations that have run before.
        by_python: operations that Python is to run though they do not ask for it.
    """
    taken = used(ops, fetches)
    host: set[Operation] = set()
    for op in ops:
        if op in by_python or is_host(op, taken) or _may_take_ragged(op, host):
            host.add(op)
    tapes = {op for op in ops if collects_until(op, taken)} - host
    is_spread = len({places[op] for op in ops if has_place(op)}) > 1
    if not host and not tapes and not is_spread and not _may_need_stages(ops):
        return None
    levels = Levels(ops, places, fed, host, tapes)
    is_text = any(tensor.dtype.is_string for tensor in fetches)
    if not any(levels.of.values()) and not tapes and not is_text and not is_spread:
        return None
    sink(levels)
    if is_spread:
        stagger(levels)
    return _Cut(levels, fetches, targets, fed).stages(done)


def is_host(op: Operation, used: set[Tensor]) -> bool:
    """Whether Python runs an operation, or its bodies one by one.

    Args:
        op: an operation of the user's graph.
        used: the tensors that something needs.
    """
    if op.record.effects.host:
        return True
    strings = op.record.takes_strings and any(t.dtype.is_string for t in (*op.inputs, *op.outputs))
    return strings or (bool(op.record.bodies) and needs_host(op, used))


def _may_take_ragged(op: Operation, host: set[Operation]) -> bool:
    """Whether a loop takes what one on the host has collected, each time of another shape maybe."""
    loops = [tensor for tensor in op.inputs if tensor.op in host and tensor.op.record.bodies]
    return bool(loops) and takes_elements(op, [t for t in loops if not _has_known_elements(t)])


def _has_known_elements(tensor: Tensor) -> bool:
    shape = tensor.static_shape
    return shape is not None and is_known(shape[1:])


def takes_elements(op: Operation, tensors: Collection[Tensor]) -> bool:
    """Whether an operation is a loop over the elements of one of some tensors."""
    if not op.record.bodies:
        return False
    is_sequence = cast("ControlFlow", op.record).is_sequence
    return any(is_sequence(number) and tensor in tensors for number, tensor in enumerate(op.inputs))


def _may_need_stages(ops: Sequence[Operation]) -> bool:
    """Whether a shape depends on more than a plan knows."""
    return any(tensor.op.record.origin is not Origin.CONSTANT for tensor in static_sources(ops))


class _Cut:
    """What crosses the boundaries between stages."""

    def __init__(
        self,
        levels: Levels,
        fetches: Sequence[Tensor],
        targets: Sequence[Operation],
        fed: Collection[Tensor],
    ) -> None:
        self._levels, self._fetches, self._fed = levels, fetches, fed
        self._written = _earliest_writes(levels.of)
        self._unchanged: set[Tensor] = set()
        self._feeds: dict[Where, dict[Tensor, None]] = {}
        self._made: dict[Where, dict[Tensor, None]] = {}
        self._targets: dict[Where, dict[Operation, None]] = {}
        for op in levels.of:
            self._note_inputs(op)
            self._note_control(op)
            if op.record.effects.must_run or op in targets:
                self._target(op)
        for tensor in fetches:
            if is_free(tensor.op):
                self._target(tensor.op)
            self._made.setdefault(self._where_to_fetch(tensor), {})[tensor] = None

    def stages(self, done: frozenset[Operation]) -> Stages:
        """The stages, those left out in which nothing runs."""
        inside: dict[Where, list[Operation]] = {}
        for op in self._levels.of:
            if not is_free(op):
                inside.setdefault(self._levels.where(op), []).append(op)
        stages = []
        for where in sorted({*inside, *self._made}):
            ops = inside.get(where, [])
            if where in self._made or where in self._targets:
                stages.append(self._stage(where, ops, done))
            done |= {op for op in ops if not (is_group(op) or is_plain_read(op))}
        given = [tensor for tensor in self._fed if any(tensor in s.feeds for s in stages)]
        needs, writes = _variables(self._levels.of, self._fetches)
        places, unchanged = self._levels.places, frozenset(self._unchanged)
        return Stages(
            tuple(stages), places, tuple(given), tuple(self._fetches), needs, writes, unchanged
        )

    def _stage(self, where: Where, ops: list[Operation], done: frozenset[Operation]) -> Stage:
        reasons = [self._levels.reasons[op] for op in ops if op in self._levels.reasons]
        return Stage(
            *where,
            tuple(ops),
            tuple(self._feeds.get(where, ())),
            tuple(self._made.get(where, ())),
            tuple(self._targets.get(where, ())),
            done,
            tuple(dict.fromkeys(reasons)),
        )

    def _note_inputs(self, op: Operation) -> None:
        """Let an operation's inputs come to the stage where it runs."""
        if is_free(op) or is_plain_read(op):
            return
        where = self._levels.where(op)
        for tensor in self._inputs(op, where):
            self._bring(tensor, where)

    def _inputs(self, op: Operation, where: Where) -> Iterator[Tensor]:
        """The inputs of an operation, and of those that are made again in its stage for it."""
        level, device = where
        asked = op.record.effects.asks
        for number, tensor in enumerate(op.inputs):
            if number in asked:
                continue
            again = tensor not in self._fed and is_plain_read(tensor.op)
            again = again and self._levels.device(tensor.op) == device
            again = again and number not in op.record.static
            if again and self._holds(tensor, level):
                yield from tensor.op.inputs
            else:
                yield tensor

    def _bring(self, tensor: Tensor, where: Where) -> None:
        level, device = where
        if tensor in self._fed:
            self._feeds.setdefault(where, {})[tensor] = None
            return
        is_handle = tensor.op.record.origin is Origin.RESOURCE
        if is_free(tensor.op) and not (is_handle and device == HOST):
            return
        made = self._levels.where(tensor.op)
        if is_handle:
            made = level - 1, self._levels.places[tensor.op]
        if made == where:
            return
        self._feeds.setdefault(where, {})[tensor] = None
        crosses = device not in (HOST, made[1]) and is_plain_read(tensor.op)
        if crosses and self._holds(tensor, level):
            self._unchanged.add(tensor)
        else:
            self._made.setdefault(made, {})[tensor] = None

    def _holds(self, read: Tensor, level: int) -> bool:
        """Whether a variable has, on this level, still the value that is read."""
        written = [self._written.get(handle, UNKNOWN) for handle in read.op.inputs]
        return min(written) >= level

    def _note_control(self, op: Operation) -> None:
        """Let what an operation waits for run in its stage, though nobody may need its outputs."""
        given = [tensor.op for tensor in op.inputs if is_free(tensor.op)]
        for earlier in _behind_groups([*op.control_inputs, *given]):
            if self._levels.of.get(earlier, 0) < self._levels.of[op]:
                self._target(earlier)

    def _target(self, op: Operation) -> None:
        for one in _behind_groups([op]):
            if one in self._levels.of:
                self._targets.setdefault(self._levels.where(one), {})[one] = None

    def _where_to_fetch(self, tensor: Tensor) -> Where:
        """Where a fetch is made; what is free, in the first stage that may."""
        level, device = self._levels.where(tensor.op)
        if not is_free(tensor.op):
            return level, device
        device = HOST if tensor.dtype.is_string else device
        return next_level(level, device), device


def _behind_groups(ops: Iterable[Operation]) -> Iterator[Operation]:
    """The operations themselves; in place of groups, and of what is free, what these wait for."""
    waiting, seen = list(ops), set[Operation]()
    while waiting:
        op = waiting.pop()
        if op in seen:
            continue
        seen.add(op)
        if is_group(op) or is_free(op):
            waiting.extend(op.control_inputs)
        else:
            yield op


def _earliest_writes(levels: Mapping[Operation, int]) -> dict[Tensor, int]:
    """On which level each variable is first written."""
    found: dict[Tensor, int] = {}
    for op, level in levels.items():
        for number in op.record.effects.writes:
            handle = op.inputs[number]
            found[handle] = min(level, found.get(handle, level))
    return found


def _variables(
    order: Iterable[Operation], fetches: Iterable[Tensor]
) -> tuple[frozenset[str], frozenset[str]]:
    """The variables that a run needs the values of, and those that it writes."""
    needs = {t.op.name for t in fetches if t.op.record.origin is Origin.RESOURCE}
    writes: set[str] = set()
    for op in order:
        effects = op.record.effects
        unread = {*effects.writes, *effects.asks}
        for number, tensor in enumerate(op.inputs):
            if tensor.op.record.origin is Origin.RESOURCE and number not in unread:
                needs |= {tensor.op.name} - writes
        writes |= {op.inputs[n].op.name for n in effects.writes}
    return frozenset(needs), frozenset(writes)
