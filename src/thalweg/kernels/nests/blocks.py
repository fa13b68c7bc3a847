"""Long sums are added up in blocks, so that their error does not grow with their length.

    before:  for k < 100000:                  s += a[k]
    after:   for each 512 values of k:        t += s;  s = 0
                 for k of the block:          s += a[k]
             s = t + s

A term then meets some hundreds of roundings instead of all. Where there are more blocks than a
block has terms, the blocks' sums are added up in blocks too, and so on. Where blocks begin depends
on the extents alone, so that all schedules of a nest give the same bits. Several reduced axes are
blocked along the one at which the terms become too many.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.base.dims import Dim
from thalweg.base.record import Record
from thalweg.formula import Axis, Reduce

BLOCK = 512  # terms that are added one after the other; a power of two
LEVELS = 2  # of blocks along an axis whose extent may be anything


class Level(Record, eq=False):
    """Blocks of a sum along one of its axes.

    Attributes:
        axis: along which they lie.
        length: how many values of the axis a block has.
    """

    axis: Axis
    length: int


def is_blocked(reduce: Reduce) -> bool:
    """Whether a reduction rounds, so that it is better added up in blocks."""
    return reduce.combiner == "sum" and reduce.body.dtype.is_floating


def levels(axes: Sequence[Axis], vector: Axis | None = None, lanes: int = 1) -> list[Level]:
    """The blocks of a sum over axes, outermost first; smaller blocks come before larger ones.

    Args:
        axes: in the order of the loops.
        vector: the one whose values are spread over the lanes, if one is.
        lanes: how many, each of which has a sum of its own.
    """
    found: list[Level] = []
    terms = 1  # of the sums at the last level
    for axis in reversed(axes):
        length, own = (lanes if axis is vector else 1), 0
        is_open = isinstance(axis.extent, Dim)
        left = 1 if is_open else -(-int(axis.extent) // length)
        while own < LEVELS if is_open else terms * left > BLOCK:
            size = 1 << (BLOCK // terms).bit_length() - 1
            length, left, terms, own = length * size, -(-left // size), 1, own + 1
            found.append(Level(axis, length))
        terms *= max(left, 1)  # an empty axis is summed as one of a single term
    return found
