"""Programs with loops, run for a while at a time, so that Python can be interrupted between."""

from __future__ import annotations

import time
from collections.abc import Callable

from thalweg.backends.native.team import ProgramTable, Team
from thalweg.backends.native.thread_count import ThreadCountTuner

SLICE_SECONDS = 0.05  # after which Python looks for signals
MOST_FUEL = 1 << 40


class Slices:
    """Runs a program with loops: it pauses when it has jumped backwards for about `SLICE_SECONDS`.

    How many jumps these are shows while it runs: at first it is one.

    A run that goes on for longer also finds out on the way how many threads are fastest.

    Args:
        team: runs it.
        threads: how many threads it may use.
        most: how often it may jump before it must pause, if there is a limit.
    """

    def __init__(
        self, team: Team, threads: int, most: Callable[[ProgramTable], int] | None = None
    ) -> None:
        self._team, self._most = team, most
        self._tuner = ThreadCountTuner(threads)
        self._fuel = 1

    def run_program(self, program: ProgramTable, threads: int) -> None:
        """Run a program from the beginning to its end, as `Team.run_program` does."""
        program.rewind()  # an exception may have left it where it had paused
        self._run_slice(program, threads)
        while program.is_paused:
            fuel, seconds = self._run_slice(program, self._tuner.choose())
            if program.is_paused:
                self._tuner.took(seconds, fuel)

    def _run_slice(self, program: ProgramTable, threads: int) -> tuple[int, float]:
        """Run until the next pause, or the end; the fuel that there was, and the seconds."""
        fuel = self._fuel if self._most is None else min(self._fuel, self._most(program))
        program.refuel(fuel)
        start = time.perf_counter()
        self._team.run_program(program, threads)
        seconds = time.perf_counter() - start
        if program.is_paused:
            fitting = int(fuel * SLICE_SECONDS / max(seconds, 1e-9))
            self._fuel = max(1, min(8 * fuel, fitting, MOST_FUEL))
        return fuel, seconds
