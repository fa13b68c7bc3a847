"""Substitute the expression of one definition into another, for the passes that do so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from thalweg.base.shapes import typical_size
from thalweg.formula import Expr, Read, Rewrite
from thalweg.kernels.rewrites.variable_writes import VariableWrites
from thalweg.kernels.values import Definition, Readers, Value, work

MAX_CHEAP_WORK = 2  # what reads one array at most is computed anew if it is no longer
MAX_PARTS = 64  # of an expression: LLVM takes too long over larger ones, and runs out of registers
MIN_SIZE_RATIO = 8  # how many times smaller than the result an array is that costs nothing to read


class Substitution:
    """Substitutes producers into consumers where no write of a variable lies between.

    Args:
        definitions: in execution order.

    Attributes:
        readers: of every value, as they are now.
    """

    def __init__(self, definitions: list[Definition]) -> None:
        self.readers = Readers(definitions)
        self._writes = VariableWrites(definitions)

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


def fits(producer: Definition, user: Definition) -> bool:
    """Whether the user's expression, with the producer's in it, is of a size that compiles well."""
    return producer.body.parts + user.body.parts <= MAX_PARTS


def is_cheap(producer: Definition) -> bool:
    """Whether the value is as quickly computed from what it is made of as read."""
    return work(producer.body) <= MAX_CHEAP_WORK and len(large_sources(producer)) <= 1


def large_sources(producer: Definition) -> list[Value]:
    """The arrays that a value is computed from, but for those that are small beside it."""
    limit = typical_size(producer.value.shape)
    sources = dict.fromkeys(read.source.root for read in producer.reads())
    return [value for value in sources if typical_size(value.shape) * MIN_SIZE_RATIO > limit]


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
