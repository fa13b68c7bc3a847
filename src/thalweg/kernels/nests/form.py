"""The form of a kernel's definitions: what its nest follows from, whichever values it reads.

    y[i] = max(a[i] + b[i], 0) for i<64
    z[j] = max(c[j] + d[j], 0) for j<64       the same form: their nests differ only in the slots

The layers of a network and the steps of a recurrent one have the same few forms again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from thalweg.base.dims import Dim, plain
from thalweg.base.record import Record
from thalweg.formula import (
    Affine,
    Apply,
    Axis,
    Combination,
    Const,
    Expr,
    Position,
    Read,
    Reduce,
    expressions,
    walk,
)
from thalweg.kernels.values import Definition, Value


class Form(Record, eq=False):
    """What members have in common with others of their form, and what is their own.

    Attributes:
        key: equal for members whose nests differ in slots and names of operations alone.
        values: those that the members read and define, in the same order for each of a form.
    """

    key: Hashable
    values: tuple[Value, ...]


def form_of(members: Sequence[Definition], needed: Callable[[Value], bool]) -> Form:
    """The form of definitions over one index space.

    Args:
        members: as for `make_nest`.
        needed: as for `make_nest`.
    """
    writer = _Writer()
    for member in members:
        writer.member(member, needed(member.value))
    return Form(tuple(writer.key), tuple(writer.values))


class _Writer:
    """Writes definitions down with values, axes and expressions by number, as they come."""

    def __init__(self) -> None:
        self.key: list[Hashable] = []
        self.values: dict[Value, int] = {}
        self._memory: dict[object, int] = {}
        self._axes: dict[Axis, int] = {}
        self._exprs: dict[int, int] = {}

    def member(self, member: Definition, is_needed: bool) -> None:
        self._write(walk(member.body, *expressions(*member.store)))
        value, axes = self._value(member.value), tuple(map(self._axis, member.axes))
        when = tuple([self._value(word.source) for word in member.when])
        body = self._exprs[id(member.body)]
        store = self._index(member.store)
        self.key += (is_needed, value, axes, store, body, when, member.replaces)

    def _write(self, exprs: Iterable[Expr]) -> None:
        for expr in exprs:
            if id(expr) not in self._exprs:
                self.key.append((type(expr).__name__, expr.dtype.name, *self._parts(expr)))
                self._exprs[id(expr)] = len(self._exprs)

    def _parts(self, expr: Expr) -> tuple[Hashable, ...]:
        match expr:
            case Apply():
                return expr.function, *[self._exprs[id(arg)] for arg in expr.args]
            case Read():
                return self._value(expr.source), self._index(expr.index)
            case Const():
                return (repr(expr.value),)  # -0.0 equals 0.0
            case Position():
                return (self._index((expr.index,)),)
            case Reduce():
                axes = tuple(map(self._axis, expr.axes))
                return expr.combiner, axes, self._exprs[id(expr.body)]
            case Combination():
                terms = [self._exprs[id(term)] for term in expr.terms]
                return self._index((expr.row,)), expr.table, *terms
        raise AssertionError(expr)

    def _index(self, index: Sequence[Affine]) -> tuple[Hashable, ...]:
        return tuple(
            [
                (_number(at.constant), *[(self._atom(a), _number(by)) for a, by in at.terms])
                for at in index
            ]
        )

    def _atom(self, atom: Axis | Expr) -> int:
        return self._axis(atom) if isinstance(atom, Axis) else -1 - self._exprs[id(atom)]

    def _axis(self, axis: Axis) -> int:
        if axis not in self._axes:
            self._axes[axis] = len(self._axes)
            self.key.append((axis.name, _number(axis.extent)))
        return self._axes[axis]

    def _value(self, value: Value) -> int:
        number = self.values.get(value)
        if number is None:
            root = value.root
            owner = None if root is value else self._value(root)
            number = self.values[value] = len(self.values)
            self.key.append((owner, *self._memory_of(root), *_described(value)))
        return number

    def _memory_of(self, root: Value) -> tuple[Hashable, ...]:
        """What tells which values share memory, and how it is kept."""
        storage = root.storage
        key = root if storage is None else storage
        return type(storage).__name__, self._memory.setdefault(key, len(self._memory))


def _described(value: Value) -> tuple[Hashable, ...]:
    return value.dtype.name, value.panel, *map(_number, value.shape)


def _number(number: int) -> Hashable:
    """A number that equals only itself: varying ones are told apart by what they follow from."""
    return (plain(number), number.node) if isinstance(number, Dim) else number
