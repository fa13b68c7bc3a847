"""Expressions: what is computed for one element, as a tree that never changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.formula.functions import FUNCTIONS
from thalweg.formula.indices import Affine, Axis, Index, affine


class Expr:
    """A node of a body. Arithmetic on expressions makes larger ones; numbers become constants.

    What is found by walking an expression is remembered on it, for it never changes.
    """

    dtype: DType

    @property
    def children(self) -> tuple[Expr, ...]:
        """The expressions directly inside, those in indices too."""
        return ()

    @property
    def every(self) -> tuple[Expr, ...]:
        """All that it is made of, once each, inner ones first; itself is the last."""
        return (*self._inside, self)

    @cached_property
    def _inside(self) -> tuple[Expr, ...]:
        return tuple(walk(self)[:-1])

    @cached_property
    def _found(self) -> tuple[tuple[Read, ...], tuple[Reduce, ...]]:
        every = self.every
        reads = tuple([e for e in every if type(e) is Read])
        return reads, tuple([e for e in every if type(e) is Reduce])

    @property
    def reads(self) -> tuple[Read, ...]:
        """Every read inside, or the read itself; inner ones first."""
        return self._found[0]

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        """Every reduction inside, or the reduction itself; inner ones first."""
        return self._found[1]

    @property
    def parts(self) -> int:
        """How many expressions it is made of, itself among them."""
        return len(self._inside) + 1

    def __add__(self, other: Expr | float) -> Expr:
        return apply("add", self, other)

    def __radd__(self, other: Expr | float) -> Expr:
        return apply("add", other, self)

    def __sub__(self, other: Expr | float) -> Expr:
        return apply("sub", self, other)

    def __rsub__(self, other: Expr | float) -> Expr:
        return apply("sub", other, self)

    def __mul__(self, other: Expr | float) -> Expr:
        return apply("mul", self, other)

    def __rmul__(self, other: Expr | float) -> Expr:
        return apply("mul", other, self)

    def __truediv__(self, other: Expr | float) -> Expr:
        return apply("div", self, other)

    def __neg__(self) -> Expr:
        return apply("neg", self)


class Const(Expr, Record, eq=False):
    """A number known to the compiler."""

    value: float
    dtype: DType


class Read(Expr, Record, eq=False):
    """One element of a source: an operand's number in an op's own formula, a buffer later on."""

    source: Any
    index: tuple[Affine, ...]
    dtype: DType

    @cached_property
    def children(self) -> tuple[Expr, ...]:
        return expressions(*self.index)


class Position(Expr, Record, eq=False):
    """The value of an index, as an integer."""

    index: Affine
    dtype: DType = dtypes.int64

    @property
    def children(self) -> tuple[Expr, ...]:
        return expressions(self.index)


class Apply(Expr, Record, eq=False):
    """A scalar function of other expressions, by its name in `FUNCTIONS`."""

    function: str
    args: tuple[Expr, ...]
    dtype: DType

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.args


class Reduce(Expr, Record, eq=False):
    """`combiner` over all values of `axes`: sum, prod, max, min, any, all, argmax or argmin."""

    combiner: str
    axes: tuple[Axis, ...]
    body: Expr
    dtype: DType

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.body,)


class Combination(Expr, Record, eq=False):
    """`sum over b of table[row][b] * terms[b]`: a row of a constant matrix times some terms.

    The row is an axis whose values are all unrolled, so that the coefficients are constants of the
    code: a 0 leaves its term out, and a 1 needs no multiplication.
    """

    row: Affine
    table: tuple[tuple[float, ...], ...]
    terms: tuple[Expr, ...]
    dtype: DType

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.terms

    @property
    def axis(self) -> Axis:
        """The axis that is the row."""
        ((atom, factor),) = self.row.terms
        assert isinstance(atom, Axis)
        assert factor == 1
        return atom


def constant(value: float, dtype: DType) -> Expr:
    """A number as an expression; one that varies from run to run is no part of the code."""
    return Position(affine(value), dtype) if isinstance(value, Dim) else Const(value, dtype)


def apply(function: str, *args: Expr | float, dtype: DType | None = None) -> Expr:
    """Apply a scalar function; unless given, the type is the function's, or that of the last."""
    kinds = [arg.dtype for arg in args if isinstance(arg, Expr)]
    operands = tuple(a if isinstance(a, Expr) else constant(a, kinds[-1]) for a in args)
    return Apply(function, operands, dtype or FUNCTIONS[function].result or kinds[-1])


def where(condition: Expr, then: Expr | float, other: Expr | float) -> Expr:
    """`then` where the condition holds, else `other`.

    If the condition is of indices alone (`is_of_indices`), the one not taken is not read.
    """
    branches = [x for x in (then, other) if isinstance(x, Expr)]
    return apply("select", condition, then, other, dtype=branches[0].dtype)


def cast(value: Expr, dtype: DType) -> Expr:
    """The value converted as NumPy's `astype` would."""
    return value if value.dtype == dtype else Apply("cast", (value,), dtype)


def reduce(combiner: str, axes: Sequence[Axis], body: Expr, dtype: DType | None = None) -> Expr:
    """Combine the body over the axes."""
    return Reduce(combiner, tuple(axes), body, dtype or body.dtype)


def sum_over(axes: Sequence[Axis], body: Expr) -> Expr:
    """The sum of the body over the axes."""
    return reduce("sum", axes, body)


def is_of_indices(condition: Expr) -> bool:
    """Whether a condition compares indices, of which some may be read, and nothing else.

    What such a choice does not take is not read; one that goes by data reads both.
    """
    match condition:
        case Position() | Const():
            return True
        case Apply():
            return all(map(is_of_indices, condition.args))
    return False


def inside(index: Index, extent: int) -> Expr:
    """Whether `0 <= index < extent`."""
    position = Position(affine(index))
    return apply("and", apply("ge", position, 0), apply("lt", position, extent))


def expressions(*index: Affine) -> tuple[Expr, ...]:
    """The expressions that indices add up, which are read from memory as a rule."""
    return tuple([atom for at in index for atom, _ in at.terms if isinstance(atom, Expr)])


def walk(*roots: Expr) -> list[Expr]:
    """Every expression reachable from the roots, once each, inner ones first."""
    seen: dict[int, Expr] = {}
    left = list(reversed(roots))
    while left:
        expr = left[-1]
        inner: list[Expr] = []
        if id(expr) not in seen:
            for child in expr.children:
                if id(child) in seen:
                    continue
                if inner or child.children:
                    inner.append(child)
                else:  # as most are: it need not be looked at again
                    seen[id(child)] = child
        if inner:
            left += reversed(inner)
        else:
            seen[id(expr)] = left.pop()
    return list(seen.values())
