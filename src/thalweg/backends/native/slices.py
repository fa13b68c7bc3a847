"""Programs with loops, run for a while at a time, so that Python can be interrupted between."""

from __future__ import annotations

import time

from thalweg.backends.native.team import ProgramTable, Team

SLICE_SECONDS = 0.05  # after which Python looks for signals
MOST_FUEL = 1 << 40


class Slices:
    """Runs a program with loops: it pauses when it has jumped backwards for about `SLICE_SECONDS`.

    How many jumps these are shows while it runs: at first it is one.

    Args:
        team: runs it.
    """

    def __init__(self, team: Team) -> None:
        self._team = team
        self._fuel = 1

    def run_program(self, program: ProgramTable, threads: int) -> None:
        """Run a program from the beginning to its end, as `Team.run_program` does."""
        program.rewind()  # an exception may have left it where it had paused
        self._run_slice(program, threads)
        while program.is_paused:
            self._run_slice(program, threads)

    def _run_slice(self, program: ProgramTable, threads: int) -> None:
        program.refuel(self._fuel)
        start = time.perf_counter()
        self._team.run_program(program, threads)
        seconds = time.perf_counter() - start
        if program.is_paused:
            fitting = int(self._fuel * SLICE_SECONDS / max(seconds, 1e-9))
            self._fuel = max(1, min(8 * self._fuel, fitting, MOST_FUEL))
