"""Inline pointwise producers into their consumers where that saves memory traffic.

    before:  e[i, j] = exp(x[i, j])        s[i] = sum over j of e[i, j]
    after:                                 s[i] = sum over j of exp(x[i, j])

What is expensive and used more than once is kept instead.
"""

from __future__ import annotations

from collections.abc import Iterable

from thalweg.base.shapes import same_shape, size, typical_size
from thalweg.formula import expressions
from thalweg.kernels.rewrites.concatenate_in_place import is_concatenation
from thalweg.kernels.rewrites.contraction import evaluations, is_channelwise, is_contraction
from thalweg.kernels.rewrites.substitution import Substitution, drop_unused, fits, is_cheap
from thalweg.kernels.values import (
    Definition,
    Value,
    is_free,
    is_padding,
    is_uniform,
    is_view,
    work,
)

MAX_SCALAR_WORK = 16  # an expression of scalars up to this long is evaluated anew where it is used
MAX_VIEW_READS = 16  # of each element of a view at positions that are read from memory themselves


def inline(definitions: list[Definition], kept: set[Value]) -> list[Definition]:
    """Substitute producers into consumers; what nobody needs afterwards is dropped.

    Args:
        definitions: in execution order; their bodies are changed in place.
        kept: values that must exist in memory whatever happens.
    """
    substitution = Substitution(definitions)
    for producer in definitions:
        if not producer.is_pointwise or producer.value.storage:
            continue
        reading = substitution.readers.of(producer.value)
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
            substitution.substitute(producer, user)
    return drop_unused(definitions, kept)


def _reads_exactly(user: Definition, value: Value) -> bool:
    return any(r.source is value for r in user.reads())


def _read_as_alias(definitions: Iterable[Definition], value: Value) -> bool:
    return any(
        r.source is not value and r.source.root is value for d in definitions for r in d.reads()
    )


def _tiny(producer: Definition) -> bool:
    """Whether it is a scalar, or an array filled with one, and soon computed."""
    scalar = size(producer.value.shape) == 1 or is_uniform(producer.body)
    return scalar and work(producer.body) <= MAX_SCALAR_WORK


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
    return _evaluations(user) <= MAX_VIEW_READS * typical_size(producer.value.shape)


def _outside_reductions(producer: Definition, user: Definition) -> bool:
    """Whether the contraction uses the value only in its epilogue, and it is nearly free."""
    inside = [read for reduce in user.body.reductions for read in reduce.body.reads]
    if any(read.source is producer.value for read in inside):
        return False
    return is_free(producer.body) or _tiny(producer)


def _same_domain(a: Definition, b: Definition) -> bool:
    return same_shape([x.extent for x in a.axes], [x.extent for x in b.axes])


def _evaluations(user: Definition) -> int:
    loops = [evaluations((*user.axes, *r.axes)) for r in user.body.reductions]
    return max(loops, default=evaluations(user.axes))
