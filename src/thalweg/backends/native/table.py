"""Parts of programs: their rows, and what moves between steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from thalweg.backends.native.driver.layouts import MOVE_WORDS, STEP_WORDS
from thalweg.backends.native.team import ProgramTable

Row: TypeAlias = tuple[int, int, int, int]  # a kernel, its arguments, its tasks, its flags
# The addresses of a word and of another: the first becomes the second and what is added to it.
Move: TypeAlias = tuple[int, int, int]


def make_program(rows: Sequence[Row], moves: Sequence[Move]) -> ProgramTable:
    """The program of these rows and moves."""
    steps = np.array(rows, np.int64).reshape(-1, STEP_WORDS)
    return ProgramTable(steps, len(rows), np.array(moves, np.int64).reshape(-1, MOVE_WORDS))
