"""Initial values: a variable gets its own when a run first needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from thalweg.base.errors import FailedPreconditionError
from thalweg.graph import Graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.state.variable import Variable
from thalweg.session.entry import Entry
from thalweg.session.planner import Planner
from thalweg.session.variables import SessionVariables


class Initialisation:
    """Gives variables their initial values.

    Args:
        graph: has the variables.
        planner: plans the initialisers.
        store: where the values go.
    """

    def __init__(self, graph: Graph, planner: Planner, store: SessionVariables) -> None:
        self._graph, self._planner, self._store = graph, planner, store

    def run(self, names: Iterable[str], run: Callable[[Entry, frozenset[str]], object]) -> None:
        """Initialise variables, those first that others' initial values need.

        Args:
            names: of the variables.
            run: called with what initialises some of them, and with their names. It may do nothing
                if another thread has just initialised some.

        Raises:
            FailedPreconditionError: for a variable without an initial value.
        """
        left = frozenset(names)
        variables = self._named(left)
        while left:
            targets = tuple([v.initializer for name, v in variables.items() if name in left])
            entry = self._planner.entry(self._planner.choice((), targets, {}), {})
            first = entry.needs - self._store.initialised
            if first:
                self.run(first, run)
            else:
                run(entry, left)
            left = left - self._store.initialised

    def _named(self, names: frozenset[str]) -> dict[str, Variable]:
        every: list[Variable] = self._graph.get_collection(GraphKeys.ALL_VARIABLES)
        found = {v.op.name: v for v in every if v.op.name in names}
        if lost := names - found.keys():
            raise FailedPreconditionError(
                f"variable {min(lost)!r} has no value yet, and no initial value is known for it"
            )
        return found
