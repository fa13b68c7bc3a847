"""Indices: sums of index variables and of integer expressions, with integer factors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Union

from thalweg.base.record import Record
from thalweg.base.shapes import size

if TYPE_CHECKING:
    from thalweg.formula.expressions import Expr


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


def axes(*extents: int, names: str = "ijklmnopqrstuvw") -> tuple[Axis, ...]:
    """One new axis for every extent: i, j and so on, and i1 after the last of the names."""

    def name(n: int) -> str:
        again, place = divmod(n, len(names))
        return f"{names[place]}{again or ''}"

    return tuple(Axis(extent, name(n)) for n, extent in enumerate(extents))


def iterations(over: Iterable[Axis]) -> int:
    """How many points the axes have together."""
    return size([axis.extent for axis in over])
