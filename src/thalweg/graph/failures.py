"""What an error says of an operation that has failed in a run."""

from __future__ import annotations

from thalweg.base.errors import InvalidArgumentError, OpError
from thalweg.base.record import Record
from thalweg.base.source import Source
from thalweg.graph.node import Operation


def failed(op: Operation, problem: object) -> OpError:
    """The error of an operation that failed in a run; of the problem's kind, if it has one.

    That of a loop or a branch is the error of what failed inside.
    """
    if op.record.bodies and isinstance(problem, OpError) and problem.is_located:
        return problem
    return FailedOp.of(op).failed(problem)


def with_place(error: OpError, place: str) -> OpError:
    """The same error with a further line, on where in a run it happened."""
    made = type(error)(f"{error}\n  {place}")
    made.is_located = error.is_located
    return made


def in_iteration(error: OpError, number: int) -> OpError:
    """The error of an iteration of a loop, with its number; the first one is 0."""
    is_inner = "\n  in iteration " in str(error)
    return with_place(error, f"in iteration {number}{' of the loop around it' if is_inner else ''}")


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
        error = kind(f"{self.name!r} ({self.type}) failed: {problem}\n  {where}")
        error.is_located = True
        return error
