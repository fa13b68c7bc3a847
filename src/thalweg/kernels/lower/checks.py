"""Checks of what only the run can tell, as formulas of their own.

    first  = max over i of (0 <= code(r[i]) < limit ? 0 : n - i)      0 if all is well
    value  = sum over i of (n - i == first ? code(r[i]) : 0)

The largest distance from the end is that of the first offender, whichever thread finds it. The run
ends after such a kernel unless the first word is 0, and the words make the error's message. What
relies on a check runs after it, and so does every write of a variable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dims import Sizes
from thalweg.base.errors import OpError
from thalweg.base.record import Record, replace
from thalweg.base.shapes import size, strides
from thalweg.formula import (
    Check,
    Expr,
    Position,
    Read,
    affine,
    apply,
    axes,
    reduce,
    sum_over,
    where,
)
from thalweg.graph import FailedOp
from thalweg.kernels.values import Definition, Value, Verdict


class Checked(Record):
    """A check of a plan: what it looks at, and for which operation."""

    op: FailedOp
    check: Check
    value: Value

    def error(self, words: Sequence[int], sizes: Sizes) -> OpError:
        """The error for the two words that a failed run has left."""
        shape = sizes.shape(self.value.shape)
        place = np.unravel_index(size(shape) - int(words[0]), shape) if shape else ()
        check = replace(self.check, limit=sizes(self.check.limit))
        return self.op.failed(check.problem([int(p) for p in place], int(words[1])))


def define_check(checked: Checked, number: int, order: int) -> tuple[Definition, Definition]:
    """The definitions of the check's two words."""
    value, limit = checked.value, checked.check.limit
    first = Value(f"{value.name} checked", (), dtypes.int64, Verdict(number, 0))
    refused = Value(f"{value.name} refused", (), dtypes.int64, Verdict(number, 1))
    index = axes(*value.shape)
    steps = zip(index, strides(value.shape), strict=True)
    element = checked.check.code(Read(value, tuple(map(affine, index)), value.dtype))
    left = Position(sum((i * -step for i, step in steps), affine(size(value.shape))))
    valid = apply("and", apply("ge", element, 0), apply("lt", element, Position(affine(limit))))
    worst: Expr = where(valid, 0, left)
    named: Expr = where(apply("eq", left, Read(first, (), dtypes.int64)), element, 0)
    if index:
        # An empty operand has no offender, where the largest of no numbers is the least of all.
        worst = apply("max", reduce("max", index, worst), 0)
        named = sum_over(index, named)
    made = [
        Definition(target, (), body, (), order, (checked.op.name,))
        for target, body in ((first, worst), (refused, named))
    ]
    return made[0], made[1]
