"""Place temporaries in one arena so that those alive at different times share memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from thalweg.base.record import Record
from thalweg.kernels.values import Value

ALIGNMENT = 64  # bytes: a cache line, and a full vector register

Life = tuple[int, int]  # the first and the last kernel that touches a value
Lives = Mapping[Value, Life]


class Arena(Record):
    """Where each temporary lies.

    Attributes:
        offsets: in bytes.
        size: of the whole arena, in bytes.
    """

    offsets: Mapping[Value, int]
    size: int


NOTHING = Arena({}, 0)


def plan_memory(lives: Lives, bytes_of: Callable[[Value], int]) -> Arena:
    """Offsets for temporaries.

    The largest are placed first, each at the lowest place that is free all through its life.

    Args:
        lives: of all temporaries.
        bytes_of: the size of one.
    """
    offsets: dict[Value, int] = {}
    blocks = _Blocks(len(lives))
    sizes = {value: bytes_of(value) for value in lives}
    for value in sorted(lives, key=lambda v: (-sizes[v], lives[v])):
        offsets[value] = blocks.place(_padded(sizes[value]), lives[value])
    return Arena(offsets, blocks.end)


def lifetimes(kernels: Sequence[tuple[Sequence[Value], Sequence[Value]]]) -> Lives:
    """From which kernel to which each temporary is needed.

    Args:
        kernels: for every kernel, in order, the temporaries that it reads and those it writes.
    """
    lives: dict[Value, Life] = {}
    for number, (read, written) in enumerate(kernels):
        for value in (*read, *written):
            first, _ = lives.get(value, (number, number))
            lives[value] = (first, number)
    return lives


def _padded(size: int) -> int:
    return -(-max(size, 1) // ALIGNMENT) * ALIGNMENT


class _Blocks:
    """The parts of the arena that are taken.

    Args:
        most: how many there will be.

    Attributes:
        end: of the last one.
    """

    def __init__(self, most: int) -> None:
        self.end = 0
        self._table = np.zeros((4, most), np.int64)  # starts, in order, ends, and lives
        self._count = 0

    def place(self, needed: int, life: Life) -> int:
        """The lowest place of that size where nothing lies that is alive at the same time."""
        start = self._lowest_gap(needed, *life)
        self.end = max(self.end, start + needed)
        table, count = self._table, self._count
        at = int(table[0, :count].searchsorted(start))
        table[:, at + 1 : count + 1] = table[:, at:count].copy()
        table[:, at] = (start, start + needed, *life)
        self._count += 1
        return start

    def _lowest_gap(self, needed: int, first: int, last: int) -> int:
        starts, ends, born, dead = self._table[:, : self._count]
        near = ((born <= last) & (first <= dead)).nonzero()[0]
        if not near.size:
            return 0
        free = np.zeros(near.size + 1, np.int64)  # where what is before each of them ends
        np.maximum.accumulate(ends[near], out=free[1:])
        fits = starts[near] - free[:-1] >= needed
        found = int(fits.argmax())
        return int(free[found] if fits[found] else free[-1])
