"""Kernels of a plan with loops and branches: each straight piece by itself, and what joins them.

What one piece gives and another takes is memory in the arena. A loop's carried values lie in two
buffers that take turns, its elements lie in the whole value, and both branches write to the same
place: nothing is copied on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

from thalweg.base.dims import Trace
from thalweg.base.dtypes import DType
from thalweg.base.errors import CompilerError
from thalweg.base.shapes import known
from thalweg.graph import Body, Tensor
from thalweg.kernels.flow import Carried, Choice, Element, Flow, Repeat, Straight
from thalweg.kernels.hoist import hoist
from thalweg.kernels.kernel import Kernel, Kernels, TiledKernels, kernels_of
from thalweg.kernels.lower.checks import Checked
from thalweg.kernels.traffic import lives_in
from thalweg.kernels.values import (
    FeedMemory,
    FetchMemory,
    Moving,
    PartMemory,
    Temporary,
    Value,
    Verdict,
    whole,
)
from thalweg.ops.control.cond import Cond
from thalweg.ops.control.loop import Loop
from thalweg.passes.cut import Holder, Piece, cut
from thalweg.passes.plan import Plan

Make = Callable[[Plan, Mapping[int, DType]], Kernels]


def link(plan: Plan, make: Make, batched_feeds: Mapping[int, DType]) -> Kernels:
    """The kernels of a plan that may hold loops and branches.

    Args:
        plan: what to compute.
        make: the kernels of a plan without them.
        batched_feeds: the feeds, by number, of which each step takes other rows, with their dtype.
    """
    if not any(op.record.bodies for op in plan.graph.operations):
        return make(plan, batched_feeds)
    linker = _Linker(make, plan.trace)
    feeds = {t: _value(t, FeedMemory(n)) for n, t in enumerate(plan.feeds)}
    targets = [_value(t, FetchMemory(n)) for n, t in enumerate(plan.fetches)]
    rows = {plan.feeds[number]: dtype for number, dtype in batched_feeds.items()}
    parts, flow = linker.parts, linker.link(plan, _Scope(feeds, {}, rows), targets)
    flow = hoist(parts, flow)
    return Kernels(tuple(parts), lives_in(parts, flow), tuple(linker.checked), flow)


class _Scope:
    """Where the tensors of a graph are.

    Args:
        values: in memory.
        known_as: feeds that are sources of another graph; see `passes.cut`.
        batched_feeds: feeds of which each step takes other rows.
    """

    def __init__(
        self,
        values: dict[Tensor, Value],
        known_as: dict[Tensor, Tensor],
        batched_feeds: Mapping[Tensor, DType],
    ) -> None:
        self.values, self.known_as, self.batched_feeds = values, known_as, dict(batched_feeds)

    def put(self, tensor: Tensor, value: Value) -> None:
        """Note where a tensor is from now on, the same in each step."""
        self.values[tensor] = value
        self.batched_feeds.pop(tensor, None)


class _Linker:
    """Puts the kernels of pieces one after the other.

    Args:
        make: the kernels of a piece.
        trace: of the plan.

    Attributes:
        parts: all kernels so far.
        checked: what the kernels check.
    """

    def __init__(self, make: Make, trace: Trace) -> None:
        self.parts: list[Kernel | TiledKernels] = []
        self.checked: list[Checked] = []
        self._make, self._trace = make, trace
        self._count = 0  # of temporaries

    def link(self, plan: Plan, scope: _Scope, targets: Sequence[Value]) -> Flow:
        """What computes a plan's fetches.

        Args:
            plan: in a graph of its own.
            scope: has the feeds; the values of other tensors are put there.
            targets: where each fetch is to be stored.
        """
        pieces = cut(plan, scope.known_as, scope.values.keys() - scope.batched_feeds.keys())
        flow: list[Straight | Repeat | Choice] = []
        for piece, holder in zip_longest(pieces.pieces, pieces.holders):
            if not piece.is_idle:
                flow.append(self._straight(piece, scope, targets))
            if holder is not None:
                flow.append(self._held(holder, scope, targets))
        return tuple(flow)

    def _straight(self, piece: Piece, scope: _Scope, targets: Sequence[Value]) -> Straight:
        """The kernels of a piece, which find their feeds and fetches where others have them."""
        batched_feeds = {
            n: scope.batched_feeds[t] for n, t in enumerate(piece.takes) if t in scope.batched_feeds
        }
        kernels = self._make(piece.plan, batched_feeds)
        taken = [scope.values[tensor] for tensor in piece.takes]
        given: list[Value] = []
        for one in piece.gives:
            given.append(self._temporary(one.tensor) if one.fetch is None else targets[one.fetch])
            if one.tensor in scope.batched_feeds or one.tensor not in scope.values:
                scope.put(one.tensor, given[-1])
        return self._append(kernels, taken, given)

    def _append(self, kernels: Kernels, taken: Sequence[Value], given: Sequence[Value]) -> Straight:
        """Put the kernels of a piece after those that are there."""
        first = len(self.parts)
        _place(kernels, taken, given, len(self.checked))
        self.parts += kernels.parts
        self.checked += kernels.checked
        return Straight(first, len(self.parts))

    def _held(self, holder: Holder, scope: _Scope, targets: Sequence[Value]) -> Repeat | Choice:
        """The kernels of bodies."""
        outputs = [
            self._temporary(tensor) if fetch is None else targets[fetch]
            for tensor, fetch in zip(holder.op.outputs, holder.written, strict=True)
        ]
        made: Repeat | Choice
        match holder.op.record:
            case Loop() as record:
                made, outputs = self._loop(record, holder, scope, outputs)
            case Cond() as record:
                made = self._cond(record, holder, scope, outputs)
            case other:
                raise CompilerError(f"no native code for the bodies of {other.type}")
        for tensor, value in zip(holder.op.outputs, outputs, strict=True):
            scope.put(tensor, value)
        return made

    def _loop(
        self, record: Loop, holder: Holder, scope: _Scope, outputs: Sequence[Value]
    ) -> tuple[Repeat, list[Value]]:
        """A loop, and where its outputs are; what it collects is put into some of these."""
        carried, sequences, _ = record.parts(holder.op.inputs)
        turns = [self._carried(t, scope.values[t]) for t in carried]
        walked = [self._element(scope.values[tensor]) for tensor in sequences]
        collected = [self._element(value) for value in outputs[record.carried :]]
        inputs = [*[one.now for one in turns], *[element.one for element in walked]]
        targets = [*[one.next for one in turns], *[element.one for element in collected]]
        body = self._body(record.body, holder, scope, inputs, targets)
        test: Flow = ()
        predicate = None
        if record.condition is not None:
            predicate = self._temporary(record.condition.outputs[0])
            test = self._body(
                record.condition, holder, scope, inputs[: record.carried], [predicate]
            )
        count = walked[0].whole.shape[0] if predicate is None else None
        loop = Repeat(
            count, test, predicate, body, tuple(turns), (*walked, *collected), record.reverse
        )
        return loop, [*[one.final for one in turns], *outputs[record.carried :]]

    def _cond(
        self, record: Cond, holder: Holder, scope: _Scope, outputs: Sequence[Value]
    ) -> Choice:
        predicate = scope.values[holder.op.inputs[0]]
        then = self._body(record.then, holder, scope, [], outputs)
        return Choice(predicate, then, self._body(record.otherwise, holder, scope, [], outputs))

    def _body(
        self,
        body: Body,
        holder: Holder,
        scope: _Scope,
        inputs: Sequence[Value],
        targets: Sequence[Value],
    ) -> Flow:
        """What computes a body's outputs.

        Args:
            body: one of the holder's.
            holder: has it.
            scope: of the graph around it.
            inputs: the first of the body's; the others are captured.
            targets: where its outputs are to be stored.
        """
        inner = _Scope(dict(zip(body.inputs, inputs, strict=False)), {}, {})
        captured = body.inputs[len(inputs) :]
        first = len(holder.op.inputs) - len(captured)
        for own, tensor, source in zip(
            captured, holder.op.inputs[first:], holder.sources[first:], strict=True
        ):
            if source is None:
                inner.values[own] = scope.values[tensor]
            else:
                inner.known_as[own] = source
        plan = Plan(body.graph, body.inputs, body.outputs, (), None, self._trace)
        return self.link(plan, inner, targets)

    def _carried(self, tensor: Tensor, initial: Value) -> Carried:
        now, then, final = (_value(tensor, Moving()) for _ in range(3))
        buffers = self._temporary(tensor), self._temporary(tensor)
        return Carried(initial, now, then, final, buffers)

    def _element(self, whole: Value) -> Element:
        return Element(whole, Value(whole.name, whole.shape[1:], whole.dtype, Moving()))

    def _temporary(self, tensor: Tensor) -> Value:
        self._count += 1
        return _value(tensor, Temporary(self._count))


def _value(tensor: Tensor, storage: FeedMemory | FetchMemory | Moving | Temporary) -> Value:
    return Value(tensor.op.name, known(tensor.static_shape), tensor.dtype, storage)


def _place(kernels: Kernels, taken: Sequence[Value], given: Sequence[Value], checks: int) -> None:
    """Let a piece's feeds and fetches lie in values, and let its checks come after others."""
    for value in {whole(value) for part in kernels.parts for value in _slots(part)}:
        match value.storage:
            case FeedMemory(number):
                value.storage = PartMemory(taken[number], 0)
            case FetchMemory(number):
                value.storage = PartMemory(given[number], 0)
            case Verdict(number, word):
                value.storage = Verdict(number + checks, word)


def _slots(part: Kernel | TiledKernels) -> set[Value]:
    return {value for nest, _ in kernels_of(part) for value in nest.slots}
