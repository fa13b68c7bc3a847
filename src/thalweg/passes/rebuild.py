"""Copying a graph operation by operation, with a chance to put something else in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from thalweg.base.dims import Trace
from thalweg.graph import Graph, Op, Operation, Origin, Tensor
from thalweg.passes.plan import Plan
from thalweg.passes.prune import prune

RebuildStep = Callable[["Rebuild", Operation, tuple[Tensor, ...]], Sequence[Tensor] | None]

NONE_MERGED: Mapping[Operation, Operation] = MappingProxyType({})


class Rebuild:
    """A new graph under construction.

    Attributes:
        graph: the new graph.
        trace: of the plan that it is for.
        tensors: the new tensor for each old one so far.
    """

    def __init__(self, trace: Trace) -> None:
        self.graph = Graph()
        self.trace = trace
        self.tensors: dict[Tensor, Tensor] = {}
        self._copies: dict[Operation, Operation] = {}
        self._after: dict[Operation, tuple[Operation, ...]] = {}

    def run(
        self,
        ops: Iterable[Operation],
        step: RebuildStep,
        merged: Mapping[Operation, Operation] = NONE_MERGED,
    ) -> None:
        """Ask `step` for a replacement of each operation, given its new inputs; None copies it.

        Args:
            ops: in graph order.
            step: makes the replacement.
            merged: operations that are left out, each with an earlier one that computes the same.
        """
        with self.graph.as_default():
            for op in ops:
                if op in merged:
                    self._merge(op, merged[op])
                elif not (op.outputs and all(tensor in self.tensors for tensor in op.outputs)):
                    self._visit(op, step)
            self.graph.continue_at(None, ())

    def _merge(self, op: Operation, first: Operation) -> None:
        for old, same in zip(op.outputs, first.outputs, strict=True):
            self.tensors[old] = self.tensors[same]
        self._after[op] = (*self.control(op), *self._after[first])

    def _visit(self, op: Operation, step: RebuildStep) -> None:
        inputs = tuple([self.tensors[tensor] for tensor in op.inputs])
        control = self.control(op)
        self.graph.continue_at(op.source, control)
        made = step(self, op, inputs)
        if made is None:
            made = self.copy(op, inputs).outputs
        for old, new in zip(op.outputs, made, strict=True):
            self.tensors.setdefault(old, new)
        copy = self._copies.get(op)  # which waits for the same itself
        self._after[op] = (copy,) if copy else (*control, *[tensor.op for tensor in made])

    def control(self, op: Operation) -> tuple[Operation, ...]:
        """The new operations that must run before the copy of `op`, beyond its inputs.

        An old one that is not copied, nor replaced, was done by an earlier segment.
        """
        if not op.control_inputs:
            return ()
        after = [self._after.get(old, ()) for old in op.control_inputs]
        return tuple(dict.fromkeys(new for news in after for new in news))

    def copy(self, op: Operation, inputs: Sequence[Tensor]) -> Operation:
        """The same operation in the new graph."""
        # Sessions know a variable by its name, so a handle keeps it whatever else was made.
        name = f"{op.name}/" if op.record.origin is Origin.RESOURCE else op.name
        node = self._copies[op] = self.graph.copy(op, inputs, name)
        return node

    def add(self, op: Operation, record: Op, inputs: Sequence[Tensor]) -> Operation:
        """Another operation in the place of one, with whose effects it counts."""
        node = self._copies[op] = self.graph.add(record, inputs, op.name)
        node.device = op.device
        return node

    def plan(
        self, feeds: Iterable[Tensor], fetches: Iterable[Tensor], effects: Iterable[Operation]
    ) -> Plan:
        """The plan for old fetches and old operations with effects, and new feeds."""
        counters = [op for op in self.graph.operations if op.record.origin is Origin.RUN_COUNTER]
        return Plan(
            self.graph,
            tuple(feeds),
            tuple(self.tensors[tensor] for tensor in fetches),
            tuple(self._copies[op] for op in effects),
            counters[0].outputs[0] if counters else None,
            self.trace,
        )


def _copied(new: Rebuild, op: Operation, inputs: tuple[Tensor, ...]) -> None:
    """The step that replaces nothing."""


def rebuild(
    plan: Plan, step: RebuildStep = _copied, merged: Mapping[Operation, Operation] = NONE_MERGED
) -> Plan:
    """The plan with each operation that it needs copied or replaced, and the others dropped."""
    new = Rebuild(plan.trace)
    new.run(needed(plan), step, merged)
    feeds = [new.tensors[tensor] for tensor in plan.feeds]
    return new.plan(feeds, plan.fetches, plan.targets)


def needed(plan: Plan) -> list[Operation]:
    """The operations that the plan's outcome depends on, and its feeds, in graph order."""
    kept = {tensor.op for tensor in plan.feeds}.union(prune(plan.fetches, plan.targets))
    return sorted(kept, key=lambda op: op.index)


def effects(ops: Iterable[Operation]) -> list[Operation]:
    """Those of the operations that run for their effect."""
    return [op for op in ops if op.record.effects.must_run]
