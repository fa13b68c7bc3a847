"""Gradients of branches: branches, too, which compute again what they need of the forward ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np

from thalweg.autodiff.indexed_slices import dense
from thalweg.base.record import replace
from thalweg.base.shapes import is_known
from thalweg.graph import Body, Gradient, Graph, Operation, Tensor, home
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.build import constant_like, emit
from thalweg.ops.control.assemble import make_cond
from thalweg.ops.control.cond import Cond
from thalweg.ops.control.tracing import BodyGraph, Traced
from thalweg.ops.host.on_host import OnHost

# From targets, their gradients and sources to the gradients of the sources, None where none flows.
Differentiate: TypeAlias = Callable[
    [Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]], list[Gradient | None]
]


def cond_gradients(
    op: Operation, dys: Sequence[Tensor | None], differentiate: Differentiate
) -> list[Tensor | None]:
    """The gradients of the inputs of a `Cond`.

    What Python computes in a branch is not computed again, since it may act: it becomes a further
    output of the forward operation.
    """
    graph = home(op.graph)
    branches = [_Branch(graph, op, number, dys, differentiate) for number in range(2)]
    pairs = zip(*[branch.gradients for branch in branches], strict=True)
    flows = [n for n, parts in enumerate(pairs) if any(part is not None for part in parts)]
    made: list[Tensor | None] = [None] * len(op.inputs)
    if flows:
        then, otherwise = (branch.traced(flows) for branch in branches)
        outputs = make_cond(graph.capture(op.inputs[0]), then, otherwise, op.type)
        for number, output in zip(flows, outputs, strict=True):
            made[number + 1] = output
    return made


class _BranchGraph(BodyGraph):
    """The body of a backward branch: it sees the tensors of the forward one.

    Args:
        outer: the graph that the branch will be in.
        op: the forward operation.
        number: of its body.
    """

    def __init__(self, outer: Graph, op: Operation, number: int) -> None:
        super().__init__(outer)
        self._op, self._number = op, number
        self._forward = op.record.bodies[number].graph
        self._handed_on: dict[Tensor, Tensor] = {}
        self._copies: dict[Operation, Operation] = {}
        self._known = dict(zip(op.record.bodies[number].inputs, op.inputs[1:], strict=True))

    def sees(self, graph: Graph) -> bool:
        return graph is self._forward or super().sees(graph)

    def capture(self, tensor: Tensor) -> Tensor:
        if tensor.op.graph is not self._forward:
            return super().capture(tensor)
        if tensor in self._known:
            return super().capture(self._known[tensor])
        if tensor.op.record.effects.host:
            return self._kept(tensor)
        for op in self._missing(tensor.op):
            self._copy(op)
        copy = self._copies[tensor.op]
        if tensor.value_index >= len(copy.outputs):  # a loop with a tape, by now
            self.extend(copy, tensor.op.record)
        return copy.outputs[tensor.value_index]

    def _kept(self, tensor: Tensor) -> Tensor:
        """What Python has computed in the forward branch, as an output of that."""
        if tensor not in self._handed_on:
            kept = super().capture(_kept(self._op, self._number, tensor))
            # The other branch has another shape in its place, for which this one has no plan.
            is_plain = is_known(tensor.static_shape)
            self._handed_on[tensor] = kept if is_plain else emit(OnHost(), kept)
        return self._handed_on[tensor]

    def _missing(self, op: Operation) -> list[Operation]:
        """The forward operations that are to be computed again for one, in graph order."""
        found, waiting = set[Operation](), [op]
        while waiting:
            one = waiting.pop()
            if one in found or one in self._copies:
                continue
            found.add(one)
            waiting.extend(
                x.op for x in one.inputs if x not in self._known and not x.op.record.effects.host
            )
        return sorted(found, key=lambda one: one.index)

    def _copy(self, op: Operation) -> None:
        inputs = [self.capture(x) for x in op.inputs]
        with self.name_scope(None), self.made_at(op.source), self.control_dependencies(None):
            self._copies[op] = self.copy(op, inputs, op.name)


def _kept(op: Operation, number: int, tensor: Tensor) -> Tensor:
    """A further output of a `Cond`, for a tensor of one of its bodies; 0 in the other one."""
    record = cast("Cond", op.record)
    if tensor in record.bodies[number].outputs:
        return op.outputs[record.bodies[number].outputs.index(tensor)]
    bodies = list(record.bodies)
    other = bodies[1 - number]
    shape = [extent or 0 for extent in tensor.static_shape or ()]
    empty = b"" if tensor.dtype.is_string else 0
    nothing = constant_like(other.graph, np.full(shape, empty, tensor.dtype.numpy), "nothing")
    bodies[number] = replace(bodies[number], outputs=(*bodies[number].outputs, tensor))
    bodies[1 - number] = replace(other, outputs=(*other.outputs, nothing))
    (made,) = op.graph.extend(op, record.with_bodies(bodies))
    return made


class _Branch:
    """The gradients in one branch.

    Attributes:
        gradients: of what it captures.
    """

    def __init__(
        self,
        outer: Graph,
        op: Operation,
        number: int,
        dys: Sequence[Tensor | None],
        differentiate: Differentiate,
    ) -> None:
        self._graph = graph = _BranchGraph(outer, op, number)
        body: Body = op.record.bodies[number]
        self._inputs = body.inputs
        with graph.as_default():
            pairs = [(y, dy) for y, dy in zip(body.outputs, dys, strict=False) if dy is not None]
            starts = [graph.capture(dy) for _, dy in pairs]
            made = differentiate([y for y, _ in pairs], starts, body.inputs)
            self.gradients = [None if g is None else dense(g) for g in made]

    def traced(self, numbers: Sequence[int]) -> Traced:
        """The gradients of some of the captured values, 0 where none flows."""
        with self._graph.as_default():
            made = [self._graph.capture(self._or_zeros(n)) for n in numbers]
        return Traced(self._graph, (), tuple(made))

    def _or_zeros(self, number: int) -> Tensor:
        gradient = self.gradients[number]
        return zeros_like(self._inputs[number]) if gradient is None else gradient
