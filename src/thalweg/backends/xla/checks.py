"""Checks of what only the run can tell, as part of a program: they leave word of the first failure.

The word is three numbers: that of the check, from 1 (0 while all is well), the place of the element
that it refuses, and what the element is. A write that comes after a failure keeps the old value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import OpError
from thalweg.base.record import Record, replace
from thalweg.formula import Check, Operand
from thalweg.graph import FailedOp, Op, Operation

FULL = -1  # in place of a check's number: a loop had no room for what it collects


class Checked(Record):
    """A check of a program: for which operation, and of the shape of what it looks at."""

    op: FailedOp
    check: Check
    shape: tuple[int, ...]

    def error(self, words: Sequence[int]) -> OpError:
        """The error for what a failed run has left."""
        place = np.unravel_index(words[1], self.shape) if self.shape else ()
        return self.op.failed(self.check.problem([int(p) for p in place], int(words[2])))


class Checks:
    """The checks of a program, in the order in which they are traced.

    Attributes:
        all: the checks.
        may_fail: whether there is any, or a loop that may lack room for what it collects.
    """

    def __init__(self) -> None:
        self.all: list[Checked] = []
        self.may_fail = False

    def add(self, failure: Any, op: Operation, inputs: Sequence[Any]) -> Any:
        """The word of failure after the checks of an operation.

        Args:
            failure: before them, int64[3].
            op: the operation.
            inputs: arrays.
        """
        if type(op.record).checks is Op.checks:
            return failure  # almost all have none
        operands = [Operand(n, np.shape(x), as_dtype(x.dtype)) for n, x in enumerate(inputs)]
        for check in op.record.checks(*operands):
            shape = tuple(map(int, operands[check.operand].shape))
            known = Checked(FailedOp.of(op), replace(check, limit=int(check.limit)), shape)
            if 0 not in shape:
                self.all.append(known)
                self.may_fail = True
                failure = _word(failure, known.check, len(self.all), inputs[check.operand])
        return failure


def none() -> Any:
    """The word while all is well."""
    return jnp.zeros(3, jnp.int64)


def is_well(failure: Any) -> Any:
    """Whether nothing has failed."""
    return failure[0] == 0


def _word(failure: Any, check: Check, number: int, elements: Any) -> Any:
    codes = jnp.asarray(check.codes(jnp, elements), jnp.int64).reshape(-1)
    refused = (codes < 0) | (codes >= check.limit)
    place = jnp.argmax(refused)
    word = jnp.stack([jnp.int64(number), place, codes[place]])
    return jnp.where(is_well(failure) & refused[place], word, failure)
