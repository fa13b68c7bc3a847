"""The reference backend: every operation evaluated by NumPy, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from thalweg.backends.protocol import Feed, MiniBatches
from thalweg.backends.state import VariableStore
from thalweg.base.dims import Given
from thalweg.base.dtypes import DType
from thalweg.base.shapes import known
from thalweg.graph import Op, Operation, Tensor, execute, failed
from thalweg.ops.evaluation import outputs
from thalweg.passes.order import order
from thalweg.passes.plan import Interface, Plan

Array = np.ndarray[Any, Any]


class ReferenceBackend:
    """Defines what the other backends must compute. Slow, and needs no compiler."""

    def recall(self, signature: str, given: Sequence[Given], state: VariableStore) -> None:
        return None

    def compile(
        self,
        plan: Plan,
        seen: Interface,
        state: VariableStore,
        batched_feeds: Mapping[int, DType],
        signature: str | None = None,
    ) -> ReferenceProgram:
        return ReferenceProgram(plan, state)


class ReferenceProgram:
    """A plan's operations in their order."""

    def __init__(self, plan: Plan, state: VariableStore) -> None:
        self._plan = plan
        self._state = state
        self._order = order(plan)
        self._written = {op.inputs[n] for op in self._order for n in op.record.effects.writes}
        self._release = _last_uses(self._order, plan.fetches)
        self.finished = 0

    def tune(self) -> dict[str, float]:
        return {}

    def run(self, feeds: Sequence[Array], run_counter: int) -> list[Array]:
        fed = dict(zip(self._plan.feeds, feeds, strict=True))
        one = Run(fed, np.asarray(run_counter, np.int64), self._state, self._written)
        with np.errstate(all="ignore"):
            for op, release in zip(self._order, self._release, strict=True):
                execute(op, one)
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


class Run:
    """Executes operations one by one, in one run.

    Attributes:
        values: of the tensors so far; that of a handle is the variable's memory.
    """

    def __init__(
        self,
        fed: dict[Tensor, Array],
        run_counter: Array,
        state: VariableStore,
        written: Set[Tensor],
    ) -> None:
        self.values: dict[Tensor, Any] = fed
        self._run_counter = run_counter
        self._state = state
        self._written = written

    def feed(self, op: Operation) -> None:
        """It is among the values from the start."""

    def run_counter(self, op: Operation) -> None:
        self.values[op.outputs[0]] = self._run_counter

    def resource(self, op: Operation) -> None:
        self.values[op.outputs[0]] = self._state.buffers[op.name]

    def read(self, op: Operation) -> None:
        """A read is a copy if the variable is written in the same run."""
        contents = [self.values[op.inputs[n]] for n in op.record.effects.reads]
        kept = self._written.isdisjoint(op.inputs)
        self._put(op, contents if kept else [buffer.copy() for buffer in contents])

    def write(self, op: Operation) -> None:
        made = op.record.evaluate(np, *[self.values[tensor] for tensor in op.inputs])
        contents = made if isinstance(made, tuple) else (made,)
        for number, new in zip(op.record.effects.writes, contents, strict=True):
            np.copyto(self.values[op.inputs[number]], new)
        self._put(op, contents)

    def constant(self, op: Operation) -> None:
        self.compute(op)

    def _evaluate(self, record: Op, inputs: list[Any], kinds: list[DType]) -> list[Array]:
        return outputs(record, inputs, kinds)

    def compute(self, op: Operation) -> None:
        try:
            inputs = [self.values[tensor] for tensor in op.inputs]
            kinds = [tensor.dtype for tensor in op.outputs]
            self._put(op, self._evaluate(op.record, inputs, kinds))
        except MemoryError:
            raise
        except Exception as error:
            raise failed(op, error) from error

    def _put(self, op: Operation, contents: Iterable[Any]) -> None:
        self.values.update(zip(op.outputs, contents, strict=True))


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
