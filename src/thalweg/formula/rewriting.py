"""Rebuilding expressions with some of their parts replaced."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping

from thalweg.formula.expressions import Apply, Combination, Expr, Position, Read, Reduce
from thalweg.formula.indices import Affine, Axis, Index, affine, combination


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
