"""Parts of programs: their rows, what moves between steps, and what picks mini-batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from thalweg.backends.llvm import batch
from thalweg.backends.llvm.driver import MOVE_WORDS, STEP_WORDS
from thalweg.backends.llvm.jit import Jit, Source
from thalweg.backends.protocol import Rows
from thalweg.backends.state import aligned_empty
from thalweg.runtime.team import Program

Row: TypeAlias = tuple[int, int, int, int]  # a kernel, its arguments, its tasks, its flags
Move: TypeAlias = tuple[int, int]  # a word's address, and what is added to it after every time


def make_program(rows: Sequence[Row], moves: Sequence[Move]) -> Program:
    """The program of these rows and moves."""
    steps = np.array(rows, np.int64).reshape(-1, STEP_WORDS)
    return Program(steps, len(rows), np.array(moves, np.int64).reshape(-1, MOVE_WORDS))


class Pick:
    """The kernel that takes the rows of a step's mini-batch, see `backends.llvm.batch`.

    Args:
        like: rows as `point` will be given.
        places: addresses of the words that hold the batch's address.
        jit: to compile it.

    Attributes:
        row: it in a program.
        move: to the next step's rows.
    """

    def __init__(self, like: Rows, places: Sequence[int], jit: Jit) -> None:
        self._buffer = aligned_empty(like.shape, like.dtype)
        rows, buffer = len(self._buffer), self._buffer.ctypes.data
        row_bytes, buffer_row_bytes = like.source[0].nbytes, self._buffer[0].nbytes
        words = [0, 0, row_bytes, rows, buffer, buffer_row_bytes, len(places), *places]
        self._words = np.array(words, np.int64)
        base = int(self._words.ctypes.data)
        (kernel,) = jit.compile([Source.of(batch.pick(like.source.dtype, like.dtype))])
        self.row: Row = (kernel, base, rows, 0)
        self.move: Move = (base + 8 * batch.ORDER, 8 * rows)

    def point(self, rows: Rows) -> None:
        """Take the rows from these, in the first step the first ones."""
        self._words[batch.SOURCE] = rows.source.ctypes.data
        self._words[batch.ORDER] = rows.order.ctypes.data
