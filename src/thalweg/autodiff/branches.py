"""Gradients of branches: branches, too, which compute again what they need of the forward ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from thalweg.autodiff.indexed_slices import dense
from thalweg.graph import Body, Gradient, Graph, Operation, Tensor, default_graph, home
from thalweg.graph.body import operations_behind
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.control.assemble import make_cond
from thalweg.ops.control.tracing import BodyGraph, Traced

# From targets, their gradients and sources to the gradients of the sources, None where none flows.
Differentiate: TypeAlias = Callable[
    [Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]], list[Gradient | None]
]


def cond_gradients(
    op: Operation, dys: Sequence[Tensor | None], differentiate: Differentiate
) -> list[Tensor | None]:
    """The gradients of the inputs of a `Cond`."""
    graph = home(op.graph)
    branches = [_Branch(graph, body, op, dys, differentiate) for body in op.record.bodies]
    pairs = zip(*[branch.gradients for branch in branches], strict=True)
    flows = [n for n, parts in enumerate(pairs) if any(part is not None for part in parts)]
    made: list[Tensor | None] = [None] * len(op.inputs)
    if flows:
        then, otherwise = (branch.traced(flows) for branch in branches)
        outputs = make_cond(graph.capture(op.inputs[0]), then, otherwise, op.type)
        for number, output in zip(flows, outputs, strict=True):
            made[number + 1] = output
    return made


class _Branch:
    """The gradients in one branch.

    Attributes:
        gradients: of what it captures.
    """

    def __init__(
        self,
        outer: Graph,
        body: Body,
        op: Operation,
        dys: Sequence[Tensor | None],
        differentiate: Differentiate,
    ) -> None:
        self._graph = graph = BodyGraph(outer)
        with graph.as_default():
            self._inputs = [identity(graph.capture(tensor)) for tensor in op.inputs[1:]]
            outputs = copied(body, self._inputs)
            pairs = [(y, dy) for y, dy in zip(outputs, dys, strict=True) if dy is not None]
            starts = [graph.capture(dy) for _, dy in pairs]
            made = differentiate([y for y, _ in pairs], starts, self._inputs)
            self.gradients = [None if g is None else dense(g) for g in made]

    def traced(self, numbers: Sequence[int]) -> Traced:
        """The gradients of some of the captured values, 0 where none flows."""
        with self._graph.as_default():
            made = [self._or_zeros(n) for n in numbers]
        return Traced(self._graph, (), tuple(made))

    def _or_zeros(self, number: int) -> Tensor:
        gradient = self.gradients[number]
        return zeros_like(self._inputs[number]) if gradient is None else gradient


def copied(body: Body, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs of a body, computed in the default graph; control dependencies are left out."""
    made = dict(zip(body.inputs, inputs, strict=True))
    graph = default_graph()
    for op in operations_behind(body.outputs, with_control=False):
        if op.outputs[0] not in made:
            copy = graph.copy(op, [made[tensor] for tensor in op.inputs], op.name)
            made.update(zip(op.outputs, copy.outputs, strict=True))
    return [made[tensor] for tensor in body.outputs]
