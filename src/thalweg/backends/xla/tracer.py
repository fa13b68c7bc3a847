"""Operations evaluated by `jax.numpy` while JAX traces a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.backends.xla import checks
from thalweg.backends.xla.checks import Checks
from thalweg.backends.xla.control_flow import CONTROL_FLOW
from thalweg.backends.xla.overrides import OVERRIDES
from thalweg.base.errors import ThalwegError, UnimplementedError
from thalweg.graph import Body, Operation, Origin, Tensor, Timing, execute, failed
from thalweg.ops.arrays.constant import constant_of

CAPACITY = 64  # iterations that a loop collects values of before it asks for more room


class Tracer:
    """Executes operations one by one, as the reference does, on what stands for arrays.

    Args:
        values: of tensors that are given: feeds, constants.
        run_counter: the number of the run.
        state: the contents of variables by name, which writes replace.
        checks: where checks are noted.
        failure: see `checks`.
        capacity: of how many iterations a loop may collect values, if only its end tells.

    Attributes:
        values: of all tensors so far.
        counts: how many values such loops have collected, by tensor.
    """

    def __init__(
        self,
        values: dict[Tensor, Any],
        run_counter: Any,
        state: dict[str, Any],
        checks: Checks,
        failure: Any,
        capacity: int = CAPACITY,
    ) -> None:
        self.values, self.state, self.failure = values, state, failure
        self.checks, self.capacity = checks, capacity
        self.counts: dict[Tensor, Any] = {}
        self._run_counter = run_counter
        self._arrays: dict[Tensor, Any] = {}

    def run(self, ops: Iterable[Operation]) -> None:
        """Execute operations in their order."""
        for op in ops:
            execute(op, self)

    def feed(self, op: Operation) -> None:
        """It is among the values from the start."""

    def run_counter(self, op: Operation) -> None:
        self.values[op.outputs[0]] = self._run_counter

    def resource(self, op: Operation) -> None:
        """The value of a handle is always the present contents: see `_inputs`."""

    def constant(self, op: Operation) -> None:
        if op.outputs[0] not in self.values:
            self.values[op.outputs[0]] = op.record.evaluate(np)

    def read(self, op: Operation) -> None:
        self.compute(op)

    def write(self, op: Operation) -> None:
        inputs = self._inputs(op)
        in_place = op.record.effects.timing is Timing.IN_TURN  # an update of rows
        if in_place:
            inputs = self._rows_that_stay(inputs)
        made = self._evaluated(op, inputs)
        for number, output, new in zip(op.record.effects.writes, op.outputs, made, strict=True):
            contents = new if in_place else self._unless_failed(new, inputs[number])
            self.values[output] = self.state[op.inputs[number].op.name] = contents

    def compute(self, op: Operation) -> None:
        inputs = self._inputs(op)
        self.failure = self.checks.add(self.failure, op, inputs)
        self.values.update(zip(op.outputs, self._evaluated(op, inputs), strict=True))

    def run_body(self, failure: Any, body: Body, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
        """The word of failure after a body, and its outputs."""
        given = dict(zip(body.inputs, inputs, strict=True))
        inner = Tracer(given, None, {}, self.checks, failure, self.capacity)
        inner.run(body.operations)
        return inner.failure, [inner.values[tensor] for tensor in body.outputs]

    def _inputs(self, op: Operation) -> list[Any]:
        """The arrays that an operation takes; those that decide about shapes are NumPy's."""
        found = []
        for number, tensor in enumerate(op.inputs):
            if tensor.op.record.origin is Origin.RESOURCE:
                found.append(self.state[tensor.op.name])
            elif number in op.record.static:
                found.append(self.values[tensor])
            else:
                found.append(self.array(tensor))
        return found

    def array(self, tensor: Tensor) -> Any:
        """The value of a tensor, if it is a constant in the way that makes the least of it."""
        record = constant_of(tensor)
        if tensor in self._arrays:
            return self._arrays[tensor]
        if record is not None and record.is_uniform:
            made = jnp.full(record.array.shape, record.array.flat[0])
        else:
            made = jnp.asarray(self.values[tensor])
        self._arrays[tensor] = made
        return made

    def _evaluated(self, op: Operation, inputs: Sequence[Any]) -> list[Any]:
        try:
            made = self._made(op, inputs)
        except (ThalwegError, MemoryError):
            raise
        except Exception as error:
            problem = UnimplementedError(f"XLA cannot compute it: {error}")
            raise failed(op, problem) from error
        arrays = made if isinstance(made, tuple) else (made,)
        kinds = [tensor.dtype.numpy for tensor in op.outputs]
        return [jnp.asarray(a, kind) for a, kind in zip(arrays, kinds, strict=True)]

    def _made(self, op: Operation, inputs: Sequence[Any]) -> Any:
        kind = type(op.record)
        if kind in CONTROL_FLOW:
            return CONTROL_FLOW[kind](self, op, *inputs)
        if kind in OVERRIDES:
            return OVERRIDES[kind](op.record, *inputs)
        return op.record.evaluate(jnp, *inputs)

    def _rows_that_stay(self, inputs: list[Any]) -> list[Any]:
        """The inputs of an update of rows: after a failure it updates rows that do not exist."""
        table, rows, updates = inputs
        if not self.checks.may_fail:
            return inputs
        return [table, jnp.where(checks.is_well(self.failure), rows, table.shape[0]), updates]

    def _unless_failed(self, new: Any, old: Any) -> Any:
        if not self.checks.may_fail:
            return new
        return jnp.where(checks.is_well(self.failure), new, old)
