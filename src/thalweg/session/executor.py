"""Runs compiled plans on the values of a session's variables."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.backends.protocol import Feed
from thalweg.backends.state import VariableStore
from thalweg.base.forks import Shared
from thalweg.graph import Graph, Tensor
from thalweg.session.entry import Entry
from thalweg.session.initialisation import Initialisation
from thalweg.session.planner import Planner

Array = np.ndarray[Any, Any]


class Executor(Shared):
    """Runs what the planner plans, one run at a time.

    Args:
        graph: has the variables.
        planner: plans initialisers.
        store: the values of variables.

    Attributes:
        runs: how many runs there have been; the number of the next one.
    """

    fork_order = 0

    def __init__(self, graph: Graph, planner: Planner, store: VariableStore) -> None:
        super().__init__()
        self.runs = 0
        self._store = store
        self._initialisation = Initialisation(graph, planner, store)
        self._work = threading.RLock()  # held while a program runs
        self._is_working = False  # if it is, a signal handler's run needs memory of its own

    def run(self, entry: Entry, feeds: Mapping[Tensor, Array]) -> list[Array]:
        """The values of what the entry computes."""
        values = self._run(entry, feeds, self.runs)
        self.runs += 1
        return values

    def _run(self, entry: Entry, feeds: Mapping[Tensor, Array], number: int) -> list[Array]:
        """The same in the run of a number."""
        if entry.program is None:
            return []
        arrays = [feeds[tensor] for tensor in entry.feeds] if feeds else []
        if not entry.ready:
            self._prepare(entry, number)
        with self._work:
            program = entry.program.apart() if self._is_working else entry.program
            before, self._is_working = self._is_working, True
            try:
                made = program.run(arrays, number)
            finally:
                self._is_working = before
        if not entry.ready:
            self._done(entry)
        return made

    def run_steps(self, entry: Entry, feeds: Mapping[Tensor, Feed], steps: int) -> list[Array]:
        """The values of what the entry computes in some steps, along a new first axis."""
        if not entry.ready:
            self._prepare(entry, self.runs)
        if entry.program is None:
            self.runs += steps
            return []
        fed = [feeds[tensor] for tensor in entry.feeds]
        with self._work:
            program = entry.program.apart() if self._is_working else entry.program
            before, self._is_working = self._is_working, True
            try:
                return program.run_steps(fed, self.runs, steps)
            finally:  # also when a step fails, or Ctrl-C was raised as the native code returned
                self._is_working = before
                self.runs += program.finished
                if program.finished and not entry.ready:
                    self._done(entry)

    def _prepare(self, entry: Entry, number: int) -> None:
        """Give the variables that it needs their initial values, if they have none.

        An initialiser runs with the number of the run that needs it, and so draws the same random
        numbers as if it ran in it.
        """
        if lacking := entry.needs - self._store.initialised:
            self._initialisation.run(lacking, lambda own: self._run(own, {}, number))

    def _done(self, entry: Entry) -> None:
        """Note which variables have a value now that it has run."""
        self._store.initialised |= entry.writes
        entry.ready = True

    def rest(self, seconds: float) -> bool:
        """Wait until no other thread runs a program; see `Shared`."""
        return self._work.acquire(timeout=seconds)

    def go_on(self) -> None:
        """Let threads run programs again."""
        self._work.release()
