"""What the operations of a plan cost, each by itself, before any is fused with another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from thalweg.base.record import Record, replace
from thalweg.base.shapes import known, size
from thalweg.formula import Alias, Operand
from thalweg.formula.cost import Arithmetic, arithmetic, bytes_read
from thalweg.graph import Operation, Spec, Tensor
from thalweg.graph.op import Op
from thalweg.passes.fold import fold
from thalweg.passes.plan import Plan


class OpCost(Record):
    """What an operation costs in a run.

    Attributes:
        name: the operation's.
        type: its record's.
        flops: floating-point operations; see `formula.cost`.
        multiplications: how many of them are multiplications.
        bytes: of the elements that it reads and writes, each counted once.
        outputs: shapes and dtypes of those that something takes; of an operation in a loop, of one
            iteration.
        inputs: names of the operations that made its inputs.
        is_counted: whether its arithmetic is known; that of an operation without a formula, such as
            a Cholesky decomposition, is not, and counts as nothing.
        iterations: how often it runs; what a loop's condition decides counts as once.
        slots: the numbers of these outputs; () for all of them.
    """

    name: str
    type: str
    flops: int
    multiplications: int
    bytes: int
    outputs: tuple[Spec, ...]
    inputs: tuple[str, ...] = ()
    is_counted: bool = True
    iterations: int = 1
    slots: tuple[int, ...] = ()

    @property
    def output_bytes(self) -> int:
        """Memory of its outputs; in a loop, of one iteration."""
        return sum(size(known(spec.shape)) * spec.dtype.size for spec in self.outputs)


def costs(plan: Plan) -> dict[str, OpCost]:
    """The cost of every operation of a plan, by name, those in loops and branches too.

    Args:
        plan: as `specialise` makes it, in which operations are still those of the user's graph.
    """
    plan = fold(plan)
    needed = _needed(plan.graph.operations, plan.fetches)
    with plan.trace.paused():
        return {cost.name: cost for cost in _costs(plan.graph.operations, needed, 1)}


def host_cost(op: Operation, outputs: Iterable[Spec], read: int) -> OpCost:
    """The cost of an operation that Python has run.

    Args:
        op: the operation.
        outputs: what it made.
        read: bytes of its inputs.
    """
    made = tuple(outputs)
    one = OpCost(op.name, op.type, 0, 0, 0, made, _sources(op), is_counted=False)
    return replace(one, bytes=read + one.output_bytes)


def _needed(ops: Iterable[Operation], fetches: Iterable[Tensor]) -> set[Tensor]:
    """The tensors that something takes."""
    found = {*fetches}
    for op in ops:
        found.update(op.inputs)
        for body in op.record.bodies:
            found |= _needed(body.operations, body.outputs)
    return found


def _costs(ops: Iterable[Operation], needed: set[Tensor], times: int) -> Iterator[OpCost]:
    for op in ops:
        outputs = [tensor for tensor in op.outputs if tensor in needed] or op.outputs
        yield _cost(op, outputs, times)
        inner = times * op.record.iterations(*op.inputs)
        for body in op.record.bodies:
            yield from _costs(body.operations, needed, inner)


def _cost(op: Operation, outputs: Sequence[Tensor], times: int) -> OpCost:
    """The cost of an operation that runs so often, for those of its outputs that are needed."""
    counted = _counted(op, outputs)
    one, moved = counted or (Arithmetic(), 0)
    return OpCost(
        op.name,
        op.type,
        int(one.flops) * times,
        int(one.multiplications) * times,
        int(moved) * times,
        tuple(_plain(tensor) for tensor in outputs),
        _sources(op),
        counted is not None,
        times,
        tuple(tensor.value_index for tensor in outputs),
    )


def _sources(op: Operation) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tensor.op.name for tensor in op.inputs))


def _plain(tensor: Tensor) -> Spec:
    """A tensor's shape in plain numbers; what only the run can tell counts as 0."""
    return Spec(tuple([int(extent or 0) for extent in tensor.static_shape or ()]), tensor.dtype)


def _counted(op: Operation, outputs: Sequence[Tensor]) -> tuple[Arithmetic, int] | None:
    """The arithmetic of running an operation once, and the bytes moved; None if it is not known."""
    record = op.record
    if record.origin is not None or record.bodies or not op.outputs:
        return Arithmetic(), 0
    operands = [Operand(n, _plain(t).shape, t.dtype) for n, t in enumerate(op.inputs)]  # type: ignore[arg-type]
    made = _lowered(record, operands)
    if made is None:
        return None
    total, moved = Arithmetic(), 0
    for tensor, formula in [(t, made[t.value_index]) for t in outputs]:
        total += arithmetic(formula)
        moved += bytes_read(formula, operands)
        if not isinstance(formula, Alias) or record.effects.writes:
            moved += size(known(_plain(tensor).shape)) * tensor.dtype.size
    return total, moved


def _lowered(record: Op, operands: list[Operand]) -> tuple[Any, ...] | None:
    """The formulas of an operation's outputs, if it has any."""
    if type(record).lower is Op.lower:
        return None
    lowered = record.lower(*operands)
    return lowered if isinstance(lowered, tuple) else (lowered,)
