"""Programs that compute nothing: all that is fetched was known when the plan was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.backends.protocol import Feed
from thalweg.backends.trace import RunTrace
from thalweg.base.dims import Given, Sizes, Trace
from thalweg.ops.arrays.constant import Constant, constant_of
from thalweg.passes.plan import Plan

Array = np.ndarray[Any, Any]


class ConstantProgram:
    """Hands out copies of constants: neither a compiler nor native code is needed for that.

    Args:
        constants: the records, in order.
        trace: of the plan, closed.
        sizes: what the constants are in this program.
    """

    def __init__(self, constants: Sequence[Constant], trace: Trace, sizes: Sizes) -> None:
        self._constants, self._trace, self._sizes = constants, trace, sizes
        values = [c.array if c.planned is None else sizes.array(c.planned) for c in constants]
        self._values = tuple(values)
        # A scalar cannot be changed, and so needs no copy.
        self._scalars = [value[()] for value in values if not value.ndim]
        self.finished = 0

    @staticmethod
    def of(plan: Plan) -> ConstantProgram | None:
        """The program of a plan that fetches constants and does nothing else; None for others."""
        constants = [constant for t in plan.fetches if (constant := constant_of(t))]
        if plan.targets or len(constants) < len(plan.fetches):
            return None
        return ConstantProgram(constants, plan.trace, plan.trace.close())

    def tune(self) -> dict[str, float]:
        return {}

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        if len(self._scalars) == len(self._values):
            return list(self._scalars)
        return [value.copy() for value in self._values]

    def trace(self, feeds: Sequence[Array], run_counter: int, trace: RunTrace) -> list[Array]:
        return self.run(feeds, run_counter)

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        self.finished = steps
        return [np.repeat(value[np.newaxis], steps, axis=0) for value in self._values]

    def at(self, given: Sequence[Given]) -> ConstantProgram | None:
        sizes = self._trace.replay(given)
        return None if sizes is None else ConstantProgram(self._constants, self._trace, sizes)

    def clone(self, workspace: int | None) -> ConstantProgram:
        return ConstantProgram(self._constants, self._trace, self._sizes)

    def describe(self) -> str:
        return f"{len(self._values)} constants, nothing to compute"
