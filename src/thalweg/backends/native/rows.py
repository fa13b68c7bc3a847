"""The rows of a program: its kernels, one after the other or in loops and branches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native.arguments import Arguments, chain_words
from thalweg.backends.native.driver.layouts import (
    BRANCH,
    CLAIMS_BIT,
    MOVE_WORDS,
    MOVES,
    REPEAT,
    SERIAL,
    VERDICT,
)
from thalweg.backends.native.parts import Part
from thalweg.backends.native.table import Move, Row
from thalweg.backends.native.team import chain_kernel
from thalweg.base.dims import Sizes
from thalweg.base.record import Record
from thalweg.kernels.flow import Carried, Choice, Element, Flow, Repeat, Straight
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.values import Value, Verdict

SMALL_WORK = 30_000  # cycles under which waking other threads costs more than it gains
SMALL_WORK_IN_LOOP = 10_000  # the same where they are awake, and meeting them takes 0.2 us
# Cycles from which on threads claim a kernel's tasks bit by bit: 25 us on two threads.
LARGE_WORK = 150_000
USUAL_TIMES = 16  # that a loop runs as a rule which a value ends


class Cells(Record):
    """Words of a loop that tell where the next iteration finds a carried value.

    Attributes:
        carried: the value.
        sources: places of the addresses of the initial value and of the buffers.
        turns: places of what is read now, what is written, and what is written the next time.
    """

    carried: Carried
    sources: tuple[int, ...]
    turns: tuple[int, int, int]


class LoopWords(Record):
    """The words that belong to a loop, by their places.

    Attributes:
        counter: of the iterations.
        predicate: the predicate's address, if it has one.
        cells: one for each carried value.
        wholes: the addresses of the values whose elements it walks over.
    """

    counter: int
    predicate: int
    cells: tuple[Cells, ...]
    wholes: tuple[int, ...]


class Layout:
    """Where a program's words are, and the rows that use them.

    Args:
        flow: in which order the parts run.
        parts: the parts, as many for each of the plan's as the extents ask for.
        arguments: still open; closed afterwards.
        sizes: the program's extents.

    Attributes:
        loops: their words.
        spans: once there are rows, the first and the last of each loop.
        counters: once there are rows, for the number of a check the places of the counters of the
            loops around it, from the innermost.
    """

    def __init__(
        self, flow: Flow, parts: Sequence[Sequence[Part]], arguments: Arguments, sizes: Sizes
    ) -> None:
        self.flow = flow or (Straight(0, len(parts)),)
        self.parts, self.arguments, self.sizes = parts, arguments, sizes
        self.starts = arguments.add(part for group in parts for part in group)
        self.loops: dict[Repeat, LoopWords] = {}
        self.choices: dict[Choice, int] = {}
        self.spans: dict[Repeat, tuple[int, int]] = {}
        self.counters: dict[int, tuple[int, ...]] = {}
        self._prepare(self.flow)
        arguments.close()

    @property
    def has_loops(self) -> bool:
        """Whether anything may run for ever."""
        return bool(self.loops)

    def rows(self, small_work: float) -> list[Row]:
        """What the driver runs; parts with less work than that are for one thread."""
        return _Rows(self, small_work).made

    def times(self, unknown: int = 1) -> list[int]:
        """How often each of the parts runs.

        Args:
            unknown: how often a loop runs that a value ends.
        """
        return list(self._times(self.flow, 1, unknown))

    def _times(self, flow: Flow, around: int, unknown: int) -> Iterator[int]:
        for item in flow:
            match item:
                case Straight(first, end):
                    yield from [around for group in self.parts[first:end] for _ in group]
                case Repeat():
                    own = unknown if item.count is None else self.sizes(item.count)
                    yield from self._times(item.body, own * around, unknown)
                case Choice():
                    yield from self._times((*item.then, *item.otherwise), around, unknown)

    def _prepare(self, flow: Flow) -> None:
        """Make the words that loops and branches need."""
        for item in flow:
            match item:
                case Repeat():
                    self.loops[item] = self._loop_words(item)
                    self._prepare(item.body)
                case Choice():
                    self.choices[item] = self.arguments.cell(item.predicate)
                    self._prepare((*item.then, *item.otherwise))

    def _loop_words(self, loop: Repeat) -> LoopWords:
        cell, word = self.arguments.cell, self.arguments.word
        return LoopWords(
            counter=word(),
            predicate=0 if loop.predicate is None else cell(loop.predicate),
            cells=tuple(map(self._cells, loop.carried)),
            wholes=tuple([cell(element.whole) for element in loop.elements]),
        )

    def _cells(self, carried: Carried) -> Cells:
        word = self.arguments.word
        sources = tuple(map(self.arguments.cell, (carried.initial, *carried.buffers)))
        return Cells(carried, sources, (word(), word(), word()))


class _Rows:
    """Puts rows together.

    Args:
        layout: of the program.
        small_work: outside of loops, parts with less work than that are for one thread.

    Attributes:
        made: the rows.
    """

    def __init__(self, layout: Layout, small_work: float) -> None:
        self.made: list[Row] = []
        self._layout, self._arguments = layout, layout.arguments
        self._small_work = small_work
        self._around: tuple[int, ...] = ()
        self._starts: Iterator[int] = iter(layout.starts)
        self._add(layout.flow)

    def _add(self, flow: Flow) -> None:
        for item in flow:
            match item:
                case Straight(first, end):
                    for part in [part for group in self._layout.parts[first:end] for part in group]:
                        self._part(part)
                case Repeat():
                    self._repeat(item)
                case Choice():
                    self._choose(item)

    def _part(self, part: Part) -> None:
        """The row of a part, and those of the checks that it decides about."""
        claims = part.claims if part.cycles >= LARGE_WORK else 1
        flags = SERIAL if part.is_serial(self._small_work) else claims << CLAIMS_BIT
        arguments = self._arguments
        places = [next(self._starts) for _ in part.steps]
        if part.parts:
            words = chain_words(part, places, arguments, self._layout.sizes)
            chain = arguments.keep(memory.array(words, np.int64))
            self.made.append((chain_kernel(), chain, part.tasks, flags))
        else:
            code = part.steps[0].code
            self.made.append((code.address, arguments.at(places[0]), part.tasks, flags))
        decided = [n for step in part.steps for n in _decided(step.code.nest)]
        self._layout.counters.update(dict.fromkeys(decided, self._around))
        self.made += [(0, arguments.verdict(n), 0, VERDICT) for n in decided]

    def _repeat(self, loop: Repeat) -> None:
        """The rows of a loop: begin; if there is none go to end; body; next; go to body; end."""
        words, at = self._layout.loops[loop], self._arguments.at
        count = None if loop.count is None else self._layout.sizes(loop.count)
        moves = _LoopMoves(loop, words, self._arguments, self._layout.sizes)
        outside, self._small_work = self._small_work, min(SMALL_WORK_IN_LOOP, self._small_work)
        self._move(moves.begin())
        entry = len(self.made)
        if count is None:
            self.made.append((0, at(words.predicate), 0, BRANCH))
        else:
            self.made.append((0, at(self._arguments.zero), int(count == 0), REPEAT))
        around, self._around = self._around, (words.counter, *self._around)
        self._add(loop.body)
        self._around = around
        self._move(moves.next())
        if count is None:
            self.made.append((entry + 1, at(words.predicate), 1, BRANCH))
        else:
            self.made.append((entry + 1, at(words.counter), count, REPEAT))
        self._layout.spans[loop] = entry, len(self.made) - 1
        self._land(entry)
        self._move(moves.end())
        self._small_work = outside

    def _choose(self, choice: Choice) -> None:
        """The rows of a branch: if not predicate go to otherwise; then; go to end; otherwise."""
        at = self._arguments.at
        predicate = self._layout.choices[choice]
        self.made.append((0, at(predicate), 0, BRANCH))
        beyond = len(self.made) - 1
        self._add(choice.then)
        leave = self._jump()
        self._land(beyond)
        self._add(choice.otherwise)
        self._land(leave)

    def _jump(self) -> int:
        """A row that always leads to another; its number."""
        self.made.append((0, self._arguments.at(self._arguments.zero), 1, REPEAT))
        return len(self.made) - 1

    def _land(self, row: int) -> None:
        """Let a row lead to the next one."""
        self.made[row] = (len(self.made), *self.made[row][1:])

    def _move(self, moves: Sequence[Move]) -> None:
        if moves:
            words = memory.array(moves, np.int64).reshape(-1, MOVE_WORDS)
            self.made.append((0, self._arguments.keep(words), len(moves), MOVES))


class _LoopMoves:
    """How the words of a loop change."""

    def __init__(self, loop: Repeat, words: LoopWords, arguments: Arguments, sizes: Sizes) -> None:
        self._loop, self._words, self._sizes = loop, words, sizes
        self._at: Callable[[int], int] = arguments.at
        self._moving, self._zero = arguments.moving, arguments.zero
        is_checked = len(arguments.verdicts) > 0  # whose errors name the iteration
        self._counts = loop.count is not None or bool(loop.elements) or is_checked

    def begin(self) -> list[Move]:
        """Before the first iteration."""
        made = [self._from(self._words.counter, self._zero)] if self._counts else []
        for cells in self._words.cells:
            made += map(self._from, cells.turns, cells.sources)
            made += self._settled(cells)
        for element, whole in zip(self._loop.elements, self._words.wholes, strict=True):
            made += self._put(element.one, whole, self._first(element))
        return made

    def next(self) -> list[Move]:
        """After each iteration: what was written is read, and the other buffer is written."""
        made = [self._step(self._words.counter, 1)] if self._counts else []
        for cells in self._words.cells:
            now, then, other = cells.turns
            made += [self._from(now, then), self._from(then, other), self._from(other, now)]
            made += self._settled(cells)
        for element in self._loop.elements:
            stride = self._stride(element)
            made += [self._step(place, stride) for place in self._moving.get(element.one, ())]
        return made

    def end(self) -> list[Move]:
        """After the last iteration."""
        cells = self._words.cells
        return [move for one in cells for move in self._put(one.carried.final, one.turns[0])]

    def _settled(self, cells: Cells) -> list[Move]:
        """Let kernels read and write where it is a carried value's turn."""
        read = self._put(cells.carried.now, cells.turns[0])
        return read + self._put(cells.carried.next, cells.turns[1])

    def _put(self, value: Value, place: int, offset: int = 0) -> list[Move]:
        """Let a value lie where a word tells, and some bytes further."""
        return [self._from(own, place, offset) for own in self._moving.get(value, ())]

    def _from(self, place: int, source: int, more: int = 0) -> Move:
        return self._at(place), self._at(source), more

    def _step(self, place: int, by: int) -> Move:
        return self._from(place, place, by)

    def _stride(self, element: Element) -> int:
        size = element.one.bytes_at(self._sizes)
        return -size if self._loop.reverse else size

    def _first(self, element: Element) -> int:
        """How far the first element is from where the value begins, in bytes."""
        if not self._loop.reverse:
            return 0
        count = self._sizes.shape(element.whole.shape[:1])[0]
        return max(count - 1, 0) * element.one.bytes_at(self._sizes)


def _decided(nest: Nest) -> list[int]:
    """The checks whose second and last word the nest writes."""
    written = [nest.slots[store.slot].storage for store in nest.stores]
    return [s.number for s in written if isinstance(s, Verdict) and s.word == 1]
