"""A network while somebody plays with it: what is set, what was done, and how to undo it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.base.errors import InvalidArgumentError
from thalweg.base.record import Record
from thalweg.playground import journal as record
from thalweg.playground.engine import Engine, Values, initial_values, structure_of
from thalweg.playground.journal import Beginning, Edit, Journal
from thalweg.playground.network import Structure
from thalweg.playground.points import Data, classified, make_data
from thalweg.playground.presets import PRESETS
from thalweg.playground.state import DEFAULTS, State, changed, new_seed

__all__ = ["Experiment"]

MOST_UNDONE = 20
MOST_ENTRIES = 1_000  # of a journal: then it begins anew, and the optimiser with it
# What decides about the data. A change of the first ones begins with new weights, as another task.
TASK = ("problem", "dataset", "regDataset", "classes")
DATA = (*TASK, "noise", "percTrainData", "seed")


class Moment(Record, eq=False):
    """All that undoing brings back."""

    state: State
    own: NDArray[np.float64] | None
    data: Data
    trial: int
    structure: Structure
    values: Values
    journal: Journal


class Experiment:
    """One person's network.

    Args:
        state: what is set.

    Attributes:
        state: what is set now.
        data: that the network learns.
        engine: trains it.
        journal: what was done to it.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._own: NDArray[np.float64] | None = None
        self._trial = 0
        self._past: deque[Moment] = deque(maxlen=MOST_UNDONE)
        self.data = make_data(state)
        self.engine: Engine
        self.journal: Journal
        self._begin(structure_of(state, self.data))

    def close(self) -> None:
        """Free its memory."""
        self.engine.close()

    # -- training

    def train(self, steps: int) -> None:
        """Make steps with what is set."""
        if self.data.train and steps:
            self.engine.train(self.state, steps, record.runs(self.journal))
            self._write(record.steps(self.state, steps))

    # -- what a person does

    def set(self, changes: Mapping[str, Any]) -> None:
        """Change settings. The network goes on with its weights wherever they fit.

        Raises:
            InvalidArgumentError: if something does not fit; then nothing is changed.
        """
        state = changed(self.state, changes)
        if state["preset"] and state["preset"] != self.state["preset"]:
            state = _preset(state)
        before = {name for name in state if state[name] != self.state.get(name)}
        data = make_data(state, self._own) if before & {*DATA} else self.data
        self._become(state, data, is_new_task=bool(before & {*TASK, "initZero", "preset"}))

    def reset(self) -> None:
        """Begin again, with other weights."""
        self._keep()
        self._trial += 1
        self._begin(self.engine.structure)

    def regenerate(self) -> None:
        """Make new data of the same kind. The network keeps its weights."""
        state = changed(self.state, {"seed": new_seed()})
        self._become(state, make_data(state, self._own))

    def give(self, points: NDArray[np.float64]) -> None:
        """Take somebody's own points as the data.

        Raises:
            InvalidArgumentError: if their labels do not fit.
        """
        is_regression = self.state["problem"] == "regression"
        key = "regDataset" if is_regression else "dataset"
        state = changed(self.state, {key: "own"})
        data = make_data(state, points if is_regression else classified(points))
        self._become(state, data, own=points, is_new_task=state[key] != self.state[key])

    def edit(self, layer: int, place: tuple[int, ...], value: float) -> None:
        """Set a weight (input and neuron) or a bias (neuron).

        Raises:
            InvalidArgumentError: if there is none, or the value is not finite.
        """
        if not math.isfinite(value) or abs(value) > 1e6:
            raise InvalidArgumentError(f"a weight must be a number up to a million: {value}")
        self._keep()
        self.engine.edit(layer, place, value)
        self._write(Edit(layer, place, value))

    def undo(self) -> bool:
        """Take back what a person did last; whether there was anything."""
        if not self._past:
            return False
        moment = self._past.pop()
        self.state, self._own, self._trial = moment.state, moment.own, moment.trial
        self.data = moment.data
        if moment.structure != self.engine.structure:
            begun = moment.journal.beginning
            self._replace(moment.structure, begun.weights, begun.biases)
        self.engine.data = moment.data
        self.engine.restore(moment.values)
        self.journal = moment.journal
        return True

    def go_back(self, values: Values, journal: Journal) -> None:
        """Return to what the network knew a while ago."""
        self.engine.restore(values)
        self.journal = journal

    # -- inside

    def _become(
        self,
        state: State,
        data: Data,
        own: NDArray[np.float64] | None = None,
        is_new_task: bool = False,
    ) -> None:
        """Take other settings and data, and another network if they ask for one."""
        structure = structure_of(state, data)
        self._keep()
        self.state = state
        self._own = self._own if own is None else own
        is_new_data = data is not self.data
        if is_new_data:
            self.data = self.engine.data = data
        if is_new_task or structure.sizes != self.engine.structure.sizes:
            self._begin(structure)
        elif structure != self.engine.structure:
            self._go_on(structure)
        elif is_new_data:
            self._write(data)

    def _begin(self, structure: Structure) -> None:
        """A network with its initial values."""
        seed, zero = self.state["seed"], self.state["initZero"]
        values = initial_values(structure, seed, self._trial, zero)
        self._replace(structure, *values)
        self.journal = Journal(Beginning(structure, self.data, *values, self._trial, 0))

    def _go_on(self, structure: Structure) -> None:
        """A network of another structure, with the same weights; its optimiser begins anew."""
        step, rows, speed = self.engine.step, self.engine.rows, self.engine.seconds_per_step
        values = self.engine.weights()
        self._replace(structure, *values)
        self.engine.step, self.engine.rows, self.engine.seconds_per_step = step, rows, speed
        self.journal = Journal(Beginning(structure, self.data, *values, None, step))

    def _replace(self, structure: Structure, weights: Any, biases: Any) -> None:
        old = getattr(self, "engine", None)
        self.engine = Engine(structure, self.data, weights, biases)
        if old is not None:
            old.close()

    def _write(self, entry: record.Entry) -> None:
        self.journal = record.written(self.journal, entry)
        if len(self.journal.entries) > MOST_ENTRIES:
            self._go_on(self.engine.structure)

    def _keep(self) -> None:
        """Remember this moment, for undoing what comes."""
        engine = self.engine
        self._past.append(
            Moment(
                state=self.state,
                own=self._own,
                data=self.data,
                trial=self._trial,
                structure=engine.structure,
                values=engine.values(),
                journal=self.journal,
            )
        )


def _preset(state: State) -> State:
    """What a preset sets: all as usual but for what it says, and what is the person's own."""
    name = state["preset"]
    if name not in PRESETS:
        raise InvalidArgumentError(f"there is no preset {name!r}")
    kept = {key: state[key] for key in ("language", "speed", "seed", "hideText")}
    hidden = {key: value for key, value in state.items() if key not in DEFAULTS}
    return changed({**DEFAULTS, **hidden, **kept, "preset": name}, PRESETS[name])
