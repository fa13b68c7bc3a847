"""What goes wrong in a group, and how long its members wait."""

from __future__ import annotations

from thalweg.base.errors import OpError
from thalweg.base.record import Record

__all__ = ["LostRankError", "Patience"]


class LostRankError(OpError):
    """A process of the group is gone, or does not answer. The group is of no use any more.

    All processes must start again, from a checkpoint: `thalweg launch --max-restarts` does so.
    """


class Patience(Record):
    """How long to wait for other processes, in seconds.

    Attributes:
        warn: after which a warning says who is missing.
        give_up: after which the wait is an error.
    """

    warn: float = 60.0
    give_up: float = 180.0
