"""The reference backend: every operation evaluated by NumPy, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.backends.evaluator import Run
from thalweg.backends.protocol import Feed, MiniBatches
from thalweg.backends.state import Variables, VariableStore
from thalweg.backends.trace import RunTrace, Unit
from thalweg.base.dims import Given
from thalweg.base.dtypes import DType
from thalweg.base.shapes import known
from thalweg.graph import Operation, Tensor, execute
from thalweg.passes.order import order
from thalweg.passes.plan import Interface, Plan

Array = np.ndarray[Any, Any]


class ReferenceBackend:
    """Defines what the other backends must compute. Slow, and needs no compiler."""

    def new_state(self) -> VariableStore:
        return VariableStore()

    def recall(self, signature: str, given: Sequence[Given], state: Variables) -> None:
        return None

    def compile(
        self,
        plan: Plan,
        seen: Interface,
        state: Variables,
        batched_feeds: Mapping[int, DType],
        signature: str | None = None,
    ) -> ReferenceProgram:
        return ReferenceProgram(plan, state)


class ReferenceProgram:
    """A plan's operations in their order."""

    def __init__(self, plan: Plan, state: Variables) -> None:
        self._plan = plan
        self._state = state
        self._order = order(plan)
        self._written = {op.inputs[n] for op in self._order for n in op.record.effects.writes}
        self._release = _last_uses(self._order, plan.fetches)
        self.finished = 0

    def tune(self) -> dict[str, float]:
        return {}

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        return self._run(feeds, run_counter, execute)

    def trace(self, feeds: Sequence[Array], run_counter: int, trace: RunTrace) -> list[Array]:
        def timed(op: Operation, run: Run) -> None:
            with trace.timing(Unit((op.name,), op.type)):
                execute(op, run)

        return self._run(feeds, run_counter, timed)

    def _run(
        self, feeds: Sequence[Array], run_counter: int, run_op: Callable[[Operation, Run], None]
    ) -> list[Array]:
        fed = dict(zip(self._plan.feeds, feeds, strict=True))
        one = Run(fed, np.asarray(run_counter, np.int64), self._state, self._written)
        with np.errstate(all="ignore"):
            for op, release in zip(self._order, self._release, strict=True):
                run_op(op, one)
                for tensor in release:
                    one.values.pop(tensor, None)
        return [np.array(one.values[tensor]) for tensor in self._plan.fetches]

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        made = []
        self.finished = 0
        for n in range(steps):
            fed = [f.batch(n) if isinstance(f, MiniBatches) else f for f in feeds]
            made.append(self.run(fed, run_counter + n))
            self.finished += 1
        if not made:
            return [
                np.empty((0, *known(t.static_shape)), t.dtype.numpy) for t in self._plan.fetches
            ]
        return [np.stack(values) for values in zip(*made, strict=True)]

    def at(self, given: Sequence[Given]) -> ReferenceProgram | None:
        return None

    def clone(self, workspace: int | None) -> ReferenceProgram:
        return ReferenceProgram(self._plan, self._state)

    def describe(self) -> str:
        return "\n".join(map(_line, self._order))


def _last_uses(order: Sequence[Operation], kept: Sequence[Tensor]) -> list[list[Tensor]]:
    """For each operation the tensors that nobody needs after it."""
    seen = set(kept)
    release: list[list[Tensor]] = []
    for op in reversed(order):
        last = [tensor for tensor in dict.fromkeys((*op.inputs, *op.outputs)) if tensor not in seen]
        seen.update(last)
        release.append(last)
    return release[::-1]


def _line(op: Operation) -> str:
    made = ", ".join(f"{t.name} {t.spec}" for t in op.outputs) or op.name
    return f"{made} = {op.type}({', '.join(t.name for t in op.inputs)})"
