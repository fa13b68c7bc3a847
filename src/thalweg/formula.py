"""Formulas: what an operation computes, written over index variables.

    matmul:  y[m, n] = sum over k of a[m, k] * b[k, n]

A formula has output axes and a body. The body is an expression tree over reads of the operands,
whose indices are affine in the axes (or, for gathers, read from an operand too). The style is that
of Halide (Ragan-Kelley et al. 2013) and TVM's tensor expressions (Chen et al. 2018).

    gather:  y[i, d]     = x[r[i], d]
    scatter: y[r[i], d] += x[i, d]

An index that is read must lie inside, whatever the data: a `Check` says so.

    Expr = Const | Read(operand, index) | Position(index) | Apply(function, args)
         | Reduce(combiner, axes, body) | Combination(row, table, terms)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Union

from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.base.shapes import size


class Axis(Record, eq=False):
    """An index variable that runs over `range(extent)`. Two axes are the same only if identical."""

    extent: int
    name: str = "i"

    def __add__(self, other: Index) -> Affine:
        return affine(self) + other

    __radd__ = __add__

    def __sub__(self, other: Index) -> Affine:
        return affine(self) - other

    def __rsub__(self, other: Index) -> Affine:
        return affine(other) - self

    def __mul__(self, factor: int) -> Affine:
        return affine(self) * factor

    __rmul__ = __mul__


class Affine(Record):
    """An index: `sum of coefficient * atom + constant`; atoms are axes or integer expressions."""

    terms: tuple[tuple[Axis | Expr, int], ...] = ()
    constant: int = 0

    def __add__(self, other: Index) -> Affine:
        return combination([(self, 1), (other, 1)])

    __radd__ = __add__

    def __sub__(self, other: Index) -> Affine:
        return self + affine(other) * -1

    def __rsub__(self, other: Index) -> Affine:
        return affine(other) - self

    def __mul__(self, factor: int) -> Affine:
        return combination([(self, factor)])

    __rmul__ = __mul__

    def coefficient(self, atom: Axis | Expr) -> int:
        """The factor of an axis; 0 if it does not occur."""
        for mine, factor in self.terms:
            if mine is atom:
                return factor
        return 0

    def is_axis(self, axis: Axis | Expr) -> bool:
        """Whether this is just `axis`."""
        if len(self.terms) != 1 or self.constant:
            return False
        atom, factor = self.terms[0]
        return atom is axis and factor == 1


Index = Union[Axis, Affine, "Expr", int]


def affine(index: Index) -> Affine:
    """Anything that may stand in an index, as an `Affine`."""
    if isinstance(index, Affine):
        return index
    if isinstance(index, int):
        return Affine((), index)
    return Affine(((index, 1),), 0)


def combination(parts: Iterable[tuple[Index, int]], constant: int = 0) -> Affine:
    """`sum of factor * index + constant`."""
    terms: dict[Axis | Expr, int] = {}
    for index, factor in parts:
        if isinstance(index, Affine):
            inner, offset = index.terms, index.constant
        elif isinstance(index, int):
            inner, offset = (), index
        else:
            inner, offset = ((index, 1),), 0
        if offset:
            constant = constant + offset * factor
        for atom, own in inner:
            total = terms.get(atom, 0) + own * factor
            if total:
                terms[atom] = total
            else:
                terms.pop(atom, None)
    return Affine(tuple(terms.items()), constant)


def is_identity(index: Sequence[Affine], axes: Sequence[Axis]) -> bool:
    """Whether the index is just the axes, in order."""
    return len(index) == len(axes) and all(map(Affine.is_axis, index, axes))


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
    """A scalar function of other expressions, by name."""

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


COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})


def apply(function: str, *args: Expr | float, dtype: DType | None = None) -> Expr:
    """Apply a scalar function; the type is that of its last expression, or bool for comparisons."""
    kinds = [arg.dtype for arg in args if isinstance(arg, Expr)]
    operands = tuple(a if isinstance(a, Expr) else constant(a, kinds[-1]) for a in args)
    result = dtypes.bool_ if function in COMPARISONS else kinds[-1]
    return Apply(function, operands, dtype or result)


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


def axes(*extents: int, names: str = "ijklmnopqrstuvw") -> tuple[Axis, ...]:
    """One new axis for every extent: i, j and so on, and i1 after the last of the names."""

    def name(n: int) -> str:
        again, place = divmod(n, len(names))
        return f"{names[place]}{again or ''}"

    return tuple(Axis(extent, name(n)) for n, extent in enumerate(extents))


class Formula(Record):
    """`output[store] = body` for every value of the axes.

    `store` is the axes themselves unless given; then `shape` is the output's shape, and every
    element must be written by exactly one value of the axes.

    If one of the store's indices is read, any number of values of the axes may fall on an element:
    they are added up, in the axes' order, and an element that none falls on is 0.
    """

    axes: tuple[Axis, ...]
    body: Expr
    store: tuple[Affine, ...] = ()
    shape: tuple[int, ...] = ()

    @staticmethod
    def make(
        axes: Sequence[Axis],
        body: Expr,
        store: Sequence[Index] | None = None,
        shape: Sequence[int] | None = None,
    ) -> Formula:
        """A formula whose store and shape default to its axes."""
        target = axes if store is None else store
        extents = [a.extent for a in axes] if shape is None else shape
        return Formula(tuple(axes), body, tuple(map(affine, target)), tuple(extents))


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

    def problem(self, place: Sequence[int], value: int) -> str:
        """What is wrong with an element, as TensorFlow says it: `indices[3] = 12 is not in ...`."""
        at = f"[{','.join(str(int(p)) for p in place)}]" if place else ""
        return f"{self.name}{at} = {value} is not in [0, {int(self.limit)})"


class Alias(Record):
    """An output that is the same memory as an operand, perhaps under another shape."""

    operand: int


Lowered = Formula | Alias


def pointwise(function: Callable[..., Expr], *operands: Operand) -> Formula:
    """A formula that applies a function to each element of operands of one shape."""
    index = axes(*operands[0].shape)
    return Formula.make(index, function(*(operand[index] for operand in operands)))


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


class Rewrite:
    """Rebuild expressions bottom-up, replacing axes and reads; shared parts stay shared.

    What does not change is not made again.
    """

    def __init__(
        self,
        axes: Mapping[Axis, Index] | None = None,
        read: Callable[[Read], Expr] | None = None,
    ) -> None:
        self._axes = axes or {}
        self._read = read
        self._done: dict[int, tuple[Expr, Expr]] = {}

    def __call__(self, expr: Expr) -> Expr:
        done = self._done.get(id(expr))
        return self._all(expr) if done is None else done[1]

    def _all(self, expr: Expr) -> Expr:
        """Rebuild what is inside, and then the expression, which may be thousands deep."""
        done = self._done
        for inner in self._order(expr):
            if id(inner) not in done:
                done[id(inner)] = (inner, self._rebuild(inner))
        return done[id(expr)][1]

    def _order(self, expr: Expr) -> Iterable[Expr]:
        """What is rebuilt, inner expressions first; the expression itself is the last."""
        return expr.every

    def index(self, index: Affine) -> Affine:
        """The index with its axes and inner expressions replaced."""
        parts: list[tuple[Index, int]] = []
        same = True
        for atom, factor in index.terms:
            new = self(atom) if isinstance(atom, Expr) else self._axes.get(atom, atom)
            parts.append((new, factor))
            same = same and new is atom
        if same:
            return index
        if index.is_axis(index.terms[0][0]):
            return affine(parts[0][0])
        return combination(parts, index.constant)

    def _rebuild(self, expr: Expr) -> Expr:
        match expr:
            case Apply():
                args = tuple([self(a) for a in expr.args])
                same = all(map(operator.is_, args, expr.args))
                return expr if same else Apply(expr.function, args, expr.dtype)
            case Read():
                index = tuple([self.index(i) for i in expr.index])
                same = all(map(operator.is_, index, expr.index))
                moved = expr if same else Read(expr.source, index, expr.dtype)
                return self._read(moved) if self._read else moved
            case Position():
                at = self.index(expr.index)
                return expr if at is expr.index else Position(at, expr.dtype)
            case Reduce():
                body = self(expr.body)
                same = body is expr.body
                return expr if same else Reduce(expr.combiner, expr.axes, body, expr.dtype)
            case Combination():
                terms = tuple([self(term) for term in expr.terms])
                return Combination(self.index(expr.row), expr.table, terms, expr.dtype)
        return expr


class Replace(Rewrite):
    """Put another expression in the place of one."""

    def __init__(self, old: Expr, new: Expr) -> None:
        super().__init__()
        self._old, self._new = old, new

    def _rebuild(self, expr: Expr) -> Expr:
        return self._new if expr is self._old else super()._rebuild(expr)


def iterations(over: Iterable[Axis]) -> int:
    """How many points the axes have together."""
    return size([axis.extent for axis in over])
