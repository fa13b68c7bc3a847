"""Cut a plan at the operations that hold bodies: what lies between them is straight.

    a, b, Loop, c, Cond, d   ->   {a, b}  Loop  {c}  Cond  {d}

A tensor that crosses a cut is a fetch of one piece and a feed of others. Constants, the number of
the run and reads of variables need no crossing: each piece that needs one has its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import cast

from thalweg.base.record import Record
from thalweg.base.shapes import known
from thalweg.graph import Operation, Origin, Tensor
from thalweg.ops.arrays.constant import Placeholder, constant_of
from thalweg.ops.control.control_flow import ControlFlow
from thalweg.passes.order import order
from thalweg.passes.plan import Plan
from thalweg.passes.prune import prune
from thalweg.passes.rebuild import Rebuild, effects


class Given(Record):
    """A tensor that a piece computes for others, or for whoever runs the plan.

    Attributes:
        tensor: of the plan.
        fetch: the number of the plan's fetch that it is, if it is one.
    """

    tensor: Tensor
    fetch: int | None = None


class Piece(Record):
    """A plan without bodies.

    Attributes:
        plan: in a graph of its own.
        takes: for each of its feeds, the tensor of the whole plan.
        gives: the same for its fetches.
    """

    plan: Plan
    takes: tuple[Tensor, ...]
    gives: tuple[Given, ...]

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to do."""
        return not self.gives and not self.plan.targets


class Holder(Record):
    """An operation that holds bodies.

    Attributes:
        op: the operation.
        sources: for each input, the source that it is, if it is one that the bodies can have, or a
            constant that lies in memory.
        written: for each output, the number of the plan's fetch that the bodies can write, if any.
    """

    op: Operation
    sources: tuple[Tensor | None, ...]
    written: tuple[int | None, ...]


class Cut(Record):
    """A plan in pieces.

    Attributes:
        pieces: one more than holders: each but the last comes before one of these.
        holders: in order.
    """

    pieces: tuple[Piece, ...]
    holders: tuple[Holder, ...]


def cut(plan: Plan, known_as: Mapping[Tensor, Tensor], is_fed: Collection[Tensor]) -> Cut:
    """The pieces of a plan.

    Args:
        plan: all its shapes are known.
        known_as: feeds that are always the same as another plan's tensor, which is a source; see
            `Sources`.
        is_fed: feeds that lie in memory as they are, where an operation with bodies finds them.
    """
    return _Cutter(plan, known_as, is_fed).cut()


class Sources:
    """What a piece need not be given: it can have it anew.

    That are constants, handles, the number of the run, and reads of variables, unless the variable
    is written before the last operation that needs what was read.

    Args:
        ops: in the order in which they run.
        fetches: what is needed in the end.
    """

    def __init__(self, ops: Sequence[Operation], fetches: Iterable[Tensor]) -> None:
        self._first_write: dict[Tensor, int] = {}
        self._last_use: dict[Tensor, int] = dict.fromkeys(fetches, len(ops))
        for place, op in enumerate(ops):
            for tensor in op.inputs:
                self._last_use[tensor] = max(self._last_use.get(tensor, 0), place)
            for number in op.record.effects.writes:
                self._first_write.setdefault(op.inputs[number], place)

    def __contains__(self, op: Operation) -> bool:
        if op.record.origin is not None:
            return op.record.origin is not Origin.FEED
        does = op.record.effects
        return bool(does.reads) and not does.must_run and not does.host and self._lasts(op)

    def _lasts(self, read: Operation) -> bool:
        last = max([self._last_use.get(tensor, 0) for tensor in read.outputs])
        handles = [read.inputs[n] for n in read.record.effects.reads]
        return all(self._first_write.get(handle, last) >= last for handle in handles)


