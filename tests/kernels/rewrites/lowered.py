"""Definitions of small graphs, for the tests of passes: text before, and text after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from thalweg.graph import Operation, Tensor
from thalweg.kernels.lower.lower import Lowering
from thalweg.kernels.values import Definition, Fetch, Value
from thalweg.kernels.verify import Verifier
from thalweg.passes.make_plan import make_plan
from thalweg.passes.order import order

Shapes = Mapping[Tensor, tuple[int, ...]]


class Lowered:
    """The definitions of a graph, as the first pass gets them.

    Args:
        fetches: what is wanted.
        shapes: of the placeholders.
        targets: operations that are run for their effect.

    Attributes:
        definitions: in execution order.
        kept: the values that are fetched.
    """

    def __init__(
        self, fetches: Sequence[Tensor], shapes: Shapes, targets: Sequence[Operation] = ()
    ) -> None:
        plan = make_plan(fetches, targets, shapes, {})
        self.definitions = Lowering(order(plan), plan.feeds, plan.fetches, {}).definitions
        self.kept = _kept(self.definitions)


def _kept(definitions: Sequence[Definition]) -> set[Value]:
    """The values that are fetched."""
    return {d.value for d in definitions if isinstance(d.value.storage, Fetch)}


def verified(definitions: Sequence[Definition]) -> Sequence[Definition]:
    """The definitions, which must be what every pass has to leave."""
    Verifier(_kept(definitions)).check(definitions, "the pass")
    return definitions
