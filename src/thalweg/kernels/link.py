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
from thalweg.graph import Body, Tensor
from thalweg.kernels.flow import Carried, Choice, Element, Flow, Repeat, Straight
from thalweg.kernels.hoist import hoist
from thalweg.kernels.kernel import Kernel, Kernels, TiledKernels, kernels_of
from thalweg.kernels.lower.checks import Checked
from thalweg.kernels.traffic import lives_in
from thalweg.kernels.values import (
    ConstantMemory,
    FeedMemory,
    FetchMemory,
    Moving,
    PartMemory,
    Storage,
    Temporary,
    Value,
    Verdict,
    whole,
)
from thalweg.ops.arrays.constant import constant_of
from thalweg.ops.control.cond import Cond
from thalweg.ops.control.loop import Loop
from thalweg.passes.cut import Holder, Piece, cut, in_memory
from thalweg.passes.interface import extents
from thalweg.passes.plan import Plan
from thalweg.passes.rotate import rotate

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
                flow += self._held(holder, scope, targets)
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

    def _held(self, holder: Holder, scope: _Scope, targets: Sequence[Value]) -> Flow:
        """The kernels of bodies."""
        outputs = [
            self._temporary(tensor) if fetch is None else targets[fetch]
            for tensor, fetch in zip(holder.op.outputs, holder.written, strict=True)
        ]
        match holder.op.record:
            case Loop() as record:
                flow, outputs = self._loop(record, holder, scope, outputs)
            case Cond() as record:
                flow = self._cond(record, holder, scope, outputs)
            case other:
                raise CompilerError(f"no native code for the bodies of {other.type}")
        for tensor, value in zip(holder.op.outputs, outputs, strict=True):
            scope.put(tensor, value)
        return flow

    def _loop(
        self, record: Loop, holder: Holder, scope: _Scope, outputs: Sequence[Value]
    ) -> tuple[Flow, list[Value]]:
        """A loop, and where its outputs are; what it collects is put into some of these."""
        given = _given(scope, holder)
        turns = [self._carried(initial) for initial in given[: record.carried]]
        walked = [_element(whole) for whole in given[record.carried :]]
        collected = [_element(value) for value in outputs[record.carried :]]
        inputs = [*[one.now for one in turns], *[element.one for element in walked]]
        targets = [*[one.next for one in turns], *[element.one for element in collected]]
        test, predicate, body = self._test(record, holder, scope)
        targets += [predicate] if predicate else []
        made = self._body(body, holder, scope, inputs, targets)
        count = None if predicate else walked[0].whole.shape[0]
        elements = (*walked, *collected)
        loop = Repeat(count, predicate, made, tuple(turns), elements, record.reverse)
        return (*test, loop), [*[one.final for one in turns], *outputs[record.carried :]]

    def _test(self, record: Loop, holder: Holder, scope: _Scope) -> tuple[Flow, Value | None, Body]:
        """What asks whether there is a first iteration, the answer, and the body that asks again.

        Raises:
            CompilerError: a condition ends the loop, and it walks over sequences, or what it
                collects is no result of the plan.
        """
        if record.condition is None:
            return (), None, record.body
        collected = holder.written[record.carried :]
        if record.sequences or record.reverse or None in collected:
            raise CompilerError("no native code for a loop that collects until a condition fails")
        predicate = self._temporary(record.condition.outputs[0])
        test = self._body(record.condition, holder, scope, _given(scope, holder), [predicate])
        return test, predicate, rotate(record, self._trace)

    def _cond(self, record: Cond, holder: Holder, scope: _Scope, outputs: Sequence[Value]) -> Flow:
        then = self._body(record.then, holder, scope, [], outputs)
        otherwise = self._body(record.otherwise, holder, scope, [], outputs)
        return (Choice(_given(scope, holder)[0], then, otherwise),)

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

    def _carried(self, initial: Value) -> Carried:
        now, then, final = (_like(initial, Moving()) for _ in range(3))
        buffers = _like(initial, self._piece()), _like(initial, self._piece())
        return Carried(initial, now, then, final, buffers)

    def _temporary(self, tensor: Tensor) -> Value:
        return _value(tensor, self._piece())

    def _piece(self) -> Temporary:
        """A new piece of the arena."""
        self._count += 1
        return Temporary(self._count)


def _value(tensor: Tensor, storage: Storage) -> Value:
    return Value(tensor.op.name, extents(tensor), tensor.dtype, storage)


def _like(value: Value, storage: Storage) -> Value:
    return Value(value.name, value.shape, value.dtype, storage)


def _element(whole: Value) -> Element:
    return Element(whole, Value(whole.name, whole.shape[1:], whole.dtype, Moving()))


def _given(scope: _Scope, holder: Holder) -> list[Value]:
    """Where the inputs are that an operation with bodies finds in memory."""
    inputs = holder.op.inputs[: in_memory(holder.op)]
    return [
        scope.values[tensor] if source is None else _constant(source)
        for tensor, source in zip(inputs, holder.sources, strict=False)
    ]


def _constant(tensor: Tensor) -> Value:
    constant = constant_of(tensor)
    assert constant is not None
    return _value(tensor, ConstantMemory(constant.array, constant.planned))


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
