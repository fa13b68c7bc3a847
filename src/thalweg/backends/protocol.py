"""What a backend is: it turns plans into programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from thalweg.backends.state import VariableStore
from thalweg.passes.plan import Plan


class Program(Protocol):
    """A plan made ready to run any number of times, by one thread at a time."""

    def run(
        self, feeds: Sequence[np.ndarray[Any, Any]], run_counter: int
    ) -> list[np.ndarray[Any, Any]]:
        """Run once: update the store's variables and return the fetches' values, in order.

        Args:
            feeds: contiguous arrays with the shapes and dtypes of the plan's feeds, in order.
            run_counter: the number of the run, which random numbers are indexed by.

        Returns:
            arrays that nothing else writes to.
        """
        ...

    def describe(self) -> str:
        """The program in a form that people can read."""
        ...


class Backend(Protocol):
    """A way to run plans."""

    def compile(self, plan: Plan, state: VariableStore) -> Program:
        """Make a program that keeps its variables in `state`, where they are allocated already."""
        ...
