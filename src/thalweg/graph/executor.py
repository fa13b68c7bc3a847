"""How operations are executed: what their records declare decides, for every backend."""

from __future__ import annotations

from typing import Protocol

from thalweg.graph.effects import Origin
from thalweg.graph.node import Operation


class OpExecutor(Protocol):
    """A backend's way to execute each kind of operation, once the inputs are done."""

    def constant(self, op: Operation) -> None:
        """Take the value from the graph."""
        ...

    def feed(self, op: Operation) -> None:
        """Take the value from what the run is given."""
        ...

    def run_counter(self, op: Operation) -> None:
        """Take the number of the run."""
        ...

    def resource(self, op: Operation) -> None:
        """Find what the handle stands for."""
        ...

    def read(self, op: Operation) -> None:
        """Take the present contents of a resource."""
        ...

    def write(self, op: Operation) -> None:
        """Compute the new contents of resources, and replace the old ones."""
        ...

    def compute(self, op: Operation) -> None:
        """Compute the outputs from the inputs."""
        ...


def execute(op: Operation, executor: OpExecutor) -> None:
    """Execute an operation in the way that its record declares."""
    match op.record.origin:
        case Origin.CONSTANT:
            executor.constant(op)
        case Origin.FEED:
            executor.feed(op)
        case Origin.RUN_COUNTER:
            executor.run_counter(op)
        case Origin.RESOURCE:
            executor.resource(op)
        case None if op.record.effects.writes:
            executor.write(op)
        case None if op.record.effects.reads:
            executor.read(op)
        case None:
            executor.compute(op)
