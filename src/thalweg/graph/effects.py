"""What operations do beside computing their outputs from their inputs."""

from __future__ import annotations

from enum import Enum, auto
from functools import cached_property

from thalweg.base.record import Record


class Origin(Enum):
    """Where a value comes from that no operation computes.

    Attributes:
        CONSTANT: from the graph.
        FEED: from whoever starts a run.
        RUN_COUNTER: from the session, which counts its runs.
        RESOURCE: it is a handle, which stands for what outlasts a run: a variable's memory.
    """

    CONSTANT = auto()
    FEED = auto()
    RUN_COUNTER = auto()
    RESOURCE = auto()


class Timing(Enum):
    """Which writes of the same run a read comes after, where dependencies do not decide.

    Attributes:
        BEFORE_WRITES: none.
        AFTER_WRITES: all that do not need what is read.
        IN_TURN: those that were made before it: it is the first half of an update.
    """

    BEFORE_WRITES = auto()
    AFTER_WRITES = auto()
    IN_TURN = auto()


class Effects(Record):
    """What an operation does beside computing its outputs from its inputs.

    Resources are named by the numbers of the inputs that are their handles. An operation that holds
    others has the effects of all of them.

    Attributes:
        reads: the resources whose contents it needs.
        writes: the resources that it changes; its outputs are their new contents, in this order.
        asks: the resources of which it asks only whether they have contents. The session answers,
            in place of `evaluate`.
        draws: whether it draws random numbers, with the seed in the record's `key`.
        acts: whether it does what no handle stands for: it prints, saves, or raises an error.
        host: whether Python must run it. That is no effect by itself.
        timing: of what it reads.
    """

    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    asks: tuple[int, ...] = ()
    draws: bool = False
    acts: bool = False
    host: bool = False
    timing: Timing = Timing.BEFORE_WRITES

    @cached_property
    def pure(self) -> bool:
        """Whether there are none: equal inputs make equal outputs, and nothing else happens."""
        return not (self.reads or self.writes or self.asks or self.draws or self.acts)

    @cached_property
    def must_run(self) -> bool:
        """Whether it matters even if nobody reads the outputs."""
        return bool(self.writes) or self.acts

    @cached_property
    def handles(self) -> frozenset[int]:
        """The inputs of which the resource matters, and not its contents."""
        return frozenset(self.reads + self.writes + self.asks)


ON_HOST = Effects(host=True)  # of a pure function that only Python can compute
ACTS_ON_HOST = Effects(acts=True, host=True)  # of what prints, raises or calls what has a state
