"""Which number of threads is fastest, found out while the work is done."""

from __future__ import annotations

from collections.abc import Sequence

FORGET = 0.99  # of what was measured, a measurement


class Trial:
    """Chooses among numbers of threads by the time that work took.

    What was not tried lately is thought of as a little faster each time, so that it is tried again:
    twice as slow, it costs one try in 70, and one that is almost as fast hardly costs anything. So
    the choice follows a machine that becomes busy, and one that ceases to be.

    Args:
        options: numbers of threads, tried first in this order.
    """

    def __init__(self, options: Sequence[int]) -> None:
        self._seconds = dict.fromkeys(options, 0.0)

    def choose(self) -> int:
        """The number of threads to use now."""
        return min(self._seconds, key=self._seconds.__getitem__)

    def took(self, threads: int, seconds: float) -> None:
        """Note that a unit of work took so long with so many threads."""
        for option in self._seconds:
            self._seconds[option] *= FORGET
        self._seconds[threads] = seconds
