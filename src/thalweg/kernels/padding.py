"""Compute a value in the middle of its padded copy, and read it there.

    before:  r[i] = max(a[i] * b, 0)    p[i] = 0 <= i - 1 < 8 ? r[i - 1] : 0     y = r[i] + ...
    after:                    p[i] = 0 <= i - 1 < 8 ? max(a[i - 1] * b, 0) : 0    y = p[i + 1] + ...

So the activations between two convolutions are written once and not twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.formula import Affine, Expr, Read, Rewrite, affine
from thalweg.kernels.inline import Inliner, drop_unused, evaluations, is_cheap
from thalweg.kernels.values import Definition, Value, is_padding

MOST = 2  # times as many elements as the value's that its padded copy may have


def merge_padding(definitions: list[Definition], kept: set[Value]) -> list[Definition]:
    """Merge pointwise definitions into a padding that reads them; bodies are changed in place."""
    inliner = Inliner(definitions)
    made = {d.value: d for d in definitions}
    moved: dict[Definition, Definition] = {}
    for padded in definitions:
        read = _what_is_padded(padded)
        producer = made.get(read.source) if read is not None else None
        if read is None or producer is None or producer.value in kept or producer in moved:
            continue
        users = [d for d in inliner.readers.of(producer.value) if d is not padded]
        if not users or not _may_merge(producer, padded, users):
            continue
        place, padded.order = padded.order, producer.order
        if not inliner.substitute(producer, padded):
            padded.order = place
            continue
        shift = [at.constant for at in read.index]
        for user in users:
            _read_inside(user, producer.value, padded.value, shift)
            inliner.readers.update(user)
        moved[producer] = padded
    gone = set(moved.values())
    in_place = [moved.get(d, d) for d in definitions if d not in gone]
    return drop_unused(in_place, kept) if moved else definitions


def _what_is_padded(definition: Definition) -> Read | None:
    """What a definition surrounds with a constant, and does nothing else to."""
    body = definition.body
    if not definition.is_pointwise or definition.value.storage is not None:
        return None
    if not is_padding(body) or not body.reads:
        return None
    inside = body.reads[-1]  # those in its index come before it
    pairs = zip(inside.index, definition.axes, strict=False)
    shifted = all((at + -at.constant).is_axis(axis) for at, axis in pairs)
    return inside if shifted and len(inside.index) == len(definition.axes) else None


def _may_merge(producer: Definition, padded: Definition, users: Sequence[Definition]) -> bool:
    """Whether the value is computed at its own place, and read by nobody under another shape."""
    reads = [r for d in users for r in d.reads() if r.source.root is producer.value]
    return (
        producer.is_pointwise
        and producer.value.storage is None
        and not is_cheap(producer)
        and evaluations(padded.axes) <= MOST * evaluations(producer.axes)
        and all(read.source is producer.value for read in reads)
    )


def _read_inside(user: Definition, value: Value, padded: Value, shift: Sequence[int]) -> None:
    """Let a definition read the value from the middle of its padded copy."""

    def replaced(read: Read) -> Expr:
        if read.source is not value:
            return read
        index = tuple(at + affine(-by) for at, by in zip(read.index, shift, strict=True))
        return Read(padded, index, read.dtype)

    rewrite = Rewrite(read=replaced)
    user.body = rewrite(user.body)
    store: tuple[Affine, ...] = tuple(map(rewrite.index, user.store))
    user.store = store
