"""A plan as a pure function of arrays, which JAX can trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.backends.xla import checks
from thalweg.backends.xla.checks import Checks
from thalweg.backends.xla.tracer import Tracer
from thalweg.base.record import Record
from thalweg.base.shapes import known
from thalweg.graph import Operation, Origin, Tensor
from thalweg.ops.arrays.constant import constant_of
from thalweg.passes.order import order
from thalweg.passes.plan import RUN_TIME, Interface, Plan

LARGE_BYTES = 1 << 16  # from which on a constant is an argument, and no part of the program


class Outcome(Record, eq=False):
    """What a run of a plan makes, as JAX traces it.

    Attributes:
        written: the new contents of the variables that the plan writes.
        fetched: the values of the fetches; what a loop collects has rows behind the last.
        counts: how many rows each of these fetches has.
        failure: see `checks`.
    """

    written: list[Any]
    fetched: list[Any]
    counts: list[Any]
    failure: Any


class PlanFunction:
    """Evaluates a plan's operations in their order.

    Args:
        plan: what to compute.
        seen: its interface.

    Attributes:
        written: names of the variables that it writes.
        read: of those that it only reads.
        constants: arrays that it takes as arguments.
        fetched: the shapes and dtypes of the fetches.
        collected: the numbers of the fetches of which the run tells how many rows they have.
        names: of its operations.
    """

    def __init__(self, plan: Plan, seen: Interface) -> None:
        self.plan = plan
        self._order = order(plan)
        self.names = tuple([op.name for op in self._order])
        handles = [op for op in self._order if op.record.origin is Origin.RESOURCE]
        self._handles = {op.name: op.outputs[0] for op in handles}
        self.written = tuple(name for name in self._handles if name in seen.writes)
        self.read = tuple(name for name in self._handles if name not in seen.writes)
        large = [op for op in self._order if _is_large(op)]
        self._large = [op.outputs[0] for op in large]
        self.constants = [np.asarray(op.record.evaluate(np)) for op in large]
        shapes = enumerate(shape for shape, _ in seen.fetches)
        self.fetched = [(shape, dtype.numpy) for shape, dtype in seen.fetches]
        self.collected = tuple(n for n, shape in shapes if RUN_TIME in shape)

    def lines(self) -> list[str]:
        """The operations, for people."""
        return [
            f"{', '.join(f'{t.name} {t.spec}' for t in op.outputs) or op.name} = "
            f"{op.type}({', '.join(t.name for t in op.inputs)})"
            for op in self._order
        ]

    def specs(self) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """The shapes and dtypes of the first four arguments."""
        handles = [[self._handles[n] for n in names] for names in (self.written, self.read)]
        written, read, large, feeds = (
            [(known(t.static_shape), t.dtype.numpy) for t in tensors]
            for tensors in (*handles, self._large, self.plan.feeds)
        )
        return written, read, large, feeds

    def __call__(
        self,
        noted: Checks,
        capacity: int,
        written: Sequence[Any],
        read: Sequence[Any],
        constants: Sequence[Any],
        feeds: Sequence[Any],
        run_counter: Any,
    ) -> Outcome:
        """What a run makes.

        Args:
            noted: takes the checks.
            capacity: see `Tracer`.
            written: the variables that are written.
            read: the others.
            constants: as `constants` has them.
            feeds: in the plan's order.
            run_counter: the number of the run, int64.
        """
        names = (*self.written, *self.read)
        state = dict(zip(names, (*written, *read), strict=True))
        given: dict[Tensor, Any] = dict(zip(self.plan.feeds, feeds, strict=True))
        given.update(zip(self._large, constants, strict=True))
        tracer = Tracer(given, run_counter, state, noted, checks.none(), capacity)
        tracer.run(self._order)
        fetched = [tracer.array(tensor) for tensor in self.plan.fetches]
        counts = [tracer.counts[self.plan.fetches[n]] for n in self.collected]
        return Outcome([state[n] for n in self.written], fetched, counts, tracer.failure)


def _is_large(op: Operation) -> bool:
    record = constant_of(op.outputs[0]) if op.outputs else None
    return record is not None and record.array.nbytes >= LARGE_BYTES and not record.is_uniform
