"""Runs compiled plans on the values of a session's variables, several at once if they may."""

from __future__ import annotations

import time
from _thread import get_ident
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from thalweg.backends.constants import ConstantProgram
from thalweg.backends.protocol import Feed, Program
from thalweg.backends.trace import RunTrace
from thalweg.base.errors import OpError
from thalweg.base.forks import ForkSafe
from thalweg.graph import Graph, Tensor
from thalweg.session.entry import Entry
from thalweg.session.initialisation import Initialisation
from thalweg.session.planner import Planner
from thalweg.session.turns import EVERYTHING, Ticket, Turns
from thalweg.session.variables import SessionVariables

Array = np.ndarray[Any, Any]

# What is done with a program of an entry, and the arrays that it is fed.
Work: TypeAlias = Callable[[Entry, Program, list[Any]], list[Array]]

WORKSPACES = 8  # that are kept; more runs at once than that have memory that is thrown away


class Executor(ForkSafe):
    """Runs what the planner plans.

    Runs of several threads overlap where they do not write what another one reads or writes. Each
    has a workspace of its own: a program of the plan, and memory for its temporaries.

    Args:
        graph: has the variables.
        planner: plans initialisers.
        store: the values of variables.

    Attributes:
        runs: how many runs there have been; the number of the next one.
    """

    fork_order = 0

    def __init__(self, graph: Graph, planner: Planner, store: SessionVariables) -> None:
        super().__init__()
        self.runs = 0
        self._planner, self._store = planner, store
        self._initialisation = Initialisation(graph, planner, store)
        self._turns = Turns()
        self._workspaces: dict[int, Ticket] = {}  # but for the first: which runs are in them
        self._fork: Ticket | None = None

    def run(self, entry: Entry, feeds: Mapping[Tensor, Array]) -> list[Array]:
        """The values of what the entry computes."""
        program = entry.program
        if program is None or type(program) is ConstantProgram:  # needs nothing that others use
            with self._lock:
                self.runs += 1
            return program.run((), 0) if program else []
        if not entry.ready:
            return self._execute(entry, feeds, self._once)
        # What `_execute` does, without the calls.
        arrays = [feeds[tensor] for tensor in entry.feeds] if feeds else []
        turns, ticket, place = self._turns, Ticket(), 0
        turns[ticket] = entry, get_ident()
        try:
            if len(turns) > 1:
                place, program = self._wait(entry, program, ticket)
            with self._lock:
                number = self.runs
                self.runs = number + 1
            try:
                return program.run(arrays, number)
            except BaseException:
                self._give_back(number, number + 1)
                raise
        finally:
            if place:
                del self._workspaces[place]
            del turns[ticket]
            if ticket.lock is not None:
                ticket.lock.release()

    def trace(self, entry: Entry, feeds: Mapping[Tensor, Array], trace: RunTrace) -> list[Array]:
        """The values of what the entry computes, with what ran when noted in the trace."""
        if entry.program is None:
            return self.run(entry, feeds)

        def work(entry: Entry, program: Program, arrays: list[Any]) -> list[Array]:
            trace.start = time.perf_counter()
            try:
                return self._once(entry, program, arrays, trace)
            finally:
                trace.stop = time.perf_counter()

        return self._execute(entry, feeds, work)

    def run_steps(self, entry: Entry, feeds: Mapping[Tensor, Feed], steps: int) -> list[Array]:
        """The values of what the entry computes in some steps, along a new first axis."""
        if entry.program is None:
            with self._lock:
                self.runs += steps
            return []
        return self._execute(entry, feeds, partial(self._many, steps))

    def alone(self, entry: Entry = EVERYTHING) -> AbstractContextManager[Ticket]:
        """Let no run overlap that one of the entry would disturb; by default none at all."""
        return self._turns.alone(entry)

    def reading(self, names: frozenset[str]) -> AbstractContextManager[Ticket]:
        """Let no run overlap that writes some variables, which have their values."""
        entry = Entry(None, (), needs=names)
        self._prepare(entry)
        return self._turns.alone(entry)

    def _execute(self, entry: Entry, feeds: Mapping[Tensor, Feed], work: Work) -> list[Array]:
        """What work returns, when it is the entry's turn, for its program in a free workspace."""
        if not entry.ready:
            self._prepare(entry)
        arrays = [feeds[tensor] for tensor in entry.feeds]
        program, place = entry.program, 0
        assert program is not None
        with self._turns.alone(entry) as ticket:
            try:
                place, program = self._workspace(entry, program, ticket)
                return work(entry, program, arrays)
            finally:
                if place:
                    del self._workspaces[place]

    def _wait(self, entry: Entry, program: Program, ticket: Ticket) -> tuple[int, Program]:
        """Wait until a run may begin; then its workspace, and the program there."""
        self._turns.wait(ticket)
        return self._workspace(entry, program, ticket)

    def _workspace(self, entry: Entry, program: Program, ticket: Ticket) -> tuple[int, Program]:
        """A free workspace, and the entry's program there. The first is that of the oldest run."""
        if self._turns.oldest() is ticket:
            return 0, program
        for place in range(1, WORKSPACES):
            if self._workspaces.setdefault(place, ticket) is ticket:
                try:
                    if place not in entry.others:
                        entry.others[place] = program.clone(place)
                    return place, entry.others[place]
                except BaseException:
                    del self._workspaces[place]
                    raise
        return 0, program.clone(None)

    def _once(
        self, entry: Entry, program: Program, arrays: list[Any], trace: RunTrace | None = None
    ) -> list[Array]:
        with self._lock:
            number = self.runs
            self.runs = number + 1
        try:
            if trace is None:
                made = program.run(arrays, number)
            else:
                made = program.trace(arrays, number, trace)
        except BaseException:
            self._give_back(number, number + 1)
            raise
        if not entry.ready:
            self._done(entry)
        return made

    def _many(self, steps: int, entry: Entry, program: Program, fed: list[Any]) -> list[Array]:
        with self._lock:
            number = self.runs
            self.runs = number + steps
        try:
            return program.run_steps(fed, number, steps)
        except OpError as error:
            error.finished = program.finished
            raise
        finally:  # also when a step fails, or Ctrl-C was raised as the native code returned
            self._give_back(number + program.finished, number + steps)
            if program.finished:
                self._done(entry)

    def _give_back(self, first: int, end: int) -> None:
        """Let numbers that were taken and not used be those of the next runs.

        If other threads have taken some since, these numbers are left out.
        """
        with self._lock:
            if self.runs == end:
                self.runs = first

    def _prepare(self, entry: Entry) -> None:
        """Give the variables that it needs their initial values, if they have none.

        An initialiser runs with the number of the run that needs it, and so draws the same random
        numbers as if it ran in it.
        """
        number = self.runs
        if lacking := entry.needs - self._store.initialised:
            self._initialisation.run(lacking, partial(self._initialise, number))

    def _initialise(self, number: int, entry: Entry, names: frozenset[str]) -> None:
        """Run the initialisers of variables, unless another thread has just done so for some."""

        def work(entry: Entry, program: Program, arrays: list[Any]) -> list[Array]:
            if names.isdisjoint(self._store.initialised):
                program.run(arrays, number)
                self._done(entry)
            return []

        self._execute(entry, {}, work)

    def _done(self, entry: Entry) -> None:
        """Note which variables have a value now that it has run."""
        self._store.initialised |= entry.writes
        entry.ready = True

    def quiesce(self, seconds: float) -> bool:
        """Wait until no other thread runs a program; see `ForkSafe`."""
        self._fork = ticket = Ticket()
        self._turns[ticket] = EVERYTHING, get_ident()
        if self._turns.wait_for(ticket, seconds):
            return True
        self.resume()
        return False

    def resume(self) -> None:
        """Let threads run programs again."""
        ticket, self._fork = self._fork, None
        if ticket is not None:
            del self._turns[ticket]
            if ticket.lock is not None:
                ticket.lock.release()

    def reset_in_child(self, is_lost: bool) -> None:
        """See `ForkSafe`; what other threads ran, or were about to, has no end in the child."""
        super().reset_in_child(is_lost)
        self._planner.is_closed |= is_lost
        self._turns.keep_own()
        for place, ticket in list(self._workspaces.items()):
            if ticket not in self._turns:
                del self._workspaces[place]
