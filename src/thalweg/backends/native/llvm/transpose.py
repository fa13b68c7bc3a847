"""Blocks of memory whose rows lie across vectors: they are transposed in registers.

A tile's vectors may run along another axis than memory does. Lane by lane, such a vector takes as
many loads or stores as it has lanes. Where a tile has several neighbours along memory's axis, a
block of them is moved row by row instead, and transposed: two shuffles for each vector of four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from thalweg.backends.native.llvm.builder import Builder
from thalweg.backends.native.llvm.ssa import SsaValue, Type
from thalweg.kernels.schedules.model import SHUFFLED

Place = Callable[[int, int], SsaValue]  # the address of an element, by its row and column


def load_columns(b: Builder, kind: Type, count: int, place: Place, used: int) -> list[SsaValue]:
    """So many vectors, neighbours in memory, of which each lane is in a row of its own.

    Lanes from `used` on are 0.
    """
    made: list[SsaValue] = []
    for first, width in _pieces(count, kind):
        piece = Type(kind.element, width)
        rows = [b.load(piece, place(row, first)) for row in range(used)]
        rows += [SsaValue(b, piece, "zeroinitializer")] * (kind.lanes - used)
        made += _transposed([_joined(rows[n::width]) for n in range(width)])
    return made


def store_columns(columns: Sequence[SsaValue], place: Place, used: int) -> None:
    """Store vectors, neighbours in memory, of which each lane below `used` has a row of its own."""
    b, kind = columns[0].builder, columns[0].type
    for first, width in _pieces(len(columns), kind):
        for n, rows in enumerate(_transposed(columns[first : first + width])):
            for at, row in enumerate(range(n, used, width)):
                part = b.shuffle(rows, rows, range(at * width, (at + 1) * width))
                b.store(part, place(row, first))


def _pieces(count: int, kind: Type) -> Iterator[tuple[int, int]]:
    """First columns and widths of blocks that together have so many columns."""
    first, width = 0, min(max(1, SHUFFLED * 8 // kind.bits), kind.lanes)
    while first < count:
        while first + width > count:
            width //= 2
        yield first, width
        first += width


def _joined(parts: Sequence[SsaValue]) -> SsaValue:
    """Vectors one after the other in one; their number is a power of two."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = _joined(parts[:half]), _joined(parts[half:])
    return left.builder.shuffle(left, right, range(2 * left.type.lanes))


def _transposed(vectors: Sequence[SsaValue]) -> list[SsaValue]:
    """Each block of as many lanes as there are vectors, a power of two, transposed.

    What is in lane `n` of a block of vector `m` comes to lane `m` of the same block of vector `n`.
    To interleave the first half of the vectors with the second does it, if done as often as the
    number can be halved (Stone 1971).
    """
    width, left = len(vectors), list(vectors)
    lanes = range(vectors[0].type.lanes)
    low = [n - n % width + n % width // 2 + n % 2 * len(lanes) for n in lanes]
    high = [n + width // 2 for n in low]
    for _ in range(width.bit_length() - 1):
        pairs = zip(left[: width // 2], left[width // 2 :], strict=True)
        left = [a.builder.shuffle(a, b, chosen) for a, b in pairs for chosen in (low, high)]
    return left
