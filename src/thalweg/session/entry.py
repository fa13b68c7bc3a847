"""What a session remembers of its runs: what to compute, for which shapes, and how."""

from __future__ import annotations

from thalweg.backends.protocol import Program
from thalweg.base.record import Record, field
from thalweg.graph import Operation, Tensor
from thalweg.passes.prune import NOTHING
from thalweg.passes.stages import Stages


class Entry(Record, frozen=False, eq=False):
    """A compiled plan.

    Attributes:
        program: None if there is nothing to compute.
        feeds: the user's tensors whose arrays the program takes, in order.
        needs: variables that must have a value before it runs.
        writes: variables that have a value afterwards.
        ready: whether it has run, so that all these variables have values.
        remark: where the plan came from, for the log.
        static: the tensors whose values decide about shapes, in the order of the plan's trace.
        others: the program in other workspaces than the first, by their numbers.
    """

    program: Program | None
    feeds: tuple[Tensor, ...]
    needs: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    ready: bool = False
    remark: str = ""
    static: tuple[Tensor, ...] = ()
    others: dict[int, Program] = field(default_factory=dict)

    @property
    def uses(self) -> frozenset[str]:
        """All variables that it reads or writes."""
        return self.needs | self.writes


class Request(Record, frozen=False, eq=False):
    """What to compute with what is fed, whatever the shapes.

    Attributes:
        fetches: the tensors, none of them fed.
        targets: the operations.
        static: the feeds whose values decide about shapes.
        seeds: of the random operations.
        device: that it runs on, if it is one segment.
        done: operations that earlier segments of the run have done.
        stages: of a run that is more than one segment.
    """

    fetches: tuple[Tensor, ...]
    targets: tuple[Operation, ...]
    static: tuple[Tensor, ...]
    seeds: tuple[int, ...]
    device: str = ""
    done: frozenset[Operation] = NOTHING
    stages: Stages | None = None


class Choice(Record, frozen=False, eq=False):
    """What to compute with feeds of known shapes.

    Attributes:
        request: what to compute.
        fetches: the request's.
        only: the compiled plan, if no feed's value decides about shapes.
    """

    request: Request
    fetches: tuple[Tensor, ...]
    only: Entry | None = None
