"""Which axes the value of an expression depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from thalweg.formula import (
    Affine,
    Apply,
    Axis,
    Combination,
    Expr,
    Position,
    Read,
    Reduce,
)

IndexTerm = tuple[Axis | Expr, int]  # of an index: atom and factor
NOTHING_CHANGES: Mapping[int, Iterable[Axis]] = MappingProxyType({})


class Dependence:
    """Finds axes, and remembers those of every expression; a reduction's own do not count.

    Args:
        changing: by slot, the axes along which its memory changes while it is read.
    """

    def __init__(self, changing: Mapping[int, Iterable[Axis]] = NOTHING_CHANGES) -> None:
        self._changing = changing
        self._known: dict[int, tuple[Expr, frozenset[Axis]]] = {}

    def __call__(self, expr: Expr) -> frozenset[Axis]:
        if id(expr) not in self._known:  # an id is good while its object lives
            self._known[id(expr)] = expr, self._find(expr)
        return self._known[id(expr)][1]

    def of(self, terms: Sequence[IndexTerm]) -> frozenset[Axis]:
        """The axes that a sum of terms depends on."""
        axes: set[Axis] = set()
        for atom, _ in terms:
            if isinstance(atom, Expr):
                axes |= self(atom)
            else:
                axes.add(atom)
        return frozenset(axes)

    def is_contiguous(self, index: Affine, axis: Axis) -> bool:
        """Whether neighbouring values of an axis are neighbours in memory."""
        jumps = any(isinstance(a, Expr) and axis in self(a) for a, _ in index.terms)
        return not jumps and index.coefficient(axis) == 1

    def _find(self, expr: Expr) -> frozenset[Axis]:
        match expr:
            case Read():
                return self.of(expr.index[0].terms).union(self._changing.get(expr.source, ()))
            case Position():
                return self.of(expr.index.terms)
            case Apply():
                return frozenset[Axis]().union(*map(self, expr.args))
            case Reduce():
                return self(expr.body) - frozenset(expr.axes)
            case Combination():
                return frozenset[Axis]((expr.axis,)).union(*map(self, expr.terms))
        return frozenset()
