"""From traced functions to bodies: variables become inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import GraphError, UnimplementedError
from thalweg.graph import Body, Graph, Operation, Origin, Spec, Tensor, Timing
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.control.tracing import Traced


class Slot:
    """An input of a body.

    Args:
        spec: of its values.
        name: of its placeholder.
        inner: what stands for it in the traced graph; None if that does not need it.
    """

    def __init__(self, spec: Spec, name: str, inner: Tensor | None) -> None:
        self.spec, self.name, self.inner = spec, name, inner


class Functional:
    """The copy of a traced graph that has neither reads nor writes of variables.

    A read is replaced by the value that the variable has then: the latest one written before, or
    the one that the body is given. Within a body as within a run, a read comes before the writes
    that it does not depend on, but for that of an update.

    Args:
        traced: the function.
        slots: the inputs of the body, in order.
    """

    def __init__(self, traced: Traced, slots: Sequence[Slot]) -> None:
        self.graph = Graph()
        self._traced = traced
        self._values: dict[Tensor, Tensor] = {}
        self._writes: dict[Tensor, list[tuple[int, Tensor]]] = {}  # bits and values, by handle
        self._behind: dict[Operation, int] = {}  # the writes that an operation depends on, as bits
        self._after: dict[Operation, tuple[Operation, ...]] = {}
        self.inputs = tuple(map(self._input, slots))
        for op in traced.operations:
            self._behind[op] = self._depends(op)
            self._visit(op)

    def value(self, tensor: Tensor) -> Tensor:
        """What stands for a tensor of the traced graph."""
        return self._values[tensor]

    def contents(self, handle: Tensor) -> Tensor:
        """The value of a variable at the end."""
        return self._latest(handle, -1)

    def body(self, outputs: Sequence[Tensor]) -> Body:
        """The body with these outputs."""
        return Body(self.graph, self.inputs, tuple(outputs))

    def _input(self, slot: Slot) -> Tensor:
        made = self.graph.add(Placeholder(slot.spec.dtype, slot.spec.shape), (), slot.name)
        (tensor,) = made.outputs
        tensor.spec = slot.spec
        if slot.inner is not None:
            self._values[slot.inner] = tensor
        return tensor

    def _depends(self, op: Operation) -> int:
        mask = 0
        for earlier in (*[tensor.op for tensor in op.inputs], *op.control_inputs):
            mask |= self._behind[earlier]
        return mask

    def _visit(self, op: Operation) -> None:
        does = op.record.effects
        if op.outputs and all(tensor in self._values for tensor in op.outputs):
            self._after[op] = ()
            return  # the body is given what it computes
        control = [new for old in op.control_inputs for new in self._after[old]]
        if op.record.origin not in (None, Origin.CONSTANT):
            self._check_given(op)
            self._after[op] = ()
        elif does.reads or does.writes:
            made = self._replace(op, control)
            self._after[op] = (*control, *[tensor.op for tensor in made])
        else:
            self._after[op] = (self._copy(op, control),)

    def _check_given(self, op: Operation) -> None:
        if op.outputs[0] not in self._values:
            raise GraphError(
                f"{op.name!r} is a placeholder inside a loop or a branch, where nothing can be "
                f"fed: make it outside\n  at {op.source}"
            )

    def _copy(self, op: Operation, control: Sequence[Operation]) -> Operation:
        inputs = [self._values[tensor] for tensor in op.inputs]
        with self.graph.control_dependencies(control):
            made = self.graph.copy(op, inputs, op.name)
        self._values.update(zip(op.outputs, made.outputs, strict=True))
        return made

    def _replace(self, op: Operation, control: Sequence[Operation]) -> Sequence[Tensor]:
        """The outputs of a read or a write, computed from the contents of variables."""
        does = op.record.effects
        behind = self._behind[op] if does.timing is Timing.BEFORE_WRITES else -1
        inputs = [
            self._latest(tensor, behind) if n in does.handles else self._values[tensor]
            for n, tensor in enumerate(op.inputs)
        ]
        try:
            with self.graph.as_default(), self.graph.control_dependencies(control):
                made = op.record.without_effects(*inputs)
        except NotImplementedError as error:
            raise UnimplementedError(f"{error}\n  at {op.source}") from None
        self._values.update(zip(op.outputs, made, strict=True))
        for number, value in zip(does.writes, made, strict=False):
            self._write(op, op.inputs[number], value)
        return made

    def _write(self, op: Operation, handle: Tensor, value: Tensor) -> None:
        bit = 1 << sum(map(len, self._writes.values()))
        self._behind[op] |= bit
        self._writes.setdefault(handle, []).append((bit, value))

    def _latest(self, handle: Tensor, behind: int) -> Tensor:
        """The last value written among the writes that are given as bits."""
        for bit, value in reversed(self._writes.get(handle, ())):
            if bit & behind:
                return value
        return self._values[handle]


def written(traced: Traced) -> list[Tensor]:
    """The handles of the variables that a function writes."""
    found: dict[Tensor, Any] = {}
    for op in traced.operations:
        found.update(dict.fromkeys(op.inputs[n] for n in op.record.effects.writes))
    return list(found)
