"""What one kind of run computes."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.base.dims import Trace
from thalweg.base.dtypes import DType
from thalweg.base.record import Record, field
from thalweg.graph import Graph, Operation, Tensor

RUN_TIME = -1  # an extent that only the run can tell: of what a loop has collected


class Interface(Record):
    """What a session must know of a plan, and what is shown of it.

    Attributes:
        feeds: how many there are.
        fetches: their shapes and dtypes; the first extent may be `RUN_TIME`.
        needs: variables that must have a value before it runs.
        writes: variables that have a value afterwards.
        types: of its operations, by name.
    """

    feeds: int
    fetches: tuple[tuple[tuple[int, ...], DType], ...]
    needs: frozenset[str]
    writes: frozenset[str]
    types: Mapping[str, str]


class Plan(Record):
    """A graph made for one set of fetches and one set of feed shapes.

    Attributes:
        graph: all its shapes are known, and it holds nothing that the run does not need.
        feeds: the placeholders, in the order in which a run gets their arrays.
        fetches: the tensors whose values a run returns, in order; one may occur twice.
        targets: operations that run for their effect: writes of variables.
        run_counter: the tensor that holds the number of the run, if anything reads it.
        trace: what was computed and asked of the extents that the user's graph leaves open.
    """

    graph: Graph
    feeds: tuple[Tensor, ...]
    fetches: tuple[Tensor, ...]
    targets: tuple[Operation, ...]
    run_counter: Tensor | None = None
    trace: Trace = field(default_factory=Trace)
