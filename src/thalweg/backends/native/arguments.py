"""The words that a program's kernels take as arguments: addresses, and numbers that may vary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native.compiled import Compiled
from thalweg.backends.native.parts import Part
from thalweg.backends.state import address_of
from thalweg.base.dims import Sizes
from thalweg.base.shapes import known
from thalweg.kernels import values
from thalweg.kernels.memory import Arena
from thalweg.kernels.values import Value

Array = np.ndarray[Any, Any]


class Arguments:
    """The arguments of all kernels, one after the other, and words for the program's own use.

    A word's number is its *place*. What is not known before a run has its places listed here.

    Args:
        compiled: the plan.
        sizes: the program's extents.
        arena: where temporaries lie in it.

    Attributes:
        counter: the number of the run.
        verdicts: two words for each check.
        fed: for each feed, the places of its address.
        fetched: for each result, the same.
        ordered: the places of the address of row numbers.
        temporaries: places, each with an offset in the arena.
        moving: the places of addresses that change in loops, by what lies there.
        zero: the place of a word that is 0.
        words: all of them, once they are closed.
    """

    def __init__(self, compiled: Compiled, sizes: Sizes, arena: Arena) -> None:
        interface = compiled.planned.interface
        self.counter = memory.zeros(1, np.int64)
        self.verdicts = memory.zeros((len(compiled.planned.kernels.checked), 2), np.int64)
        self.fed: list[list[int]] = [[] for _ in range(interface.feeds)]
        self.fetched: list[list[int]] = [[] for _ in interface.fetches]
        self.ordered: list[int] = []
        self.temporaries: list[tuple[int, int]] = []
        self.moving: dict[Value, list[int]] = {}
        self.words: Array = memory.zeros(0, np.int64)
        self._compiled, self._sizes, self._arena = compiled, sizes, arena
        self._open: list[int] = []
        self._kept: list[Array] = []
        self.zero = self.word()

    def add(self, parts: Iterable[Part]) -> list[int]:
        """The places at which the arguments of kernels begin."""
        starts: list[int] = []
        for private, step in [(p.private.offsets, step) for p in parts for step in p.steps]:
            starts.append(len(self._open))
            for value in step.code.nest.slots:
                if value in private:
                    self.temporaries.append((self.word(), self._arena.size + private[value]))
                else:
                    self.cell(value)
            self._open.extend(map(self._sizes, step.code.nest.numbers))
        return starts

    def word(self, content: int = 0) -> int:
        """The place of a new word."""
        self._open.append(content)
        return len(self._open) - 1

    def cell(self, value: Value) -> int:
        """The place of a new word that holds the address of a value."""
        place = self.word()
        self._open[place] = self._address(value, place)
        return place

    def close(self) -> Array:
        """The words; there will be no others."""
        self.words = memory.array(self._open, np.int64)
        return self.words

    def at(self, place: int) -> int:
        """The address of a word."""
        return address_of(self.words) + 8 * place

    def verdict(self, number: int, word: int = 0) -> int:
        """The address of a word about a check."""
        return address_of(self.verdicts) + 8 * (2 * number + word)

    def keep(self, array: Array) -> int:
        """The address of an array that lives as long as the program."""
        self._kept.append(array)
        return address_of(array)

    def _address(self, value: Value, place: int) -> int:
        """The address of a value, or 0 with a note of what to put there later."""
        match value.storage:
            case values.SliceMemory() | values.PartMemory() | values.Temporary():
                whole, first = _place_in(value, self._sizes)
                if isinstance(whole.storage, values.Temporary):
                    self.temporaries.append((place, self._arena.offsets[whole] + first))
                else:
                    return self._address(whole, place)
            case values.FeedMemory(number):
                self.fed[number].append(place)
            case values.FetchMemory(number):
                self.fetched[number].append(place)
            case values.RowNumbers():
                self.ordered.append(place)
            case values.Moving():
                self.moving.setdefault(value, []).append(place)
            case values.VariableMemory(name):
                store = self._compiled.state
                return self.keep(store.allocate(name, known(value.shape), value.dtype.numpy))
            case values.ConstantMemory():
                return self.keep(self._compiled.constant(value.storage, self._sizes))
            case values.Counter():
                return address_of(self.counter)
            case values.Verdict(number, word):
                return self.verdict(number, word)
        return 0


def chain_words(part: Part, places: Sequence[int], arguments: Arguments, sizes: Sizes) -> list[int]:
    """The arguments of a chain; see `layouts.ChainLayout`.

    Args:
        part: what it runs.
        places: where the arguments of its kernels begin.
        arguments: all of them, closed.
        sizes: the program's extents.
    """
    most = max(step.words for step in part.steps)
    words = [len(part.steps), most, part.extent, part.tasks]
    for step, place in zip(part.steps, places, strict=True):
        strides = memory.zeros((step.words, 3), np.int64)  # by slice, by part, by thread
        for n, value in enumerate(step.code.nest.slots):
            if value in part.private.offsets:
                strides[n, 2] = part.private.size
            elif isinstance(value.storage, values.SliceMemory):
                strides[n, int(value.storage.by_part)] = value.bytes_at(sizes)
        once, kept = int(step in part.before), arguments.keep(strides)
        words += [step.code.address, step.tasks, arguments.at(place), step.words, kept, once]
    return words


def _place_in(value: Value, sizes: Sizes) -> tuple[Value, int]:
    """The value in whose memory one lies, and at which byte."""
    first = 0
    while isinstance(value.storage, values.SliceMemory | values.PartMemory):
        storage, value = value.storage, value.storage.whole
        if isinstance(storage, values.PartMemory):
            row = math.prod(sizes.shape(value.shape[1:])) * value.dtype.size
            first += sizes(storage.first) * row
    return value, first
