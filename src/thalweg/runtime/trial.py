"""Which number of threads is fastest, found out while the work is done."""

from __future__ import annotations

from collections.abc import Sequence

WEIGHT = 0.5  # of the latest measurement in what is expected
SUDDEN = 1.5  # times as long as expected: no more is believed, since an interrupt can cost anything
DOUBT = 4.0  # times as long as another option: no more is believed of what was measured once
BURST = 16  # times for which a choice stays


class Trial:
    """Chooses among numbers of threads by the time that work took.

    What was not tried lately is thought of as a little faster each time, so that it is tried again:
    with patience 0.992, what is twice as slow costs one try in 87, and what is almost as fast costs
    hardly anything. So the choice follows a machine that becomes busy, and one that ceases to be.
    The first time of each option is not believed: threads may have had to start for it. Nor is the
    second, if it is more than four times that of another: it may have met another process.

    Args:
        options: numbers of threads, tried first in this order.
        patience: the factor by which an option seems faster for each time that it is not tried.
    """

    def __init__(self, options: Sequence[int], patience: float = 0.992) -> None:
        self._expected = dict.fromkeys(options, 0.0)  # seconds; 0 for not known
        self._seeming = dict.fromkeys(options, 0.0)  # the same, less what time has taken off
        self._unwarmed = set(options)
        self._fresh = set(options)  # believed once at most
        self._doubted: set[int] = set()  # what was measured of them is not what is expected
        self._patience = patience

    def choose(self) -> int:
        """The number of threads to use now."""
        return min(self._seeming, key=self._seeming.__getitem__)

    def took(self, threads: int, seconds: float) -> None:
        """Note that a unit of work took so long with so many threads."""
        if threads in self._unwarmed:
            self._unwarmed.remove(threads)
            return
        for option in self._seeming:
            self._seeming[option] *= self._patience
        expected = self._expected[threads]
        if expected:
            self._fresh.discard(threads)
        if not expected or threads in self._doubted:
            self._doubted.discard(threads)
            expected = seconds
        surprise = min(seconds, SUDDEN * expected) - expected
        self._set(threads, expected + WEIGHT * surprise)
        self._doubt(DOUBT * min(filter(None, self._expected.values())))

    def _doubt(self, most: float) -> None:
        """Believe no more than that of what was measured once."""
        for option in [o for o in self._fresh if self._expected[o] > most]:
            self._fresh.remove(option)
            self._doubted.add(option)
            self._set(option, most)

    def _set(self, threads: int, seconds: float) -> None:
        self._expected[threads] = self._seeming[threads] = seconds


class BurstTrial:
    """A trial for short work that comes in quick succession.

    It stays with a choice for a burst and measures the second half, when the caches have followed.

    Args:
        options: as for `Trial`.
    """

    def __init__(self, options: Sequence[int]) -> None:
        self._trial = Trial(options)
        self._left = 0
        self._threads = 1
        self._seconds = 0.0

    def choose(self) -> int:
        """The number of threads to use now."""
        if not self._left:
            self._left, self._seconds = BURST, 0.0
            self._threads = self._trial.choose()
        return self._threads

    def took(self, seconds: float) -> None:
        """Note that the work took so long."""
        self._left -= 1
        if self._left < BURST // 2:
            self._seconds += seconds
        if not self._left:
            self._trial.took(self._threads, self._seconds)
