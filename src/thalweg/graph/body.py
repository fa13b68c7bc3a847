"""Bodies: parts of a computation that an operation holds and runs, perhaps several times."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from thalweg.base.record import Record
from thalweg.graph.effects import Effects
from thalweg.graph.node import Operation, Tensor

if TYPE_CHECKING:
    from thalweg.graph.graph import Graph


class Body(Record, eq=False):
    """A function from tensors to tensors, as a graph of its own.

    It reads and writes no variables: an operation that holds it takes their values as inputs and
    gives them as outputs.

    Attributes:
        graph: holds the operations, and may hold others that no output needs.
        inputs: placeholders in it.
        outputs: tensors in it.
    """

    graph: Graph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @cached_property
    def operations(self) -> list[Operation]:
        """What the outputs need, in graph order; placeholders are among it."""
        return operations_behind(self.outputs)

    def reads(self, outputs: Sequence[Tensor]) -> set[int]:
        """The numbers of the inputs that some of the outputs need."""
        found = {tensor for op in operations_behind(outputs) for tensor in op.outputs}
        return {n for n, tensor in enumerate(self.inputs) if tensor in found}

    @cached_property
    def static(self) -> set[int]:
        """The numbers of the inputs whose values decide about shapes inside."""
        wanted = static_sources(self.operations)
        return {n for n, tensor in enumerate(self.inputs) if tensor in wanted}

    @cached_property
    def effects(self) -> Effects:
        """What running it does beside computing the outputs; random numbers are computed here.

        They follow from the number of the run, which is an input.
        """
        every = [op.record.effects for op in self.operations]
        return Effects(acts=any(e.acts for e in every), host=any(e.host for e in every))


def operations_behind(tensors: Iterable[Tensor], with_control: bool = True) -> list[Operation]:
    """The operations that tensors of one graph depend on, in graph order.

    Args:
        tensors: of the graph.
        with_control: whether control dependencies count.
    """
    found: set[Operation] = set()
    waiting = [tensor.op for tensor in tensors]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting.extend(op.control_inputs if with_control else ())
            waiting.extend([tensor.op for tensor in op.inputs])
    return sorted(found, key=lambda op: op.index)


def static_sources(ops: Iterable[Operation], fed: Collection[Tensor] = ()) -> set[Tensor]:
    """The tensors whose values decide about static inputs, those inputs included.

    Args:
        ops: that have the static inputs.
        fed: tensors that are given, so that it does not matter what they are made of.
    """
    found: set[Tensor] = set()
    waiting = [op.inputs[n] for op in ops for n in op.record.static]
    while waiting:
        tensor = waiting.pop()
        if tensor not in found:
            found.add(tensor)
            if tensor in fed:
                continue
            shape_only = tensor.op.record.shape_only
            inputs = enumerate(tensor.op.inputs)
            waiting.extend(t for n, t in inputs if n not in shape_only)
    return found
