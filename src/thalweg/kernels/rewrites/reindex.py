"""Compute a pointwise consumer over the loops of a producer that scatters.

    before:  d[2*i + r] = ... for i, r        e[k] = max(d[k], 0) for k
    after:   e[2*i + r] = max(..., 0) for i, r

The gradient of pooling is such a producer; the gradient of the activation behind it then costs
nothing.
"""

from __future__ import annotations

from thalweg.formula import Expr, Read, Rewrite, is_identity
from thalweg.kernels.rewrites.substitution import drop_unused
from thalweg.kernels.rewrites.variable_writes import VariableWrites
from thalweg.kernels.values import Definition, Readers, Value


def reindex(definitions: list[Definition], kept: set[Value]) -> list[Definition]:
    """Merge scattering producers into their only, pointwise, consumer; bodies change in place."""
    writes = VariableWrites(definitions)
    readers = Readers(definitions)
    for producer in definitions:
        user = _only_user(producer, readers, kept)
        if user is not None and writes.permit(producer, user):
            _merge(producer, user)
            readers.update(user)
            writes.wait_for(user)
    return drop_unused(definitions, kept)


def _only_user(producer: Definition, readers: Readers, kept: set[Value]) -> Definition | None:
    value = producer.value
    reduces = bool(producer.body.reductions)
    if producer.stores_in_place or producer.scatters or reduces or value in kept or value.storage:
        return None
    users = readers.of(value)
    if len(users) != 1 or not users[0].is_pointwise or users[0].value.storage:
        return None
    if users[0].value.shape != value.shape:  # padding, say, writes more than it reads
        return None
    reads = [r for r in users[0].reads() if r.source.root is value]
    return users[0] if all(_is_direct(r, value, users[0]) for r in reads) else None


def _is_direct(read: Read, value: Value, user: Definition) -> bool:
    return read.source is value and is_identity(read.index, user.axes)


def _merge(producer: Definition, user: Definition) -> None:
    def replaced(read: Read) -> Expr:
        return producer.body if read.source is producer.value else read

    moved = dict(zip(user.axes, producer.store, strict=True))
    user.body = Rewrite(axes=moved, read=replaced)(user.body)
    user.axes, user.store = producer.axes, producer.store
    user.ops = producer.ops + user.ops
    user.after |= producer.after
