"""Compute a cheap value anew in every kernel that reads it, rather than store it.

    before:  kernel 1:  a = ...   b = a * 0.5        kernel 2:  c = a * b
    after:   kernel 1:  a = ...                      kernel 2:  c = a * (a * 0.5)

What the gradient of an activation needs of the way forward is of this kind.
"""

from __future__ import annotations

from thalweg.kernels.rewrites.substitution import (
    drop_unused,
    fits,
    is_cheap,
    large_sources,
    substitute,
)
from thalweg.kernels.rewrites.variable_writes import VariableWrites
from thalweg.kernels.values import Definition, Readers, Value

Groups = list[list[Definition]]


def rematerialise(groups: Groups, kept: set[Value]) -> Groups:
    """Replace reads of cheap values of other groups; bodies are changed in place."""
    definitions = [d for group in groups for d in group]
    place = {d: n for n, group in enumerate(groups) for d in group}
    owner = {d.value: d for d in definitions}
    writes = VariableWrites(definitions)
    readers = Readers(definitions)

    def outside(value: Value) -> list[Definition]:
        made = owner.get(value)
        return [d for d in readers.of(value) if made is None or place[d] != place[made]]

    for producer in definitions:
        if not producer.is_pointwise or producer.value.storage or not is_cheap(producer):
            continue
        if producer.when:
            continue
        users = outside(producer.value)
        if not all(source.storage or outside(source) for source in large_sources(producer)):
            continue
        written = [place[write] for each in writes.of_what(producer) for write in each]
        if all(
            _may_rematerialise(producer, user)
            and fits(producer, user)
            and not any(place[producer] <= at <= place[user] for at in written)
            for user in users
        ):
            for user in users:
                substitute(producer, user)
                readers.update(user)
    alive = set(drop_unused(definitions, kept))
    return [left for group in groups if (left := [d for d in group if d in alive])]


def _may_rematerialise(producer: Definition, user: Definition) -> bool:
    """Whether the user reads the value under its own shape, and not over and over."""
    inside = {id(read) for reduce in user.body.reductions for read in reduce.body.reads}
    return all(
        read.source is producer.value and id(read) not in inside
        for read in user.reads()
        if read.source.root is producer.value
    )
