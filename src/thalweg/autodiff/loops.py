"""Gradients of loops: loops that run the other way, over what the forward ones have collected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from thalweg.autodiff.branches import Differentiate
from thalweg.autodiff.indexed_slices import dense
from thalweg.base.record import replace
from thalweg.graph import Body, Gradient, Graph, Operation, Origin, Tensor, home
from thalweg.graph.body import operations_behind
from thalweg.graph.indexed_slices import IndexedSlices
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.join import concat
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.arrays.shape import shape
from thalweg.ops.build import constant_like
from thalweg.ops.control.assemble import LoopParts, make_loop
from thalweg.ops.control.loop import Loop
from thalweg.ops.control.tracing import BodyGraph, Traced
from thalweg.ops.elementwise.arithmetic import add_n


def loop_gradients(
    op: Operation, dys: Sequence[Tensor | None], differentiate: Differentiate
) -> list[Gradient | None]:
    """The gradients of the inputs of a `Loop`.

    The gradient of a carried value is carried backwards, that of a captured value is summed up, or
    collected if it is slices, and that of a sequence is collected. What an iteration needs of the
    forward one becomes a further output of that loop: its tape.
    """
    return _Backward(op, dys).run(differentiate)


class _BackwardGraph(BodyGraph):
    """The body of a backward loop: it sees the tensors of the forward body.

    Args:
        outer: the graph that the loop will be in.
        op: the forward loop.

    Attributes:
        taped: what stands for values of the forward iteration.
    """

    def __init__(self, outer: Graph, op: Operation, record: Loop) -> None:
        super().__init__(outer)
        self.taped: dict[Tensor, Tensor] = {}
        self._forward = record.body.graph
        numbered = enumerate(zip(record.body.inputs, op.inputs, strict=True))
        self._captured_there = {t: x for n, (t, x) in numbered if record.is_captured(n)}
        self._fixed = _fixed(record.body, set(self._captured_there))

    def sees(self, graph: Graph) -> bool:
        return graph is self._forward or super().sees(graph)

    def capture(self, tensor: Tensor) -> Tensor:
        if tensor.op.graph is not self._forward:
            return super().capture(tensor)
        if tensor in self._captured_there:
            return self.capture(self._captured_there[tensor])
        if tensor not in self.taped:
            self.taped[tensor] = self._on_tape(tensor)
        return self.taped[tensor]

    def _again(self, tensor: Tensor) -> Tensor:
        """The same value as in each forward iteration, computed here."""
        op = tensor.op
        with self.name_scope(None), self.made_at(op.source):
            inputs = [self.capture(x) for x in op.inputs]
            with self.control_dependencies(None):
                return self.copy(op, inputs, op.name).outputs[tensor.value_index]

    def _on_tape(self, tensor: Tensor) -> Tensor:
        if tensor in self._fixed:
            return self._again(tensor)
        with self.control_dependencies(None), self.name_scope(None), self.made_at(tensor.op.source):
            return self.parameter(tensor.spec, tensor.op.name)


class _Backward:
    """The backward loop of a forward one.

    Args:
        op: the forward loop.
        dys: the gradients of its outputs.
    """

    def __init__(self, op: Operation, dys: Sequence[Tensor | None]) -> None:
        record = cast("Loop", op.record)
        self._op, self._record, self._dys = op, record, list(dys)
        self._body, self._outer = record.body, home(op.graph)
        self._graph = _BackwardGraph(self._outer, op, record)
        self._outputs, self._inputs = _flow(record, self._dys)

    def run(self, differentiate: Differentiate) -> list[Gradient | None]:
        """The gradients of the inputs."""
        with self._graph.as_default():
            starts = [self._start(n) for n in self._outputs]
            arrived = self._arrived(differentiate, starts)
            carried = [n for n in self._outputs if n < self._record.carried]
            pairs = zip(carried, starts, strict=False)
            after = [dense(arrived[n]) if n in arrived else zeros_like(g) for n, g in pairs]
            kept = {n: _parts(g) for n, g in arrived.items() if self._is_collected(n, g)}
            captured = [n for n in arrived if self._record.is_captured(n) and n not in kept]
            sums = [self._sum(n, dense(arrived[n])) for n in captured]
        collected = [tensor for parts in kept.values() for tensor in parts]
        made_here = [*after, *[new for _, new in sums], *collected]
        outputs = [self._graph.capture(tensor) for tensor in made_here]
        parameters = [*starts[: len(carried)], *[old for old, _ in sums]]
        initial = [*[self._first(n) for n in carried], *[self._zeros(n) for n in captured]]
        made = iter(self._loop(parameters, initial, starts[len(carried) :], outputs))
        gradients: list[Gradient | None] = [None] * len(self._op.inputs)
        for number in (*carried, *captured):
            gradients[number] = next(made)
        for number, parts in kept.items():
            gradients[number] = self._collected(
                number, [next(made) for _ in parts], _is_part(arrived[number])
            )
        return gradients

    def _arrived(
        self, differentiate: Differentiate, starts: Sequence[Tensor]
    ) -> dict[int, Gradient]:
        """The gradients of the inputs of one iteration, by number."""
        targets = [self._body.outputs[n] for n in self._outputs]
        sources = [self._body.inputs[n] for n in self._inputs]
        made = differentiate(targets, starts, sources)
        return {n: g for n, g in zip(self._inputs, made, strict=True) if g is not None}

    def _is_collected(self, number: int, gradient: Gradient) -> bool:
        """Whether an iteration's gradient is kept, and not added to those of others."""
        is_slices = isinstance(gradient, IndexedSlices)
        return self._record.is_sequence(number) or (self._record.is_captured(number) and is_slices)

    def _collected(self, number: int, parts: Sequence[Tensor], is_part: bool) -> Gradient:
        """The gradient of an input from what was collected of it."""
        if self._record.is_sequence(number):
            return parts[0]
        values, indices, *used = [_joined(part) for part in parts]
        slices = IndexedSlices(values, indices, shape(self._op.inputs[number]))
        return slices.of_part(is_part).where_used(used[0] if used else None)

    def _start(self, number: int) -> Tensor:
        """The gradient of an output of the forward iteration, which the backward one is given."""
        spec = self._body.outputs[number].spec
        if number < self._record.carried:
            spec = self._body.inputs[number].spec
        return self._graph.parameter(spec, f"grad_{number}")

    def _sum(self, number: int, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the gradients of a captured value, before an iteration and after it."""
        before = self._graph.parameter(self._body.inputs[number].spec, f"sum_{number}")
        return before, add_n([before, gradient])

    def _first(self, number: int) -> Tensor:
        gradient = self._dys[number]
        return zeros_like(self._op.outputs[number]) if gradient is None else gradient

    def _zeros(self, number: int) -> Tensor:
        return zeros_like(self._op.inputs[number])

    def _loop(
        self,
        carried: Sequence[Tensor],
        initial: Sequence[Tensor],
        collected: Sequence[Tensor],
        outputs: Sequence[Tensor],
    ) -> list[Tensor]:
        """The loop, whose iterations take the gradients of what was collected, and the tape."""
        needed = {t for op in operations_behind(outputs) for t in op.outputs}
        taped = {t: inner for t, inner in self._graph.taped.items() if inner in needed}
        taped = {t: inner for t, inner in taped.items() if inner.op.record.origin is Origin.FEED}
        given = [self._dys[n] for n in self._outputs if n >= self._record.carried]
        sequences = [dy for dy in given if dy is not None]
        elements = [*collected, *taped.values()]
        if not elements:
            counter = self._counter()
            taped, elements = {counter: counter}, [self._graph.parameter(counter.spec, "counter")]
        sequences += self._tape(list(taped))
        traced = Traced(self._graph, (*carried, *elements), tuple(outputs))
        parts = LoopParts(None, traced, initial, sequences, not self._record.reverse)
        return make_loop(self._outer, parts, self._record.type)

    def _counter(self) -> Tensor:
        """Something that each iteration has once."""
        if self._record.sequences:
            return self._body.inputs[self._record.carried]
        return constant_like(self._body.graph, False, "counter")

    def _tape(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The values of tensors of the body in all iterations, which the forward loop collects."""
        sequence = {
            t: x
            for n, (t, x) in enumerate(zip(self._body.inputs, self._op.inputs, strict=True))
            if self._record.is_sequence(n)
        }
        outputs = self._body.outputs
        known = {t: n for n, t in enumerate(outputs) if n >= self._record.carried}
        new = [t for t in tensors if t not in sequence and t not in known]
        if new:
            body = Body(self._body.graph, self._body.inputs, (*outputs, *new))
            self._op.graph.extend(self._op, replace(self._record, body=body))
        known.update({t: len(outputs) + n for n, t in enumerate(new)})
        return [sequence[t] if t in sequence else self._op.outputs[known[t]] for t in tensors]


def _is_part(gradient: Gradient) -> bool:
    return isinstance(gradient, IndexedSlices) and gradient.is_part


def _parts(gradient: Gradient) -> list[Tensor]:
    """The tensors that a gradient consists of."""
    if isinstance(gradient, Tensor):
        return [gradient]
    used = [] if gradient.used is None else [gradient.used]
    return [gradient.values, gradient.indices, *used]


def _joined(collected: Tensor) -> Tensor:
    """The slices of all iterations one after the other."""
    rest = _extents(collected)[2:]
    if None not in rest:
        return reshape(collected, (-1, *rest))
    return reshape(collected, concat([[-1], shape(collected)[2:]], 0))


def _extents(tensor: Tensor) -> Sequence[int | None]:
    """The extents of a tensor of a known rank."""
    assert tensor.static_shape is not None
    return tensor.static_shape


def _fixed(body: Body, captured: set[Tensor]) -> set[Tensor]:
    """The tensors of a body that are the same in each iteration, beside those captured."""
    found: set[Tensor] = set()
    for op in body.graph.operations:
        is_value = op.record.origin in (None, Origin.CONSTANT) and op.record.effects.pure
        if (
            is_value
            and not op.record.bodies
            and all(t in captured or t in found for t in op.inputs)
        ):
            found.update(op.outputs)
    return found


def _flow(record: Loop, dys: Sequence[Tensor | None]) -> tuple[list[int], list[int]]:
    """The numbers of the outputs of an iteration that a gradient may arrive at, and of the inputs.

    A carried value gets its gradient from the iterations that take it.
    """
    outputs = {n for n, dy in enumerate(dys) if dy is not None}
    while True:
        reached = _reached([record.body.outputs[n] for n in outputs])
        inputs = [n for n, tensor in enumerate(record.body.inputs) if tensor in reached]
        more = {n for n in inputs if n < record.carried}
        if more <= outputs:
            return sorted(outputs), inputs
        outputs |= more


def _reached(tensors: Sequence[Tensor]) -> set[Tensor]:
    """The floating-point tensors that some depend on through others of the kind."""
    found: set[Tensor] = set()
    waiting = list(tensors)
    while waiting:
        tensor = waiting.pop()
        if tensor.dtype.is_floating and tensor not in found:
            found.add(tensor)
            record = tensor.op.record
            waiting.extend(t for n, t in enumerate(tensor.op.inputs) if n not in record.shape_only)
    return found