class _Cutter:
    """Cuts one plan."""

    def __init__(
        self, plan: Plan, known_as: Mapping[Tensor, Tensor], is_fed: Collection[Tensor]
    ) -> None:
        self._plan, self._known_as, self._is_fed = plan, known_as, is_fed
        needed = set(prune(plan.fetches, plan.targets))
        ordered = [op for op in order(plan) if op in needed]
        self.sources = Sources(ordered, plan.fetches)
        self._holders = [op for op in ordered if op.record.bodies]
        self._members: list[list[Operation]] = [[]]
        for op in ordered:
            if op.record.bodies:
                self._members.append([])
            elif op.record.origin is None and op not in self.sources:
                self._members[-1].append(op)
        self._made_in = {
            tensor: n for n, ops in enumerate(self._members) for op in ops for tensor in op.outputs
        }
        self._written = self._find_written()

    def cut(self) -> Cut:
        gives = self._find_gives()
        pieces = [self._piece(ops, own) for ops, own in zip(self._members, gives, strict=True)]
        return Cut(tuple(pieces), tuple(map(self._holder, self._holders)))

    def _holder(self, op: Operation) -> Holder:
        sources = [self._source(tensor) for tensor in op.inputs]
        for number in range(in_memory(op)):
            if not self._lies(op.inputs[number]):
                sources[number] = None
        return Holder(op, tuple(sources), tuple(map(self._written.get, op.outputs)))

    def _find_written(self) -> dict[Tensor, int]:
        """The first fetch of each output that an operation with bodies stores by itself."""
        stored = {tensor for op in self._holders for tensor in _stored(op)}
        found: dict[Tensor, int] = {}
        for number, tensor in enumerate(self._plan.fetches):
            if tensor in stored:
                found.setdefault(tensor, number)
        return found

    def _find_gives(self) -> list[list[Given]]:
        """What each piece computes for others."""
        gives: list[list[Given]] = [[] for _ in self._members]
        for number, tensor in enumerate(self._plan.fetches):
            if self._written.get(tensor) != number:
                at = self._made_in.get(tensor, len(self._members) - 1)
                gives[at].append(Given(tensor, number))
        given = {one.tensor for own in gives[:-1] for one in own}
        given |= {one.tensor for one in gives[-1] if one.tensor in self._made_in}
        for before, tensor in self._crossing():
            if tensor not in given:
                given.add(tensor)
                gives[before].append(Given(tensor))
        return gives

    def _crossing(self) -> Iterator[tuple[int, Tensor]]:
        """What a piece must put into memory for others, with the number of the piece."""
        for number, op in enumerate(self._holders):
            for place, tensor in enumerate(op.inputs):
                if tensor in self._made_in:
                    yield self._made_in[tensor], tensor
                elif self._must_be_put(tensor, place < in_memory(op)):
                    yield number, tensor
        for number, ops in enumerate(self._members):
            for tensor in dict.fromkeys(tensor for op in ops for tensor in op.inputs):
                if self._made_in.get(tensor, number) != number:
                    yield self._made_in[tensor], tensor

    def _must_be_put(self, tensor: Tensor, in_memory: bool) -> bool:
        """Whether what no piece computes is not yet where an operation with bodies finds it."""
        if self._is_source(tensor):
            return in_memory and not self._lies(tensor)
        return self._is_feed(tensor) and tensor not in self._is_fed

    def _is_source(self, tensor: Tensor) -> bool:
        return tensor in self._known_as or tensor.op in self.sources

    def _source(self, tensor: Tensor) -> Tensor | None:
        return self._known_as.get(tensor, tensor) if self._is_source(tensor) else None

    def _lies(self, tensor: Tensor) -> bool:
        """Whether a tensor is a constant that is memory of its own, and not part of code."""
        source = self._source(tensor)
        constant = constant_of(source) if source is not None else None
        return constant is not None and not constant.is_uniform

    def _is_feed(self, tensor: Tensor) -> bool:
        return tensor.op.record.origin is Origin.FEED and tensor not in self._known_as

    def _piece(self, ops: Sequence[Operation], gives: Sequence[Given]) -> Piece:
        """A plan for some of the operations."""
        own = {tensor for op in ops for tensor in op.outputs}
        read = [tensor for op in ops for tensor in op.inputs] + [one.tensor for one in gives]
        outside = [tensor for tensor in dict.fromkeys(read) if tensor not in own]
        takes = tuple([tensor for tensor in outside if not self._is_source(tensor)])
        new = Rebuild(self._plan.trace)
        for tensor in takes:
            new.tensors[tensor] = _placeholder(new, tensor)
        feeds = [new.tensors[tensor] for tensor in takes]
        sources = [tensor for tensor in outside if self._is_source(tensor)]
        new.run([op for tensor in sources for op in self._behind(tensor)], _copied)
        for tensor in sources:
            new.tensors[tensor] = new.tensors[self._known_as.get(tensor, tensor)]
        new.run(ops, _copied)
        plan = new.plan(feeds, [one.tensor for one in gives], effects(ops))
        return Piece(plan, takes, tuple(gives))

    def _behind(self, source: Tensor) -> list[Operation]:
        """What it takes to have a source."""
        op = self._known_as.get(source, source).op
        return [*(tensor.op for tensor in op.inputs), op]


def _stored(op: Operation) -> Sequence[Tensor]:
    """The outputs that an operation with bodies can store anywhere: not what a loop carries."""
    return op.outputs[_record(op).first_written :]


def in_memory(op: Operation) -> int:
    """How many of an operation's inputs, from the first, lie in memory: bodies do not have them."""
    record = _record(op)
    return sum(not record.is_captured(number) for number in range(len(op.inputs)))


def _record(op: Operation) -> ControlFlow:
    return cast("ControlFlow", op.record)


def _placeholder(new: Rebuild, tensor: Tensor) -> Tensor:
    record = Placeholder(tensor.dtype, known(tensor.static_shape))
    with new.graph.made_at(tensor.op.source):
        return new.graph.add(record, (), tensor.op.name).outputs[0]


def _copied(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
    """Keep it as it is, unless it only holds control dependencies together, which `new` knows."""
    return None if op.outputs or op.record.effects.must_run else ()
