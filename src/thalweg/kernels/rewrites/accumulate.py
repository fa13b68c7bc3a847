"""Add each term of a long sum of products where it is computed.

    before:  a[i, j] = sum[k](...)     b[i, j] = sum[k](...)     c[i, j] = sum[k](...)
             s[i, j] = a[i, j] + b[i, j]      t[i, j] = s[i, j] + c[i, j]
    after:   a[i, j] = sum[k](...)     s[i, j] = a[i, j] + sum[k](...)
             t[i, j] = s[i, j] + sum[k](...)

The gradient of a weight that is used often, as by each step of a recurrent network, is such a sum.
The total so far stays in the caches, where the terms would be written to memory and read again in
the end. What is added to what does not change.
"""

from __future__ import annotations

from collections.abc import Callable

from thalweg.formula import Apply, Read, is_identity
from thalweg.kernels.rewrites.contraction import is_contraction
from thalweg.kernels.rewrites.substitution import Substitution, take_places
from thalweg.kernels.values import Definition, Value

MIN_TERMS = 4  # terms: fewer stay in the caches in any case

Addition = tuple[Definition, Definition]  # an addition, and the product that it adds


def accumulate(definitions: list[Definition], kept: set[Value]) -> list[Definition]:
    """Move the additions of long sums to their terms; bodies are changed in place.

    Args:
        definitions: in execution order.
        kept: values that must exist in memory whatever happens.
    """
    substitution = Substitution(definitions)

    def is_only_for(value: Value, user: Definition) -> bool:
        free = value not in kept and value.storage is None
        return free and substitution.readers.of(value) == [user]

    moved: dict[Definition, Definition] = {}
    for steps in _sums(definitions, is_only_for):
        if len(steps) >= MIN_TERMS - 1:
            for addition, term in steps:
                addition.order = term.order
                substitution.substitute(term, addition)
                moved[term] = addition
    return take_places(definitions, moved) if moved else definitions


def _sums(
    definitions: list[Definition], is_only_for: Callable[[Value, Definition], bool]
) -> list[list[Addition]]:
    """The additions of each sum of products, in order, where the products are in that order too."""
    made = {d.value: d for d in definitions}
    place = {d: n for n, d in enumerate(definitions)}
    sums: dict[Definition, list[Addition]] = {}

    def latest(operand: Definition) -> int:
        return place[sums[operand][-1][1] if operand in sums else operand]

    for addition in definitions:
        operands = [made[value] for value in _operands(addition) if value in made]
        if len(operands) != 2 or not all(is_only_for(d.value, addition) for d in operands):
            continue
        total, term = sorted(operands, key=latest)
        if is_contraction(term) and (total in sums or is_contraction(total)):
            sums[addition] = [*sums.pop(total, []), (addition, term)]
    return list(sums.values())


def _operands(addition: Definition) -> list[Value]:
    """The two arrays that a definition adds, if that is all it does, and it waits for no other."""
    body = addition.body
    if not addition.stores_in_place or not isinstance(body, Apply) or body.function != "add":
        return []
    if addition.after:
        return []
    return [
        arg.source
        for arg in body.args
        if isinstance(arg, Read)
        and arg.source.base is None
        and is_identity(arg.index, addition.axes)
    ]
