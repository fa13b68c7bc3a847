"""How far a session has come: what its random numbers and its mini-batches follow from."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from thalweg.base.record import Record, replace
from thalweg.session.batches import Batches

Array = np.ndarray[Any, Any]


class LoopPosition(Record):
    """How far a loop of `run_steps` has come in its rows.

    Attributes:
        run: the number of the run with which it began, which decides about the order of the rows.
        batches: how many mini-batches it has taken.
        rows: how many rows there are.
        batch_size: how many of them a mini-batch has.
        shuffled: whether they come in random order.
    """

    run: int
    batches: int
    rows: int
    batch_size: int
    shuffled: bool


class Progress(Record):
    """What a session needs, besides its graph and its variables, to go on to the bit.

    Attributes:
        runs: how many runs there have been, which decides about random numbers.
        loop: where the loop of `run_steps` is whose callback asks; None outside of one.
    """

    runs: int = 0
    loop: LoopPosition | None = None


class Snapshot(Record, eq=False):
    """A session at one moment, between two runs.

    Attributes:
        values: of variables, by the names of their operations.
        progress: of the session.
    """

    values: dict[str, Array]
    progress: Progress


class Loops:
    """The loops of a session that go on, and the one that a restored session was in."""

    def __init__(self) -> None:
        self.interrupted: LoopPosition | None = None
        self._running: dict[int, tuple[LoopPosition, Batches]] = {}  # by thread

    def begin(self, run: int, rows: int, batch_size: int | None, shuffled: bool) -> LoopPosition:
        """Where a loop begins: where the interrupted one was, if it is over the same rows."""
        new = LoopPosition(run, 0, rows, batch_size or 0, shuffled)
        old = self.interrupted
        if old is None or replace(old, run=run, batches=0) != new:
            return new
        self.interrupted = None
        return old

    @contextmanager
    def running(self, start: LoopPosition, batches: Batches) -> Iterator[None]:
        """Note that this thread makes a loop."""
        thread = get_ident()
        outer = self._running.get(thread)
        self._running[thread] = start, batches
        try:
            yield
        finally:
            del self._running[thread]
            if outer is not None:
                self._running[thread] = outer

    def position(self) -> LoopPosition | None:
        """Where this thread's loop is."""
        if (found := self._running.get(get_ident())) is None:
            return self.interrupted
        start, batches = found
        return replace(start, batches=start.batches + batches.taken) if start.rows else None
