"""Amounts and lines for people."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["aligned", "amount", "cut"]


def amount(number: float) -> str:
    """Three digits and a unit's prefix: "12.3 M"; "432 " where there is none."""
    if number < 999.5:
        return f"{round(number)} "
    value, prefixes = number / 1000, iter("kMGTPE")
    prefix = next(prefixes)
    while value >= 999.5:
        value, prefix = value / 1000, next(prefixes)
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {prefix}"


def cut(line: str, width: int) -> str:
    """A line of at most so many characters."""
    return line if len(line) <= width else line[: max(width - 3, 1)] + "..."


def aligned(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """The rows of a table as lines.

    Args:
        rows: of as many cells each.
        left: the numbers of the columns that begin on one place; the others end on one.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        texts = [c.ljust(w) if n in left else c.rjust(w) for n, (c, w) in enumerate(cells)]
        lines.append("  ".join(texts).rstrip())
    return lines
