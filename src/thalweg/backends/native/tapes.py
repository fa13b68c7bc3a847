"""What loops collect until a condition fails: tapes that grow while a program runs.

A tape has room for some rows. A loop writes at most one row for each time that it jumps back, so
the program has fuel for no more jumps than there are rows left. When it pauses and a tape is full,
that gets twice the room, its addresses change, and the program goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native.arguments import Arguments
from thalweg.backends.native.rows import Layout
from thalweg.backends.native.slices import MOST_FUEL
from thalweg.backends.native.team import ProgramTable
from thalweg.backends.state import address_of
from thalweg.base.record import Record
from thalweg.kernels.flow import Element, Repeat
from thalweg.kernels.values import FetchMemory

Array = np.ndarray[Any, Any]

FIRST_ROWS = 64  # of a tape in the first run


class Tape(Record, frozen=False):
    """What a loop collects.

    Attributes:
        loop: the loop.
        counter: the place of the number of its iterations.
        places: those of the addresses of the whole tape, and of the present row.
        rows: that there is room for at first: as many as the latest run has needed.
    """

    loop: Repeat
    counter: int
    places: tuple[int, ...]
    rows: int = FIRST_ROWS


class Tapes:
    """The tapes of a program.

    Args:
        layout: of the program.
        arguments: of its kernels.
    """

    def __init__(self, layout: Layout, arguments: Arguments) -> None:
        self._layout, self._arguments = layout, arguments
        self._cells = arguments.words.data
        self._made: list[Array] = []
        self._tapes: dict[int, Tape] = {}  # by the number of the result
        for loop in layout.loops:
            for element in loop.elements if loop.count is None else ():
                self._add(loop, element)

    def _add(self, loop: Repeat, element: Element) -> None:
        assert isinstance(element.whole.storage, FetchMemory)
        number = element.whole.storage.number
        moving = self._arguments.moving.get(element.one, ())
        places = (*self._arguments.fetched[number], *moving)
        self._tapes[number] = Tape(loop, self._layout.loops[loop].counter, places)

    def begin(self, fetches: Sequence[tuple[tuple[int, ...], np.dtype[Any]]]) -> list[Array]:
        """Memory for the results of a run, by their shapes and dtypes."""
        self._made = []
        for number, (shape, dtype) in enumerate(fetches):
            tape = self._tapes.get(number)
            extents = shape if tape is None else (tape.rows, *shape[1:])
            self._made.append(memory.empty(extents, dtype))
        return self._made

    def end(self) -> list[Array]:
        """The results of the run, cut where loops have ended."""
        made, self._made = self._made, []
        for number, tape in self._tapes.items():
            count, whole = int(self._cells[tape.counter]), made[number]
            tape.rows = max(count + 1, 2)
            made[number] = whole[:count].copy() if 2 * count < len(whole) else whole[:count]
        return made

    def room(self, program: ProgramTable) -> int:
        """How often a program may jump back, with a row left for the present iteration."""
        left = [MOST_FUEL]
        for number, tape in self._tapes.items():
            first, last = self._layout.spans[tape.loop]
            if program.row <= last:
                done = int(self._cells[tape.counter]) if program.row > first else 0
                if len(self._made[number]) - done < 2:
                    self._grow(number)
                left.append(len(self._made[number]) - done - 1)
        return min(left)

    def _grow(self, number: int) -> None:
        """Give a tape twice the room, somewhere else."""
        old = self._made[number]
        new = memory.empty((2 * len(old), *old.shape[1:]), old.dtype)
        new[: len(old)] = old
        self._made[number] = new
        distance = address_of(new) - address_of(old)
        for place in self._tapes[number].places:
            self._cells[place] += distance
