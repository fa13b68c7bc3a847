"""Concatenate values without a choice among them for each element.

    before:  a[i] = ...   b[i] = ...   c[i] = a[i] if i < 5 else b[i - 5] if i < 8 else d[i - 8]
    after:   a[i] = ...   b[i] = ...   c[8 + i] = d[i]          a is c[0:5], and b is c[5:8]

Along the first axis a value can be computed in its place. One that cannot, since what a run is fed,
say, lies elsewhere, is copied there by a kernel of its own, or as `copy_where_computed.py` says.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.base.record import Record
from thalweg.base.shapes import same_shape, typical_size
from thalweg.formula import (
    Apply,
    Axis,
    Const,
    Expr,
    Index,
    Position,
    Read,
    Rewrite,
    affine,
)
from thalweg.kernels.values import Definition, PartMemory, Temporary, Value

MIN_PIECES = 4  # pieces that are worth a kernel for each one that is copied
MIN_ELEMENTS = 4096  # elements of all pieces from which on that is


class _Piece(Record):
    """Where a definition's value is one expression: from `first` on along the axis `at`."""

    body: Expr
    at: int
    first: int
    extent: int


def is_concatenation(definition: Definition) -> bool:
    """Whether all that a definition does is to put values one after the other."""
    pieces = _pieces(definition)
    if len(pieces) >= MIN_PIECES:
        return True
    return bool(pieces) and all(_whole(piece, definition.axes) for piece in pieces)


def concatenate_in_place(definition: Definition) -> list[Definition]:
    """What is left to do of a concatenation, once values lie in it that can.

    Args:
        definition: whose value, and those that it reads, have their memory by now.
    """
    pieces = _pieces(definition)
    wholes = [_whole(piece, definition.axes) for piece in pieces]
    free = {value for value in wholes if value is not None and _is_free(value, definition.value)}
    few = len(free) < len(pieces) < MIN_PIECES
    if not pieces or few or not isinstance(definition.value.storage, Temporary):
        return [definition]
    left: list[Definition] = []
    for piece, value in zip(pieces, wholes, strict=True):
        if value is not None and value in free:
            value.storage = PartMemory(definition.value, piece.first)
            free.discard(value)  # where it occurs again it is copied
        else:
            left.append(_copy(definition, piece))
    return left


def _is_free(value: Value, whole: Value) -> bool:
    """Whether nobody else decides where a value lies."""
    own = isinstance(value.storage, Temporary) and value.base is None and not value.panel
    return own and value.dtype == whole.dtype


def _copy(old: Definition, piece: _Piece) -> Definition:
    """The definition of one piece alone."""
    axes = [Axis(axis.extent, axis.name) for axis in old.axes]
    axes[piece.at] = Axis(piece.extent, old.axes[piece.at].name)
    moved: dict[Axis, Index] = dict(zip(old.axes, axes, strict=True))
    moved[old.axes[piece.at]] = axes[piece.at] + piece.first
    rewrite = Rewrite(axes=moved)
    store = tuple(map(rewrite.index, old.store))
    body, after = rewrite(piece.body), set(old.after)
    return Definition(old.value, tuple(axes), body, store, old.order, old.ops, after)


def _pieces(definition: Definition) -> list[_Piece]:
    """The pieces that a definition puts one after the other along an axis, if it does."""
    value = definition.value
    if not definition.stores_in_place or value.panel or typical_size(value.shape) < MIN_ELEMENTS:
        return []
    return next(filter(None, (_along(definition, n) for n in range(len(definition.axes)))), [])


def _along(definition: Definition, at: int) -> list[_Piece]:
    axis, body = definition.axes[at], definition.body
    found: list[_Piece] = []
    first = 0
    while choice := _choice(body, axis):
        bound, piece, body = choice
        found.append(_Piece(piece, at, first, bound - first))
        first = bound
    return [*found, _Piece(body, at, first, axis.extent - first)] if found else []


def _choice(body: Expr, axis: Axis) -> tuple[int, Expr, Expr] | None:
    """The bound and the cases of an expression that depends on whether the axis is below it."""
    if not isinstance(body, Apply) or body.function != "select":
        return None
    condition, inside, rest = body.args
    if not isinstance(condition, Apply) or condition.function != "lt":
        return None
    place, bound = condition.args
    if not isinstance(place, Position) or not place.index.is_axis(axis):
        return None
    if isinstance(bound, Position) and not bound.index.terms:
        return bound.index.constant, inside, rest
    return (int(bound.value), inside, rest) if isinstance(bound, Const) else None


def _whole(piece: _Piece, axes: Sequence[Axis]) -> Value | None:
    """The value that a piece is, if it is all of one and lies in one stretch of memory."""
    read = piece.body
    if piece.at or not isinstance(read, Read) or len(read.index) != len(axes):
        return None
    shape = (piece.extent, *(axis.extent for axis in axes[1:]))
    places = (read.index[0] + piece.first, *read.index[1:])
    direct = all(at == affine(axis) for at, axis in zip(places, axes, strict=True))
    return read.source if direct and same_shape(read.source.shape, shape) else None
