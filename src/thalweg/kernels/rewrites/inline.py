"""Inline pointwise producers into their consumers where that saves memory traffic.

    before:  e[i, j] = exp(x[i, j])        s[i] = sum over j of e[i, j]
    after:                                 s[i] = sum over j of exp(x[i, j])

What is expensive and used more than once is kept instead.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from thalweg.base.shapes import same_shape, size, typical_size
from thalweg.formula import Axis, Expr, Read, Rewrite, expressions, is_identity
from thalweg.kernels.rewrites.concatenate_in_place import is_concatenation
from thalweg.kernels.values import (
    Definition,
    Readers,
    Storage,
    Value,
    VariableMemory,
    is_elementwise,
    is_free,
    is_padding,
    is_uniform,
    is_view,
    work,
)

SCALAR_WORK = 16  # an expression of scalars up to this long is evaluated anew where it is used
CHEAP_WORK = 2  # so is an array's expression up to this long, if it reads no more than one array
FEW_READS = 16  # of each element of a view at positions that are read from memory themselves
MOST_PARTS = 64  # of an expression: LLVM takes too long over larger ones, and runs out of registers
SMALL = 8  # how many times smaller than the result an array is that costs nothing to read


def inline(definitions: list[Definition], kept: set[Value]) -> list[Definition]:
    """Substitute producers into consumers; what nobody needs afterwards is dropped.

    Args:
        definitions: in execution order; their bodies are changed in place.
        kept: values that must exist in memory whatever happens.
    """
    inliner = Inliner(definitions)
    for producer in definitions:
        if not producer.is_pointwise or producer.value.storage:
            continue
        reading = inliner.readers.of(producer.value)
        users = [d for d in reading if _reads_exactly(d, producer.value)]
        stays = producer.value in kept or _read_as_alias(reading, producer.value)
        chosen = [d for d in users if _worthwhile(producer, d, len(users) + stays)]
        if not is_free(producer.body):  # it can be computed in its place instead
            chosen = [
                d for d in chosen if d.value in kept or d.value.storage or not is_concatenation(d)
            ]
        if len(chosen) < len(users) and not is_free(producer.body) and not _tiny(producer):
            chosen = [d for d in chosen if is_cheap(producer)]
        for user in [d for d in chosen if fits(producer, d)]:
            inliner.substitute(producer, user)
    return drop_unused(definitions, kept)


def fits(producer: Definition, user: Definition) -> bool:
    """Whether the user's expression, with the producer's in it, is of a size that compiles well."""
    return producer.body.parts + user.body.parts <= MOST_PARTS


class Inliner:
    """Substitutes producers into consumers where no write of a variable lies between.

    Args:
        definitions: in execution order.

    Attributes:
        readers: of every value, as they are now.
    """

    def __init__(self, definitions: list[Definition]) -> None:
        self.readers = Readers(definitions)
        self._writes = Writes(definitions)

    def substitute(self, producer: Definition, user: Definition) -> bool:
        """Do so if it is allowed; says whether it is."""
        if not self._writes.permit(producer, user):
            return False
        substitute(producer, user)
        self.readers.update(user)
        self._writes.wait_for(user)
        return True


def substitute(producer: Definition, user: Definition) -> None:
    """Replace the user's reads of the producer's value by the producer's body."""

    def replaced(read: Read) -> Expr:
        if read.source is not producer.value:
            return read
        # A later read at the same index finds the expression already made: sharing is kept.
        if read.index not in made:
            axes = dict(zip(producer.axes, read.index, strict=True))
            made[read.index] = Rewrite(axes=axes)(producer.body)
        return made[read.index]

    made: dict[object, Expr] = {}
    rewrite = Rewrite(read=replaced)
    user.body, user.store = rewrite(user.body), tuple(map(rewrite.index, user.store))
    user.ops = producer.ops + user.ops
    user.after |= producer.after


def take_places(
    definitions: Iterable[Definition], moved: Mapping[Definition, Definition]
) -> list[Definition]:
    """Put definitions where what went into them was first; what waited for that waits for them.

    Args:
        definitions: in execution order.
        moved: by each that is gone the one that it went into.
    """

    def left(definition: Definition) -> Definition:
        while definition in moved:
            definition = moved[definition]
        return definition

    result = list(dict.fromkeys(map(left, definitions)))
    for definition in result:
        definition.after = {left(earlier) for earlier in definition.after} - {definition}
    return result


def drop_unused(definitions: Iterable[Definition], kept: set[Value]) -> list[Definition]:
    """The definitions whose value is kept, written to a variable, or read by one that stays."""
    needed: list[Definition] = []
    wanted = {value.root for value in kept}
    for definition in reversed(list(definitions)):
        if definition.value in wanted or definition.value.storage:
            needed.append(definition)
            wanted.update(r.source.root for r in definition.reads())
    alive = set(needed)
    for definition in needed:
        definition.after &= alive
    return needed[::-1]


def is_contraction(definition: Definition) -> bool:
    """Whether operands are read more often than they have elements, inside a reduction."""
    for reduce in definition.body.reductions:
        total = evaluations((*definition.axes, *reduce.axes))
        if any(total > 2 * typical_size(r.source.shape) for r in reduce.body.reads):
            return True
    return False


