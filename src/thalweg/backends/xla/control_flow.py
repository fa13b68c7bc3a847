"""Loops and branches, which XLA runs without the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import jax.numpy as jnp
from jax import lax

from thalweg.backends.xla import checks
from thalweg.backends.xla.checks import FULL, Checks
from thalweg.base.errors import UnimplementedError
from thalweg.base.shapes import known
from thalweg.graph import Body, Op, Operation, Tensor
from thalweg.ops.control.cond import Cond
from thalweg.ops.control.loop import Loop


class Tracing(Protocol):
    """What evaluates the operations around a loop or a branch; see `Tracer`."""

    checks: Checks
    capacity: int
    counts: dict[Tensor, Any]
    failure: Any

    def run_body(self, failure: Any, body: Body, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
        """The word of failure after a body, and its outputs."""
        ...


def _cond(tracing: Tracing, op: Operation, predicate: Any, *captured: Any) -> tuple[Any, ...]:
    def branch(body: Body) -> Callable[..., Any]:
        return lambda failure, *inputs: tracing.run_body(failure, body, inputs)

    record = cast(Cond, op.record)
    branches = branch(record.then), branch(record.otherwise)
    tracing.failure, outputs = lax.cond(predicate, *branches, tracing.failure, *captured)
    return tuple(outputs)


def _loop(tracing: Tracing, op: Operation, *inputs: Any) -> tuple[Any, ...]:
    record = cast(Loop, op.record)
    if record.condition is None:
        return _over_sequences(tracing, record, inputs)
    if record.collects_until:
        return _collecting(tracing, op, record, inputs)
    return tuple(_until(tracing, record, inputs, lambda n, items, room: room, [])[1])


def _over_sequences(tracing: Tracing, record: Loop, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """A loop that runs once for each element."""
    carried, sequences, captured = record.parts(inputs)

    def step(carry: Any, elements: Any) -> tuple[Any, Any]:
        failure, before = carry
        failure, made = tracing.run_body(failure, record.body, [*before, *elements, *captured])
        return (failure, made[: record.carried]), made[record.carried :]

    carry = tracing.failure, carried
    (tracing.failure, final), collected = lax.scan(step, carry, sequences, reverse=record.reverse)
    return (*final, *collected)


Collect = Callable[[Any, Sequence[Any], list[Any]], list[Any]]


def _until(
    tracing: Tracing, record: Loop, inputs: Sequence[Any], collect: Collect, room: list[Any]
) -> tuple[Any, list[Any], list[Any]]:
    """A loop that runs as long as its condition holds.

    Args:
        tracing: what evaluates the bodies.
        record: of the loop.
        inputs: of the loop.
        collect: what becomes of the room for collected values in an iteration of a number.
        room: for them, at first.

    Returns:
        How many iterations there were, what was carried, what was collected.
    """
    carried, sequences, captured = record.parts(inputs)
    most = min([len(sequence) for sequence in sequences], default=None)

    def goes_on(carry: Any) -> Any:
        failure, number, before, _ = carry
        assert record.condition is not None
        _, (holds,) = tracing.run_body(failure, record.condition, [*before, *captured])
        holds = holds & checks.is_well(failure)
        return holds if most is None else holds & (number < most)

    def step(carry: Any) -> Any:
        failure, number, before, room = carry
        place = most - 1 - number if record.reverse and most is not None else number
        elements = [lax.dynamic_index_in_dim(s, place, keepdims=False) for s in sequences]
        failure, made = tracing.run_body(failure, record.body, [*before, *elements, *captured])
        new, items = made[: record.carried], made[record.carried :]
        return failure, number + 1, new, collect(number, items, room)

    carry = tracing.failure, jnp.int64(0), carried, room
    tracing.failure, number, final, room = lax.while_loop(goes_on, step, carry)
    return number, final, room


def _collecting(
    tracing: Tracing, op: Operation, record: Loop, inputs: Sequence[Any]
) -> tuple[Any, ...]:
    """A loop of which only the end tells how many values it collects.

    There is room for some; a run that needs more fails with `FULL`, and has written nothing.
    """
    if record.reverse:
        raise UnimplementedError("XLA cannot collect from the last element to the first")
    tracing.checks.may_fail = True
    capacity = tracing.capacity
    outputs = record.body.outputs[record.carried :]
    room = [jnp.zeros((capacity, *known(t.static_shape)), t.dtype.numpy) for t in outputs]

    def collect(number: Any, items: Sequence[Any], room: list[Any]) -> list[Any]:
        pairs = zip(room, items, strict=True)
        return [lax.dynamic_update_index_in_dim(r, i, number, 0) for r, i in pairs]

    count, final, made = _until(tracing, record, inputs, collect, room)
    is_full = checks.is_well(tracing.failure) & (count > capacity)
    word = jnp.array([FULL, 0, 0], jnp.int64).at[1].set(count)
    tracing.failure = jnp.where(is_full, word, tracing.failure)
    tracing.counts.update(dict.fromkeys(op.outputs[record.carried :], count))
    return (*final, *made)


CONTROL_FLOW: dict[type[Op], Callable[..., tuple[Any, ...]]] = {Cond: _cond, Loop: _loop}
