"""Place temporaries in one arena so that those alive at different times share memory."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thalweg.kernels.values import Value

ALIGNMENT = 64  # bytes: a cache line, and a full vector register

Life = tuple[int, int]  # the first and the last kernel that touches a value
Block = tuple[int, int, Life]  # of the arena: start, end, and the life of the value there


@dataclass(frozen=True)
class Arena:
    """Where each temporary lies.

    Attributes:
        offsets: in bytes.
        size: of the whole arena, in bytes.
    """

    offsets: Mapping[Value, int]
    size: int


NOTHING = Arena({}, 0)


def plan_memory(kernels: Sequence[tuple[Sequence[Value], Sequence[Value]]]) -> Arena:
    """Offsets for the temporaries that kernels read and write.

    The largest are placed first, each at the lowest place that is free all through its life.

    Args:
        kernels: for every kernel, in order, the temporaries that it reads and those it writes.
    """
    lives = _lifetimes(kernels)
    offsets: dict[Value, int] = {}
    blocks: list[Block] = []
    for value in sorted(lives, key=lambda v: (-v.bytes, lives[v])):
        needed = _padded(value)
        start = offsets[value] = _lowest_gap(needed, lives[value], blocks)
        insort(blocks, (start, start + needed, lives[value]))
    return Arena(offsets, max((end for _, end, _ in blocks), default=0))


def _lifetimes(
    kernels: Sequence[tuple[Sequence[Value], Sequence[Value]]],
) -> dict[Value, Life]:
    lives: dict[Value, Life] = {}
    for number, (read, written) in enumerate(kernels):
        for value in (*read, *written):
            first, _ = lives.get(value, (number, number))
            lives[value] = (first, number)
    return lives


def _padded(value: Value) -> int:
    return -(-max(value.bytes, 1) // ALIGNMENT) * ALIGNMENT


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