def is_channelwise(definition: Definition) -> bool:
    """Whether results that are neighbours along the last axis share nothing of what is reduced.

    Pooling and depthwise convolutions are so. They move memory more than they compute, so that
    testing whether a place is on the border costs less than a copy with the border around.
    """
    last = definition.axes[-1] if definition.axes else None
    reads = [read for reduce in definition.body.reductions for read in reduce.body.reads]
    if last is None or not reads:
        return False
    return all(any(at.coefficient(last) for at in read.index) for read in reads)


def _reads_exactly(user: Definition, value: Value) -> bool:
    return any(r.source is value for r in user.reads())


def _read_as_alias(definitions: Iterable[Definition], value: Value) -> bool:
    return any(
        r.source is not value and r.source.root is value for d in definitions for r in d.reads()
    )


def _tiny(producer: Definition) -> bool:
    """Whether it is a scalar, or an array filled with one, and soon computed."""
    scalar = size(producer.value.shape) == 1 or is_uniform(producer.body)
    return scalar and work(producer.body) <= SCALAR_WORK


def _worthwhile(producer: Definition, user: Definition, uses: int) -> bool:
    if is_padding(producer.body) and is_channelwise(user):
        return True
    if is_contraction(user):
        view = is_view(producer.body) and (_is_direct(producer) or _rarely_read(producer, user))
        return view or _outside_reductions(producer, user)
    if is_free(producer.body) or _tiny(producer) or is_cheap(producer):
        return True
    if user.is_pointwise and _same_domain(producer, user):
        return uses == 1
    return uses == 1 and _evaluations(user) <= typical_size(producer.value.shape)


def _is_direct(view: Definition) -> bool:
    """Whether a view's elements lie where their index alone says."""
    return not any(expressions(at) for read in view.body.reads for at in read.index)


def _rarely_read(producer: Definition, user: Definition) -> bool:
    """Whether a copy of the value would not pay: its elements are read a few times each."""
    return _evaluations(user) <= FEW_READS * typical_size(producer.value.shape)


def is_cheap(producer: Definition) -> bool:
    """Whether the value is as quickly computed from what it is made of as read."""
    return work(producer.body) <= CHEAP_WORK and len(large_sources(producer)) <= 1


def large_sources(producer: Definition) -> list[Value]:
    """The arrays that a value is computed from, but for those that are small beside it."""
    limit = typical_size(producer.value.shape)
    sources = dict.fromkeys(read.source.root for read in producer.reads())
    return [value for value in sources if typical_size(value.shape) * SMALL > limit]


def _outside_reductions(producer: Definition, user: Definition) -> bool:
    """Whether the contraction uses the value only in its epilogue, and it is nearly free."""
    inside = [read for reduce in user.body.reductions for read in reduce.body.reads]
    if any(read.source is producer.value for read in inside):
        return False
    return is_free(producer.body) or _tiny(producer)


def _at_one_point(producer: Definition, user: Definition) -> bool:
    """Whether each element of the user's needs the element of the same index of what it overwrites.

    Any other one may have been overwritten by then.
    """
    storage = user.value.storage
    there = [read for read in producer.reads() if read.source.root.storage == storage]
    here = [read for read in user.reads() if read.source is producer.value]
    return not there or (
        user.is_pointwise
        and all(is_identity(read.index, user.axes) for read in here)
        and all(is_elementwise(read, producer.axes) for read in there)
    )


def _same_domain(a: Definition, b: Definition) -> bool:
    return same_shape([x.extent for x in a.axes], [x.extent for x in b.axes])


def evaluations(axes: Iterable[Axis]) -> int:
    """How often something inside loops over the axes is evaluated, for a typical batch."""
    return typical_size(axis.extent for axis in axes)


def _evaluations(user: Definition) -> int:
    loops = [evaluations((*user.axes, *r.axes)) for r in user.body.reductions]
    return max(loops, default=evaluations(user.axes))


class Writes:
    """Which definitions overwrite each variable, in order; each waits for the one before."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._writes: dict[Storage, list[Definition]] = {}
        for definition in definitions:
            storage = definition.value.storage
            if isinstance(storage, VariableMemory):
                self._writes.setdefault(storage, []).append(definition)

    def of_what(self, reader: Definition) -> list[list[Definition]]:
        """Those that overwrite a variable which the definition reads, for each such variable."""
        read = [read.source.root.storage for read in reader.reads()]
        variables = dict.fromkeys([s for s in read if isinstance(s, VariableMemory)])
        return [self._writes[s] for s in variables if s in self._writes]

    def permit(self, producer: Definition, user: Definition) -> bool:
        """Whether the user finds in the variables what the producer does."""
        for writes in self.of_what(producer):
            later = bisect_left(writes, producer.order, key=_order)
            if later < len(writes) and writes[later].order < user.order:
                return False
        return not isinstance(user.value.storage, VariableMemory) or _at_one_point(producer, user)

    def wait_for(self, user: Definition) -> None:
        """Let later writes wait for a definition that has come to read a variable.

        The next one does; those after it wait for that one.
        """
        for writes in self.of_what(user):
            later = bisect_right(writes, user.order, key=_order)
            if later < len(writes):
                writes[later].after.add(user)


def _order(definition: Definition) -> int:
    return definition.order
