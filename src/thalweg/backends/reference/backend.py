"""The reference backend: every operation evaluated by NumPy, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.backends.protocol import Feed, Rows
from thalweg.backends.state import VariableStore
from thalweg.base.dtypes import DType
from thalweg.base.shapes import known
from thalweg.graph import Operation, Tensor, failed
from thalweg.ops.arrays.constant import Placeholder, RunCounter
from thalweg.ops.evaluation import outputs
from thalweg.ops.state.variable import Assign, ReadVariable, VariableHandle
from thalweg.passes.order import order
from thalweg.passes.plan import Interface, Plan

Array = np.ndarray[Any, Any]


class ReferenceBackend:
    """Defines what the other backends must compute. Slow, and needs no compiler."""

    def recall(self, signature: str, numbers: Sequence[int], state: VariableStore) -> None:
        return None

    def compile(
        self,
        plan: Plan,
        seen: Interface,
        state: VariableStore,
        picked: Mapping[int, DType],
        signature: str | None = None,
    ) -> ReferenceProgram:
        return ReferenceProgram(plan, state)


class ReferenceProgram:
    """A plan's operations in their order."""

    def __init__(self, plan: Plan, state: VariableStore) -> None:
        self._plan = plan
        self._state = state
        self._order = order(plan)
        self._written = {op.inputs[0] for op in self._order if isinstance(op.record, Assign)}
        self._release = _last_uses(self._order, plan.fetches)
        self.finished = 0

    def tune(self) -> dict[str, float]:
        return {}

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        values: dict[Tensor, Any] = dict(zip(self._plan.feeds, feeds, strict=True))
        with np.errstate(all="ignore"):
            for op, release in zip(self._order, self._release, strict=True):
                self._run(op, values, run_counter)
                for tensor in release:
                    values.pop(tensor, None)
        return [np.array(values[tensor]) for tensor in self._plan.fetches]

    def run_steps(self, feeds: Sequence[Feed], run_counter: int, steps: int) -> list[Array]:
        made = []
        self.finished = 0
        for n in range(steps):
            fed = [f.batch(n) if isinstance(f, Rows) else f for f in feeds]
            made.append(self.run(fed, run_counter + n))
            self.finished += 1
        if not made:
            return [
                np.empty((0, *known(t.static_shape)), t.dtype.numpy) for t in self._plan.fetches
            ]
        return [np.stack(values) for values in zip(*made, strict=True)]

    def _run(self, op: Operation, values: dict[Tensor, Any], run_counter: int) -> None:
        match op.record:
            case Placeholder():
                return
            case RunCounter():
                values[op.outputs[0]] = np.asarray(run_counter, np.int64)
            case VariableHandle():
                values[op.outputs[0]] = self._state.buffers[op.name]
            case ReadVariable():
                buffer = values[op.inputs[0]]
                values[op.outputs[0]] = buffer.copy() if op.inputs[0] in self._written else buffer
            case Assign():
                value = values[op.inputs[1]]
                np.copyto(self._state.buffers[op.inputs[0].op.name], value)
                values[op.outputs[0]] = value
            case _:
                values.update(zip(op.outputs, self._evaluate(op, values), strict=True))

    def _evaluate(self, op: Operation, values: dict[Tensor, Any]) -> list[Array]:
        try:
            inputs = [values[tensor] for tensor in op.inputs]
            return outputs(op.record, inputs, [tensor.dtype for tensor in op.outputs])
        except MemoryError:
            raise
        except Exception as error:
            raise failed(op, error) from error

    def at(self, extents: Sequence[int]) -> ReferenceProgram | None:
        return None

    def apart(self, workspace: int | None) -> ReferenceProgram:
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
