"""What an error says of an operation that has failed in a run."""

from __future__ import annotations

from thalweg.base.errors import InvalidArgumentError, OpError
from thalweg.base.record import Record
from thalweg.base.source import Source
from thalweg.graph.node import Operation


def failed(op: Operation, problem: object) -> OpError:
    """The error of an operation that failed in a run; of the problem's kind, if it has one."""
    return FailedOp.of(op).failed(problem)


class FailedOp(Record):
    """What an error says of an operation that has failed."""

    name: str
    type: str
    source: Source

    @staticmethod
    def of(op: Operation) -> FailedOp:
        """An operation without its graph."""
        return FailedOp(op.name, op.type, op.source)

    def failed(self, problem: object) -> OpError:
        """The error."""
        where = f"at {self.source}"
        kind = type(problem) if isinstance(problem, OpError) else InvalidArgumentError
        return kind(f"{self.name!r} ({self.type}) failed: {problem}\n  {where}")
