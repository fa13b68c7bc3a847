"""Which number of threads is fastest at present, found out while the work is done."""

from __future__ import annotations

import math
from collections.abc import Callable

WINDOW_SECONDS = 8e-3  # after which a choice is judged: some turns of the system's scheduler
WINDOW_UNITS = 4  # of work that a window has at least, or else four times the seconds
WARM_SECONDS = 2e-3  # at first, for threads to wake and caches to follow, that say nothing
LONG_SECONDS = 2e-2  # work that takes so long is judged at once
WEIGHT = 0.5  # of the latest window in what is expected
SUDDEN = 1.5  # times as long as expected: no more is believed of one window
MOST_WINDOWS = 16.0  # after which everything is believed
FREE_SECONDS = 0.25  # that may be lost in order to know an option at all
SHARE = 0.02  # of all time, that may be lost so too
# More threads are tried again after such a time, as the machine may have become free. That it has
# become busy shows without trying: what is expected of the present choice becomes worse.
RETRY_MORE_SECONDS, RETRY_FEWER_SECONDS = 0.5, 5.0
# They are tried no sooner than after so many times what is lost by it: 5 % and 0.2 % of the time.
THRIFT_MORE, THRIFT_FEWER = 20, 500
DISTURBED = 2.0  # times as long as it took once: then what was measured says little
FORGETTING = 1.001  # what it took once is thought of as that much longer after each window


def options(threads: int) -> tuple[int, ...]:
    """The numbers of threads that are worth trying: all, all but one, half of them, and one."""
    return tuple(sorted({threads, max(threads - 1, 1), max(threads // 2, 1), 1}, reverse=True))


class ThreadCountTuner:
    """Chooses a number of threads for work that comes again and again, by the time it takes.

    A choice stays for a window of some milliseconds. What counts is the mean over a window: where
    another process takes a CPU for some milliseconds at a time, most steps are as fast as ever and
    some take ten times as long. After each window the number of threads goes on that is expected to
    be fastest, or one that is due to be tried for a window.

    All times are times of this work, and so is the time after which something is tried again.

    Args:
        threads: the most there are.
    """

    def __init__(self, threads: int) -> None:
        self._options = options(threads)
        self._best = self._choice = threads
        self._expected: dict[int, float] = {}  # seconds for a unit of work
        self._measured = dict.fromkeys(self._options, 0.0)  # when, by the clock of the work
        self._least = dict.fromkeys(self._options, math.inf)  # seconds in the best window
        self._clock = 0.0
        self._since = -math.inf  # seconds for which the choice has stood; the first work is cold
        self._spent, self._made = 0.0, 0  # seconds and units of the window
        self._pace = 0.0  # seconds for a unit of the latest work

    def choose(self) -> int:
        """The number of threads to use now."""
        return self._choice

    @property
    def is_settled(self) -> bool:
        """Whether the choice is the one that is expected to be fastest, and has begun."""
        if len(self._options) == 1:
            return True
        tried = len(self._expected) == len(self._options)
        return tried and self._choice == self._best and self._since >= WARM_SECONDS

    def units(self, seconds: float) -> int:
        """How many units of work take about so long, at the latest pace; at least one."""
        return max(int(seconds / self._pace), 1) if self._pace else 1

    def took(self, seconds: float, units: int = 1) -> None:
        """Note how long work took with the number of threads that was chosen.

        Args:
            seconds: that it took.
            units: how many pieces of work it was.
        """
        self._pace = seconds / units
        warm = self._since >= WARM_SECONDS or seconds >= LONG_SECONDS * units
        if warm and self._since >= 0.0:
            self._spent += seconds
            self._made += units
        self._since = max(self._since, 0.0) + seconds
        enough = WINDOW_SECONDS if self._made >= WINDOW_UNITS else 4 * WINDOW_SECONDS
        if self._spent >= enough:
            self._judge()

    def _judge(self) -> None:
        """End the window: note what is expected, and choose for the next."""
        self._clock += self._spent
        self._note(self._choice, self._spent / self._made, self._made)
        self._spent, self._made = 0.0, 0
        self._best = min(self._expected, key=self._expected.__getitem__)
        due = [option for option in self._options if option != self._best and self._is_due(option)]
        choice = due[0] if due else self._best
        if choice != self._choice:
            self._choice, self._since = choice, 0.0

    def _note(self, option: int, seconds: float, units: int) -> None:
        """What so many units of work took on average, with an option that stays or was tried."""
        stays = option == self._best and option in self._expected
        expected = self._expected[option] if stays else seconds
        by_time, by_units = units * expected / WINDOW_SECONDS, units / WINDOW_UNITS
        windows = max(min(by_time, by_units, MOST_WINDOWS), 1.0)
        surprise = min(seconds, SUDDEN**windows * expected) - expected
        self._expected[option] = expected + (1.0 - WEIGHT**windows) * surprise
        self._measured[option] = self._clock
        self._least[option] = min(self._least[option] * FORGETTING, seconds)

    def _is_due(self, option: int) -> bool:
        """Whether to try it: it may have become the fastest, and trying costs little enough."""
        known = option in self._expected
        loss = self._loss(option)
        if not known:
            return loss <= FREE_SECONDS + SHARE * self._clock
        age = self._clock - self._measured[option]
        disturbed = self._expected[self._best] > DISTURBED * self._least[self._best]
        if option > self._best or disturbed:
            return age >= max(RETRY_MORE_SECONDS, THRIFT_MORE * loss)
        return age >= max(RETRY_FEWER_SECONDS, THRIFT_FEWER * loss)

    def _loss(self, option: int) -> float:
        """Seconds that are lost by trying an option for a window, as far as can be known."""
        best = self._expected[self._best]
        seconds = self._expected.get(option, best)
        if option < self._best:  # it is not slower than all the work on fewer threads
            most = best * self._best / option
            seconds = min(self._expected.get(option, most), most)
        units = math.ceil(WINDOW_SECONDS / seconds)
        units = max(units, min(WINDOW_UNITS, math.ceil(4 * WINDOW_SECONDS / seconds)))
        if seconds < LONG_SECONDS:
            units += math.ceil(WARM_SECONDS / seconds)
        return units * (seconds - best)


class LoopTuner:
    """A thread-count tuner for steps that are made many at a time.

    Args:
        threads: as for `ThreadCountTuner`.
    """

    def __init__(self, threads: int) -> None:
        self._tuner = ThreadCountTuner(threads)

    def run(self, steps: int, work: Callable[[int, int], float]) -> None:
        """Make steps.

        Args:
            steps: how many.
            work: `work(steps, threads)` makes some of them and returns the seconds they took.
        """
        tuner = self._tuner
        while steps:
            some = steps if tuner.is_settled else min(steps, tuner.units(WINDOW_SECONDS / 4))
            tuner.took(work(some, tuner.choose()), some)
            steps -= some
