"""Programs that compute nothing: all that is fetched was known when the plan was made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.backends.protocol import Feed
from thalweg.ops.arrays.constant import constant_of
from thalweg.passes.plan import Plan

Array = np.ndarray[Any, Any]


class ConstantProgram:
    """Hands out copies of constants: neither a compiler nor native code is needed for that."""

    def __init__(self, values: Sequence[Array]) -> None:
        self._values = tuple(values)
        # A scalar cannot be changed, and so needs no copy.
        self._scalars = [value[()] for value in values if not value.ndim]
        self.finished = 0

    @staticmethod
    def of(plan: Plan) -> ConstantProgram | None:
        """The program of a plan that fetches constants and does nothing else; None for others."""
        constants = [constant_of(tensor) for tensor in plan.fetches]
        values = [constant.array for constant in constants if constant]
        return None if plan.targets or len(values) < len(constants) else ConstantProgram(values)

    def tune(self) -> dict[str, float]:
        return {}

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        if len(self._scalars) == len(self._values):
            return list(self._scalars)
        return [value.copy() for value in self._values]

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        self.finished = steps
        return [np.repeat(value[np.newaxis], steps, axis=0) for value in self._values]

    def at(self, extents: Sequence[int]) -> ConstantProgram | None:
        return None

    def clone(self, workspace: int | None) -> ConstantProgram:
        return ConstantProgram(self._values)

    def describe(self) -> str:
        return f"{len(self._values)} constants, nothing to compute"
