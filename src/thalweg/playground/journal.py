"""What was done to a network since it began, so that a program can do it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from thalweg.base.record import Record
from thalweg.playground.network import Structure
from thalweg.playground.points import Data
from thalweg.playground.state import State

__all__ = ["Beginning", "Edit", "Entry", "Journal", "Steps", "runs", "steps", "written"]

Array = NDArray[Any]


class Beginning(Record, eq=False):
    """How a network began.

    Attributes:
        structure: of the network.
        data: that it learned first.
        weights, biases: its values.
        trial: which initial values those are; None if the network was trained before.
        step: how many steps it had made by then.
    """

    structure: Structure
    data: Data
    weights: Sequence[Array]
    biases: Sequence[Array]
    trial: int | None
    step: int


class Steps(Record):
    """Steps that were made with the same rates.

    Attributes:
        count: how many.
        batch: rows of a step.
        learning, regularization, keep: the rates.
    """

    count: int
    batch: int
    learning: float
    regularization: float
    keep: float


class Edit(Record):
    """A weight or a bias that was set.

    Attributes:
        layer: counted from 1.
        place: of the weight (input and neuron) or of the bias (neuron).
        value: the new one.
    """

    layer: int
    place: tuple[int, ...]
    value: float


Entry: TypeAlias = Steps | Edit | Data


class Journal(Record, eq=False):
    """A beginning, and what followed.

    Attributes:
        beginning: of the network.
        entries: what happened since then, in order.
    """

    beginning: Beginning
    entries: tuple[Entry, ...] = ()


def written(journal: Journal, entry: Entry) -> Journal:
    """The journal with another entry; steps like the last ones are added to those."""
    entries = journal.entries
    match entries[-1] if entries else None, entry:
        case Steps() as last, Steps() if _rates(last) == _rates(entry):
            total = Steps(last.count + entry.count, *_rates(entry))
            return Journal(journal.beginning, (*entries[:-1], total))
        case Edit() as last, Edit() if (last.layer, last.place) == (entry.layer, entry.place):
            return Journal(journal.beginning, (*entries[:-1], entry))
        case Data(), Data():
            return Journal(journal.beginning, (*entries[:-1], entry))
    return Journal(journal.beginning, (*entries, entry))


def runs(journal: Journal) -> int:
    """How many runs a program needs for it, from which random numbers follow.

    The first one gives the variables their values; then each step is one, and to edit one weight it
    must read the others.
    """
    steps = sum(entry.count for entry in journal.entries if isinstance(entry, Steps))
    return 1 + steps + sum(isinstance(entry, Edit) for entry in journal.entries)


def steps(state: State, count: int) -> Steps:
    """Steps with the rates that are set."""
    rates = (state["learningRate"], state["regularizationRate"], 1 - state["dropout"])
    return Steps(count, state["batchSize"], *rates)


def _rates(entry: Steps) -> tuple[int, float, float, float]:
    return entry.batch, entry.learning, entry.regularization, entry.keep
