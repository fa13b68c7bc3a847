"""Place temporaries in one arena so that those alive at different times share memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thalweg.kernels.values import Value

ALIGNMENT = 64  # bytes: a cache line, and a full vector register


@dataclass(frozen=True)
class Arena:
    """Where each temporary lies.

    Attributes:
        offsets: in bytes.
        size: of the whole arena, in bytes.
    """

    offsets: Mapping[Value, int]
    size: int


def plan_memory(kernels: Sequence[tuple[Sequence[Value], Sequence[Value]]]) -> Arena:
    """Offsets for the temporaries that kernels read and write.

    The largest are placed first, each at the lowest place that is free all through its life.

    Args:
        kernels: for every kernel, in order, the temporaries that it reads and those it writes.
    """
    lives = _lifetimes(kernels)
    offsets: dict[Value, int] = {}
    for value in sorted(lives, key=lambda v: (-v.bytes, lives[v])):
        offsets[value] = _lowest_gap(value, lives, offsets)
    return Arena(offsets, max((offsets[v] + _padded(v) for v in offsets), default=0))


def _lifetimes(
    kernels: Sequence[tuple[Sequence[Value], Sequence[Value]]],
) -> dict[Value, tuple[int, int]]:
    """The first and the last kernel that touches each value."""
    lives: dict[Value, tuple[int, int]] = {}
    for number, (read, written) in enumerate(kernels):
        for value in (*read, *written):
            first, _ = lives.get(value, (number, number))
            lives[value] = (first, number)
    return lives


def _padded(value: Value) -> int:
    return -(-max(value.bytes, 1) // ALIGNMENT) * ALIGNMENT


def _lowest_gap(
    value: Value, lives: Mapping[Value, tuple[int, int]], placed: Mapping[Value, int]
) -> int:
    first, last = lives[value]
    rivals = sorted(
        (offset, offset + _padded(other))
        for other, offset in placed.items()
        if lives[other][0] <= last and first <= lives[other][1]
    )
    place, needed = 0, _padded(value)
    for start, end in rivals:
        if start - place >= needed:
            break
        place = max(place, end)
    return place
