"""Compute a value in the middle of its padded copy, and read it there.

    before:  r[i] = max(a[i] * b, 0)    p[i] = 0 <= i - 1 < 8 ? r[i - 1] : 0     y = r[i] + ...
    after:                    p[i] = 0 <= i - 1 < 8 ? max(a[i - 1] * b, 0) : 0    y = p[i + 1] + ...

So the activations between two convolutions are written once and not twice. A copy of a part of the
value does not serve its other readers, and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from thalweg.base.dims import Dim
from thalweg.base.record import Record
from thalweg.base.shapes import same_shape
from thalweg.formula import Affine, Apply, Axis, Const, Expr, Position, Read, Rewrite
from thalweg.kernels.rewrites.contraction import evaluations
from thalweg.kernels.rewrites.substitution import Substitution, drop_unused, is_cheap, take_places
from thalweg.kernels.values import Definition, Value, is_padding

MAX_GROWTH = 2  # times as many elements as the value's that its padded copy may have


def merge_padding(definitions: list[Definition], kept: set[Value]) -> list[Definition]:
    """Merge pointwise definitions into a padding that reads them; bodies are changed in place."""
    substitution = Substitution(definitions)
    made = {d.value: d for d in definitions}
    moved: dict[Definition, Definition] = {}
    for padded in definitions:
        border = _Border.of(padded)
        producer = made.get(border.value) if border else None
        if border is None or producer is None or producer.value in kept or producer in moved:
            continue
        users = [d for d in substitution.readers.of(producer.value) if d is not padded]
        if not users or not _may_merge(producer, padded, users):
            continue
        place, padded.order = padded.order, producer.order
        if not substitution.substitute(producer, padded):
            padded.order = place
            continue
        for user in users:
            border.read_inside(user)
            substitution.readers.update(user)
        moved[producer] = padded
    return drop_unused(take_places(definitions, moved), kept) if moved else definitions


class _Border(Record):
    """What a definition puts around all of a value: `copy[at + before] = value[at]`, else a number.

    Attributes:
        copy: the value with its border.
        value: that is inside.
        before: how wide the border is before the value, in each dimension.
    """

    copy: Value
    value: Value
    before: tuple[int, ...]

    @staticmethod
    def of(definition: Definition) -> _Border | None:
        """The border that a definition makes, if it does nothing else."""
        body = definition.body
        if not definition.is_pointwise or definition.value.storage is not None:
            return None
        if not isinstance(body, Apply) or not is_padding(body):
            return None
        condition, inside, _ = body.args
        if not isinstance(inside, Read) or not _holds_all(inside, definition.axes):
            return None
        bounds = list(_bounds(condition))
        if not all(any(_is_within(b, inside, n) for n in range(len(inside.index))) for b in bounds):
            return None
        before = tuple(-at.constant for at in inside.index)
        return _Border(definition.value, inside.source, before)

    def read_inside(self, user: Definition) -> None:
        """Let a definition read the value from the middle of its copy."""

        def replaced(read: Read) -> Expr:
            if read.source is not self.value:
                return read
            index = tuple(at + by for at, by in zip(read.index, self.before, strict=True))
            return Read(self.copy, index, read.dtype)

        rewrite = Rewrite(read=replaced)
        user.body, user.store = rewrite(user.body), tuple(map(rewrite.index, user.store))


def _holds_all(inside: Read, axes: Sequence[Axis]) -> bool:
    """Whether a read over the axes comes by each element of its source, one for each point."""
    shape = inside.source.shape
    if len(inside.index) != len(axes):
        return False
    return all(map(_covers, inside.index, axes, shape))


def _covers(at: Affine, axis: Axis, extent: int) -> bool:
    """Whether `at`, which is the axis less a border, takes all values in `range(extent)`."""
    before = -at.constant
    if not (at + before).is_axis(axis):
        return False
    if same_shape((axis.extent,), (extent,)):
        return type(before) is int and before == 0
    if any(isinstance(n, Dim) for n in (before, extent, axis.extent)):
        return False  # how wide the border is depends on the run
    return 0 <= before <= axis.extent - extent


Bound = tuple[str, Affine, int]  # a comparison of an index with a number


def _bounds(condition: Expr) -> Iterator[Bound | None]:
    """What a condition demands, all of which must hold; None for what is no bound of an index."""
    match condition:
        case Apply("and", (left, right)):
            yield from _bounds(left)
            yield from _bounds(right)
        case Apply(("ge" | "lt") as sign, (Position(at), Const(value))):
            yield sign, at, int(value)
        case Apply(("ge" | "lt") as sign, (Position(at), Position(Affine((), value)))):
            yield sign, at, value
        case _:
            yield None


def _is_within(bound: Bound | None, inside: Read, dimension: int) -> bool:
    """Whether a bound says no more than that a dimension's index lies within its extent."""
    if bound is None:
        return False
    sign, at, number = bound
    limit = 0 if sign == "ge" else inside.source.shape[dimension]
    return at == inside.index[dimension] and same_shape((number,), (limit,))


def _may_merge(producer: Definition, padded: Definition, users: Sequence[Definition]) -> bool:
    """Whether the value is computed at its own place, and read by nobody under another shape."""
    reads = [r for d in users for r in d.reads() if r.source.root is producer.value]
    return (
        producer.is_pointwise
        and producer.value.storage is None
        and not is_cheap(producer)
        and padded.after <= producer.after
        and evaluations(padded.axes) <= MAX_GROWTH * evaluations(producer.axes)
        and all(read.source is producer.value for read in reads)
    )
