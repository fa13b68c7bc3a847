"""Place temporaries in one arena so that those alive at different times share memory."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping, Sequence

from thalweg.base.record import Record
from thalweg.kernels.values import Value

ALIGNMENT = 64  # bytes: a cache line, and a full vector register

Life = tuple[int, int]  # the first and the last kernel that touches a value
Lives = Mapping[Value, Life]
Block = tuple[int, int, Life]  # of the arena: start, end, and the life of the value there


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
    blocks: list[Block] = []
    sizes = {value: bytes_of(value) for value in lives}
    for value in sorted(lives, key=lambda v: (-sizes[v], lives[v])):
        needed = _padded(sizes[value])
        start = offsets[value] = _lowest_gap(needed, lives[value], blocks)
        insort(blocks, (start, start + needed, lives[value]))
    return Arena(offsets, max((end for _, end, _ in blocks), default=0))


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


def _lowest_gap(needed: int, life: Life, blocks: Sequence[Block]) -> int:
    """The lowest place of that size where no block lies that is alive at the same time."""
    first, last = life
    place = 0
    for start, end, (born, dead) in blocks:
        if born <= last and first <= dead:
            if start - place >= needed:
                break
            place = max(place, end)
    return place
