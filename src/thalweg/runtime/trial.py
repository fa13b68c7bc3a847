"""Which number of threads is fastest, found out while the work is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

WEIGHT = 0.5  # of the latest measurement in what is expected
SUDDEN = 1.5  # times as long as expected: no more is believed, since an interrupt can cost anything
BURST = 16  # times for which a choice stays
PROBES = 16  # in this part of a loop's steps, twice, another choice is tried
TELLING_SECONDS = 1e-3  # a shorter time says more about waking than about the steps
FULL_SECONDS = 0.02  # of a loop's steps; what took less time counts for less


class Trial:
    """Chooses among numbers of threads by the time that work took.

    What was not tried lately is thought of as a little faster each time, so that it is tried again:
    with patience 0.992, what is twice as slow costs one try in 87, and what is almost as fast costs
    hardly anything. So the choice follows a machine that becomes busy, and one that ceases to be.
    The first time of each option is not believed: threads may have had to start for it. Nor is the
    second, if it is many times that of another: it may have met another process.

    Args:
        options: numbers of threads, tried first in this order.
        patience: the factor by which an option seems faster for each time that it is not tried.
        doubt: times as long as another option; no more is believed of what was measured once.
    """

    def __init__(self, options: Sequence[int], patience: float = 0.992, doubt: float = 4.0) -> None:
        self._expected = dict.fromkeys(options, 0.0)  # seconds; 0 for not known
        self._seeming = dict.fromkeys(options, 0.0)  # the same, less what time has taken off
        self._unwarmed = set(options)
        self._fresh = set(options)  # believed once at most
        self._doubted: set[int] = set()  # what was measured of them is not what is expected
        self._patience, self._believable = patience, doubt

    def choose(self) -> int:
        """The number of threads to use now."""
        return min(self._seeming, key=self._seeming.__getitem__)

    @property
    def best(self) -> int:
        """The number of threads that is expected to be fastest, or the first if none is known."""
        known = {option: seconds for option, seconds in self._expected.items() if seconds}
        return min(known, key=known.__getitem__) if known else next(iter(self._expected))

    def expected(self, threads: int) -> float:
        """The seconds that a unit of work takes with so many threads; 0 if that is not known."""
        return self._expected[threads]

    def took(self, threads: int, seconds: float, weight: float = 1.0) -> None:
        """Note that a unit of work took so long with so many threads.

        Args:
            threads: how many it was made with.
            seconds: that it took.
            weight: how much it says, beside what was noted before; at most 1.
        """
        if threads in self._unwarmed:
            self._unwarmed.remove(threads)
            return
        for option in self._seeming:
            self._seeming[option] *= self._patience**weight
        expected = self._expected[threads]
        if expected:
            self._fresh.discard(threads)
        if not expected or threads in self._doubted:
            self._doubted.discard(threads)
            expected = seconds
        surprise = min(seconds, SUDDEN * expected) - expected
        self._set(threads, expected + WEIGHT * weight * surprise)
        self._doubt(self._believable * min(filter(None, self._expected.values())))

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


class LoopTrial:
    """A trial for steps that are made many at a time.

    What is not the best so far is tried for a few of them: threads that have slept may need some
    milliseconds to get a CPU, in which a step can take twenty times as long. So they are given such
    a time first, and can be tried more often. For the same reason the first, short slices of a loop
    count for little.

    Args:
        options: as for `Trial`.
    """

    def __init__(self, options: Sequence[int]) -> None:
        self._trial = Trial(options, patience=0.95, doubt=2.0)
        self._options = len(options)

    def run(self, steps: int, work: Callable[[int, int], float]) -> None:
        """Make steps, at least one.

        Args:
            steps: how many.
            work: `work(steps, threads)` makes some of them and returns the seconds they took.
        """
        is_open = self._options > 1 and steps > 2 * self._options
        few = max(steps // PROBES, 1) if is_open else 0
        for _ in range(self._options):
            if not few or not self._is_unsure(few):
                break
            self._try(few, self._trial.choose(), work)
            steps -= 2 * few
        known = self._trial.expected(self._trial.best) > 0.0
        threads = self._trial.best if known else self._trial.choose()
        seconds = work(steps, threads)
        if seconds > TELLING_SECONDS:
            self._trial.took(threads, seconds / steps, min(seconds / FULL_SECONDS, 1.0))

    def _is_unsure(self, few: int) -> bool:
        """Whether another choice is due, and so many steps would tell something about it."""
        best = self._trial.best
        usual = few * self._trial.expected(best)
        return usual == 0.0 or (usual > TELLING_SECONDS and self._trial.choose() != best)

    def _try(self, few: int, threads: int, work: Callable[[int, int], float]) -> None:
        usual = few * self._trial.expected(self._trial.best)
        first, second = work(few, threads), work(few, threads)
        if max(usual, second) > TELLING_SECONDS:
            if not self._trial.expected(threads):
                self._trial.took(threads, first / few)  # the first time, which is not believed
            self._trial.took(threads, second / few)
