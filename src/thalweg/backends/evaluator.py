"""Operations executed by NumPy, one after the other, as their records define them."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

import numpy as np

from thalweg.backends.state import Variables
from thalweg.base.dtypes import DType
from thalweg.graph import Op, Operation, Tensor, failed
from thalweg.ops.evaluation import outputs

Array = np.ndarray[Any, Any]


class Run:
    """Executes operations one by one, in one run.

    Attributes:
        values: of the tensors so far; that of a handle is the variable's memory.
    """

    def __init__(
        self,
        fed: dict[Tensor, Array],
        run_counter: Array,
        state: Variables,
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
        self.values[op.outputs[0]] = self._state.get(op.name)

    def read(self, op: Operation) -> None:
        """A read is a copy if the variable is written in the same run."""
        contents = [self.values[op.inputs[n]] for n in op.record.effects.reads]
        kept = self._written.isdisjoint(op.inputs)
        self._put(op, contents if kept else [buffer.copy() for buffer in contents])

    def write(self, op: Operation) -> None:
        made = op.record.evaluate(np, *[self.values[tensor] for tensor in op.inputs])
        contents = made if isinstance(made, tuple) else (made,)
        for number, new in zip(op.record.effects.writes, contents, strict=True):
            handle = op.inputs[number]
            self._state.set(handle.op.name, new)
            self.values[handle] = self._state.get(handle.op.name)
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
