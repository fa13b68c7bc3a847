"""Formulas: the axes of an output, the expression of one element, and where it is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.formula.expressions import Const, Expr, Read, apply, cast, where
from thalweg.formula.indices import Affine, Axis, Index, affine, axes


class Operand(Record):
    """An input of the op whose formula is being written; indexing it makes a `Read`."""

    number: int
    shape: tuple[int, ...]
    dtype: DType

    def __getitem__(self, index: Index | Sequence[Index]) -> Expr:
        items = index if isinstance(index, Sequence) else (index,)
        return Read(self.number, tuple(map(affine, items)), self.dtype)

    @property
    def rank(self) -> int:
        return len(self.shape)


class Formula(Record):
    """`output[store] = body` for every value of the axes.

    `store` is the axes themselves unless given; then `shape` is the output's shape, and every
    element must be written by exactly one value of the axes.

    If one of the store's indices is read, any number of values of the axes may fall on an element:
    they are added up, in the axes' order, and an element that none falls on is 0. If the formula
    `replaces`, the last of them stays instead, and an element that none falls on keeps what memory
    held: that of a resource its contents, that of a new array anything. The body may then read the
    contents at the place that it stores to, where it finds what the one before has left.
    """

    axes: tuple[Axis, ...]
    body: Expr
    store: tuple[Affine, ...] = ()
    shape: tuple[int, ...] = ()
    replaces: bool = False

    @staticmethod
    def make(
        axes: Sequence[Axis],
        body: Expr,
        store: Sequence[Index] | None = None,
        shape: Sequence[int] | None = None,
        replaces: bool = False,
    ) -> Formula:
        """A formula whose store and shape default to its axes."""
        target = axes if store is None else store
        extents = [a.extent for a in axes] if shape is None else shape
        return Formula(tuple(axes), body, tuple(map(affine, target)), tuple(extents), replaces)


class Check(Record):
    """Every element of an operand must lie in `range(limit)`; a run that finds another one fails.

    Attributes:
        operand: its number.
        limit: one more than the largest element allowed.
        name: of the operand, for the error.
    """

    operand: int
    limit: int
    name: str

    def code(self, element: Expr) -> Expr:
        """The number that must lie in the range, for an element."""
        return cast(element, dtypes.int64)

    def codes(self, xp: Any, elements: Any) -> Any:
        """The same for an array."""
        return elements

    def problem(self, place: Sequence[int], value: int) -> str:
        """What is wrong with an element, as TensorFlow says it: `indices[3] = 12 is not in ...`."""
        at = f"[{','.join(str(int(p)) for p in place)}]" if place else ""
        return f"{self.name}{at} = {value} is not in [0, {int(self.limit)})"


class FiniteCheck(Check):
    """Every element of an operand must be finite; a run that finds another one fails.

    The codes are 0 for finite numbers, 1 for infinities and 2 for NaN, so `limit` is 1.
    """

    def code(self, element: Expr) -> Expr:
        zero, one, two = (Const(n, dtypes.int64) for n in range(3))
        infinite = where(apply("eq", element, element), one, two)
        return where(apply("eq", element - element, 0), zero, infinite)

    def codes(self, xp: Any, elements: Any) -> Any:
        return xp.where(xp.isfinite(elements), 0, xp.where(xp.isnan(elements), 2, 1))

    def problem(self, place: Sequence[int], value: int) -> str:
        """What is wrong with an element: `x : Tensor had NaN values, the first at [3,1]`."""
        kind = "NaN" if value == 2 else "Inf"
        at = f", the first at [{','.join(str(int(p)) for p in place)}]" if place else ""
        return f"{self.name} : Tensor had {kind} values{at}"


class Alias(Record):
    """An output that is the same memory as an operand, perhaps under another shape."""

    operand: int


class Steps(Record):
    """An output that is computed in several steps.

    Attributes:
        before: the formulas of arrays that only the later steps read, with their dtypes. Each is
            one more operand: the first has the number after the last input's.
        last: the formula of the output.
    """

    before: tuple[tuple[Formula, DType], ...]
    last: Formula


Lowered = Formula | Steps | Alias


def pointwise(function: Callable[..., Expr], *operands: Operand) -> Formula:
    """A formula that applies a function to each element of operands of one shape."""
    index = axes(*operands[0].shape)
    return Formula.make(index, function(*(operand[index] for operand in operands)))
