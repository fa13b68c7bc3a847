"""Which checkpoints of a folder are kept: the latest few, and one every some hours for good."""

from __future__ import annotations

import time
from collections.abc import Iterable

from thalweg.saving.checkpoint import get_checkpoint_mtimes

__all__ = ["Retention"]

_HOUR = 3600.0


class Retention:
    """The checkpoints that a saver has written, the oldest first.

    Args:
        most: how many are kept; all of them if it is 0 or None.
        hours: one in so many hours is kept for good.

    Attributes:
        kept: their prefixes, and when each was written, in seconds since 1970.
        preserved: when the latest was written that is kept for good; 0 if none is.
    """

    def __init__(self, most: int | None, hours: float) -> None:
        self._most, self._hours = most or 0, hours
        self._next = time.time() + hours * _HOUR
        self.kept: list[tuple[str, float]] = []
        self.preserved = 0.0

    def add(self, prefix: str) -> list[str]:
        """Note a checkpoint that has been written; the prefixes of those that are to go."""
        if not self._most:
            return []
        self.kept = [pair for pair in self.kept if pair[0] != prefix] + [(prefix, time.time())]
        old, self.kept = self.kept[: -self._most], self.kept[-self._most :]
        return [path for path, written in old if not self._is_preserved(written)]

    def recover(self, prefixes: Iterable[str]) -> None:
        """Take over checkpoints that an earlier process has written, as far as they are there."""
        found = [(prefix, get_checkpoint_mtimes([prefix])) for prefix in prefixes]
        self.kept = [(prefix, times[0]) for prefix, times in found if times]

    def _is_preserved(self, written: float) -> bool:
        if written <= self._next:
            return False
        self._next += self._hours * _HOUR
        self.preserved = written
        return True
