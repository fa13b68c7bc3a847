"""Operations with bodies, from traced functions: what is captured becomes their inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from thalweg.base import dtypes
from thalweg.graph import Body, Graph, Origin, Spec, Tensor, Timing
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import constant_like
from thalweg.ops.control.cond import Cond
from thalweg.ops.control.functional import Functional, Slot, written
from thalweg.ops.control.loop import Loop
from thalweg.ops.control.tracing import Traced, is_copied
from thalweg.ops.elementwise.arithmetic import Add, Mul
from thalweg.ops.random.seeds import run_counter
from thalweg.ops.state.variable import Assign, ReadVariable

# The multiplier of Knuth's 64-bit generator: it keeps the numbers of iterations, also of nested
# loops, and those of runs apart.
MULTIPLIER = np.int64(6364136223846793005)
RUN = Spec((), dtypes.int64)


class Surroundings:
    """What functions take from the graph that they lie in.

    Args:
        graph: that graph.
        functions: traced in it.

    Attributes:
        captured: the tensors that are captured.
        written: the handles of the variables that are written.
        read: the handles of those that are only read.
        draws: whether random numbers are drawn.
        after: the operations that all of it comes after.
    """

    def __init__(self, graph: Graph, functions: Sequence[Traced]) -> None:
        self._graph = graph
        self.after = graph.own_operations([item for f in functions for item in f.graph.after])
        used = {t for f in functions for op in f.operations for t in op.outputs}
        taken = [o for f in functions for o, inner in f.graph.captured.items() if inner in used]
        outer = list(dict.fromkeys(taken))
        changed = {f.graph.outer_of(handle) for f in functions for handle in written(f)}
        self.captured = [t for t in outer if not is_copied(t)]
        handles = [t for t in outer if t.op.record.origin is Origin.RESOURCE]
        self.written = [t for t in handles if t in changed]
        self.read = [t for t in handles if t not in changed]
        self.draws = any(t.op.record.origin is Origin.RUN_COUNTER for t in used)

    def inputs(self) -> list[Tensor]:
        """The captured values, and those of the variables that are only read."""
        return [*self.captured, *[self._read(handle, Timing.BEFORE_WRITES) for handle in self.read]]

    def state(self) -> list[Tensor]:
        """The values of the variables that are written, before that."""
        return [self._read(handle, Timing.IN_TURN) for handle in self.written]

    def slots(self, function: Traced, outer: Iterable[Tensor]) -> list[Slot]:
        """The inputs of a body for tensors or handles of the graph that the function captures."""
        found = function.graph.captured
        return [Slot(t.spec, t.op.name, found.get(t)) for t in outer]

    def run(self, function: Traced) -> list[Slot]:
        """The input of a body for the number of the run, if random numbers are drawn."""
        counters = [op for op in function.operations if op.record.origin is Origin.RUN_COUNTER]
        inner = counters[0].outputs[0] if counters else None
        return [Slot(RUN, "RunCounter", inner)] if self.draws else []

    def assign(self, values: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Tensor]:
        """Give the variables their new values; the outputs, which come after that."""
        if not self.written:
            return list(outputs)
        pairs = zip(self.written, values, strict=True)
        writes = [self._graph.add(Assign(), (handle, value)) for handle, value in pairs]
        with self._graph.control_dependencies(writes):
            return [identity(output) for output in outputs]

    def _read(self, handle: Tensor, timing: Timing) -> Tensor:
        name = f"{handle.op.name.rpartition('/')[2]}/read"
        return self._graph.add(ReadVariable(timing), (handle,), name, self.after).outputs[0]


def make_cond(predicate: Tensor, then: Traced, otherwise: Traced, name: str) -> list[Tensor]:
    """A branch of two traced functions without parameters.

    Raises:
        ShapeError, DTypeError: if what they return does not fit together.
    """
    graph, branches = predicate.graph, (then, otherwise)
    around = Surroundings(graph, branches)
    state, run = around.state(), [run_counter(graph)] if around.draws else []
    bodies = [_branch(around, function) for function in branches]
    inputs = [predicate, *around.inputs(), *state, *run]
    made = graph.add(Cond(*bodies), inputs, name, around.after).outputs
    count = len(then.outputs)
    return around.assign(made[count:], made[:count])


def _branch(around: Surroundings, function: Traced) -> Body:
    outer = [*around.captured, *around.read, *around.written]
    made = Functional(function, [*around.slots(function, outer), *around.run(function)])
    outputs = [made.value(tensor) for tensor in function.outputs]
    given = made.inputs[len(around.captured) + len(around.read) :]
    pairs = zip(around.written, given, strict=False)
    return made.body([*outputs, *[_contents(made, function, *pair) for pair in pairs]])


def _contents(made: Functional, function: Traced, handle: Tensor, given: Tensor) -> Tensor:
    """The value of a variable after a body, which may not know it."""
    inner = function.graph.captured.get(handle)
    return given if inner is None else made.contents(inner)


class LoopParts:
    """What a loop is assembled of.

    Args:
        condition: from the carried values to a bool scalar; None for a loop over sequences.
        body: from the carried values and an element of each sequence to the next carried values,
            and those that are collected.
        initial: the first carried values.
        sequences: that the loop runs over.
        reverse: from the last element to the first.
    """

    def __init__(
        self,
        condition: Traced | None,
        body: Traced,
        initial: Sequence[Tensor],
        sequences: Sequence[Tensor] = (),
        reverse: bool = False,
    ) -> None:
        self.condition, self.body = condition, body
        self.initial, self.sequences, self.reverse = list(initial), list(sequences), reverse

    @property
    def functions(self) -> list[Traced]:
        return [self.body] if self.condition is None else [self.body, self.condition]

    def fixed(self) -> list[int]:
        """The numbers of the carried values that the body returns as they are."""
        return [n for n in range(len(self.initial)) if self._is_fixed(n)]

    def varying(self) -> list[int]:
        """The numbers of the others."""
        return [n for n in range(len(self.initial)) if not self._is_fixed(n)]

    def _is_fixed(self, number: int) -> bool:
        return self.body.outputs[number] is self.body.parameters[number]


def make_loop(graph: Graph, parts: LoopParts, name: str) -> list[Tensor]:
    """A loop of traced functions.

    Returns:
        The final carried values, and what is collected.

    Raises:
        ShapeError, DTypeError: if what the body returns does not fit what it is given.
    """
    around, varying, fixed = Surroundings(graph, parts.functions), parts.varying(), parts.fixed()
    run = [_first_number(graph)] if around.draws else []
    carried = [*[parts.initial[n] for n in varying], *around.state(), *run]
    condition = None if parts.condition is None else _condition(around, parts, parts.condition)
    body, count = _body(around, parts), len(parts.sequences)
    record = Loop(condition, body, len(carried), count, parts.reverse)
    captured = [*around.inputs(), *[parts.initial[n] for n in fixed]]
    made = graph.add(record, [*carried, *parts.sequences, *captured], name, around.after)
    first, last = len(varying), len(carried)
    final = dict(zip(varying, made.outputs, strict=False))
    results = [final.get(n, tensor) for n, tensor in enumerate(parts.initial)]
    values = made.outputs[first : first + len(around.written)]
    return around.assign(values, [*results, *made.outputs[last:]])


def _first_number(graph: Graph) -> Tensor:
    """What the random numbers of the first iteration follow from."""
    run, factor = run_counter(graph), constant_like(graph, MULTIPLIER)
    scaled = graph.add(Mul(), (run, factor)).outputs[0]
    return graph.add(Add(), (scaled, constant_like(graph, np.int64(1)))).outputs[0]


def _given(parameters: Iterable[Tensor]) -> list[Slot]:
    return [Slot(tensor.spec, tensor.op.name, tensor) for tensor in parameters]


def _condition(around: Surroundings, parts: LoopParts, function: Traced) -> Body:
    state = [*around.slots(function, around.written), *around.run(function)]
    given = _given([function.parameters[n] for n in parts.varying()])
    made = Functional(function, [*given, *state, *_outside(around, parts, function)])
    return made.body([made.value(tensor) for tensor in function.outputs])


def _body(around: Surroundings, parts: LoopParts) -> Body:
    function, varying, count = parts.body, parts.varying(), len(parts.initial)
    state = [*around.slots(function, around.written), *around.run(function)]
    given = _given([function.parameters[n] for n in varying])
    elements = _given(function.parameters[count:])
    outside = _outside(around, parts, function)
    made = Functional(function, [*given, *state, *elements, *outside])
    outputs = [made.value(tensor) for tensor in function.outputs]
    pairs = zip(around.written, made.inputs[len(varying) :], strict=False)
    new = [_contents(made, function, *pair) for pair in pairs]
    if around.draws:
        number = made.inputs[len(varying) + len(new)]
        one = constant_like(made.graph, np.int64(1))
        new.append(made.graph.add(Add(), (number, one)).outputs[0])
    return made.body([*[outputs[n] for n in varying], *new, *outputs[count:]])


def _outside(around: Surroundings, parts: LoopParts, function: Traced) -> list[Slot]:
    """The inputs that are the same in each iteration."""
    captured = around.slots(function, [*around.captured, *around.read])
    return [*captured, *_given([function.parameters[n] for n in parts.fixed()])]
