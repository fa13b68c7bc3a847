"""A network with its session: steps, losses, pictures and edits."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError
from thalweg.base.record import Record
from thalweg.playground.network import Network, Structure, build, feed_rows
from thalweg.playground.points import DOMAIN, PIXELS, Data, random_numbers
from thalweg.playground.state import State, features
from thalweg.session.progress import Progress

__all__ = ["Engine", "Measure", "Values", "initial_values", "structure_of"]

Array = NDArray[Any]

MOST_PARAMETERS = 60_000
FIRST_STEPS = 20  # of a network whose speed is not known yet
MOST_STEPS = 200_000  # in a frame
CALL_S = 0.0005  # about what a call takes besides the steps


class Values(Record, eq=False):
    """What a network knows: the values of all its variables, by name, and how far it has come.

    Attributes:
        variables: copies of them.
        step: how many steps were made.
        rows: how many rows those took.
    """

    variables: Mapping[str, Array]
    step: int
    rows: int


class Measure(Record):
    """How good a network is on some rows.

    Attributes:
        loss: the mean, without regularisation.
        accuracy: the share that is classified correctly; None in a regression.
        confusion: for each class, how many rows of it were taken for which class.
    """

    loss: float
    accuracy: float | None
    confusion: tuple[tuple[int, ...], ...] | None


def structure_of(state: State, data: Data) -> Structure:
    """The structure that a state asks for.

    Raises:
        InvalidArgumentError: if there are too many weights, or no features.
    """
    inputs = () if data.is_images else features(state)
    if not inputs and not data.is_images:
        raise InvalidArgumentError("the network needs at least one feature")
    width = PIXELS**2 if data.is_images else len(inputs)
    outputs = data.classes if data.classes > 2 else 1
    shape = state["networkShape"]
    own = [*state["activations"], *[state["activation"]] * len(shape)][: len(shape)]
    last = "tanh" if data.classes == 2 else "linear"
    structure = Structure(
        features=inputs,
        sizes=(width, *shape, outputs),
        activations=(*own, last),
        classes=data.classes,
        optimizer=state["optimizer"],
        regularization=state["regularization"],
        has_dropout=state["dropout"] > 0 and len(shape) > 0,
    )
    if structure.parameters > MOST_PARAMETERS:
        raise InvalidArgumentError(
            f"the network would have {structure.parameters:,} weights, "
            f"and at most {MOST_PARAMETERS:,} are allowed"
        )
    return structure


def initial_values(
    structure: Structure, seed: str, trial: int, is_zero: bool
) -> tuple[list[Array], list[Array]]:
    """Weights from -0.5 to 0.5 and biases of 0.1, as the original's; or zeros.

    Args:
        structure: of the network.
        seed: of the state.
        trial: how often the network was reset: each time it begins with others.
        is_zero: whether all are 0.
    """
    random = random_numbers(f"{seed}/{trial}")
    shapes = list(zip(structure.sizes, structure.sizes[1:], strict=False))
    weights = [random.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in shapes]
    if is_zero:
        weights = [np.zeros_like(w) for w in weights]
    bias = 0.0 if is_zero else 0.1
    return weights, [np.full(size, bias, np.float32) for size in structure.sizes[1:]]


class Engine:
    """Trains and shows one network.

    Args:
        structure: of the network.
        data: that it learns; it may be exchanged for other data of the same kind.
        weights, biases: the values to begin with.

    Attributes:
        step: how many steps were made.
        rows: how many rows those took.
        seconds_per_step: of the latest steps; 0 before any.
    """

    def __init__(
        self, structure: Structure, data: Data, weights: Sequence[Array], biases: Sequence[Array]
    ) -> None:
        self.structure, self.data = structure, data
        self.network: Network = build(structure)
        # A step takes microseconds, so that other threads would only be waited for.
        config = tf.ConfigProto(intra_op_parallelism_threads=1)
        self.session = tf.Session(graph=self.network.graph, config=config)
        with self.network.graph.as_default():
            self._variables: list[tf.Variable] = tf.global_variables()
        first = zip([*self.network.weights, *self.network.biases], [*weights, *biases], strict=True)
        self.session.restore(dict(first))
        self.step = self.rows = 0
        self.seconds_per_step = 0.0
        self._latest = 0, 0.0  # steps of the latest call, and seconds that they took

    def close(self) -> None:
        """Free its memory."""
        self.session.close()

    # -- training

    def feeds(self, state: State) -> dict[tf.Tensor, Any]:
        """What a step is fed: the training rows, and the rates that are set."""
        rates = (state["learningRate"], state["regularizationRate"], 1 - state["dropout"])
        return {
            **feed_rows(self.network, *self.data.part("train")),
            self.network.offsets: np.arange(state["batchSize"], dtype=np.int32),
            **self.network.rates(*rates),
        }

    def train(self, state: State, steps: int, runs: int) -> None:
        """Make steps, one right after the other, without Python in between.

        Args:
            state: what is set.
            steps: how many.
            runs: the number of the first, from which random numbers follow.
        """
        if not steps or not self.data.train:
            return
        feeds = self.feeds(state)
        if not self.seconds_per_step:
            self.session.program(self.network.train, feeds)  # compiling is no part of a step
        self.session.restore({}, Progress(runs))  # pictures are runs as well
        start = time.thread_time()  # in which waiting for other rooms does not count
        self.session.run_steps(self.network.train, steps, feeds)
        self._latest = steps, time.thread_time() - start
        self.seconds_per_step = _smoothed(self.seconds_per_step, self._latest[1] / steps)
        self.step += steps
        self.rows += steps * state["batchSize"]

    def steps_in(self, seconds: float) -> int:
        """How many steps can be made in that time, by what the latest ones took.

        At most twice as many as those, since of few steps the call takes more than they do.
        """
        steps, took = self._latest
        if not steps:
            return FIRST_STEPS
        wanted = int(steps * (seconds + CALL_S) / max(took, 1e-6))
        return min(max(wanted, 1), 2 * steps, MOST_STEPS)

    @property
    def epoch(self) -> float:
        """How often all rows have been taken."""
        return self.rows / max(1, self.data.train)

    # -- what is known

    def values(self) -> Values:
        """A copy of what the network knows."""
        with self.session.reading(self._variables) as snapshot:
            copies = {name: array.copy() for name, array in snapshot.values.items()}
        return Values(copies, self.step, self.rows)

    def restore(self, values: Values) -> None:
        """Go back to what it knew."""
        by_name = {variable.op.name: variable for variable in self._variables}
        self.session.restore({by_name[name]: v for name, v in values.variables.items()})
        self.step, self.rows = values.step, values.rows

    def weights(self) -> tuple[list[Array], list[Array]]:
        """Weights [inputs, neurons] and biases of each layer."""
        network = self.network
        with self.session.reading([*network.weights, *network.biases]) as snapshot:
            own = snapshot.values
            weights = [own[w.op.name].copy() for w in network.weights]
            return weights, [own[b.op.name].copy() for b in network.biases]

    def edit(self, layer: int, place: tuple[int, ...], value: float) -> None:
        """Set a weight, by its input and neuron, or a bias, by its neuron.

        Args:
            layer: counted from 1.
            place: two numbers or one.
            value: the new one.

        Raises:
            InvalidArgumentError: if there is none.
        """
        variables = self.network.weights if len(place) == 2 else self.network.biases
        if not 1 <= layer <= len(variables):
            raise InvalidArgumentError(f"there is no layer {layer}")
        variable = variables[layer - 1]
        with self.session.reading([variable]) as snapshot:
            array = snapshot.values[variable.op.name].copy()
        if not all(0 <= i < extent for i, extent in zip(place, array.shape, strict=True)):
            raise InvalidArgumentError(f"layer {layer} has no weight or bias {list(place)}")
        array[place] = value
        self.session.load(variable, array)

    # -- what is seen

    def measure(self, part: str) -> Measure:
        """How good it is on the rows of "train" or "test"."""
        inputs, labels = self.data.part(part)
        if not len(labels):
            return Measure(0.0, None, None)
        fetches = [self.network.loss, self.network.predictions]
        loss, found = self.session.run(fetches, feed_rows(self.network, inputs, labels))
        if not self.data.classes:
            return Measure(float(loss), None, None)
        return Measure(float(loss), *_counted(labels, found, self.data.classes))

    def pictures(self, neurons: Sequence[int], size: int) -> Array:
        """What neurons make of the plane: uint8, [neurons, size, size], from -1 to 1.

        Args:
            neurons: by their places among all, features first, layer after layer.
            size: of the pictures, in points; the first row is the top.
        """
        network = self.network
        chosen = np.array([*neurons, neurons[-1]], np.int32)  # of a single one the plan is another
        feeds = {network.inputs: grid(size), network.chosen: chosen}
        found = self.session.run(network.pictures, feeds)
        return np.asarray(found)[:-1].reshape(-1, size, size)

    def weight_images(self) -> Array:
        """The weights of the first layer as images: uint8, [neurons, 28, 28]; 128 is 0."""
        weights = self.weights()[0][0].T.reshape(-1, PIXELS, PIXELS)
        most = np.abs(weights).max(axis=(1, 2), keepdims=True)
        with np.errstate(invalid="ignore"):
            levels = weights / np.where(most > 0, most, 1) * 127.5 + 127.5
        return np.nan_to_num(levels, nan=128).astype(np.uint8)

    def is_finite(self) -> bool:
        """Whether no weight or bias is infinite or NaN."""
        weights, biases = self.weights()
        return all(bool(np.isfinite(array).all()) for array in (*weights, *biases))


@cache
def grid(size: int) -> NDArray[np.float32]:
    """The points of a picture, [size * size, 2], row by row from the top."""
    across = np.linspace(*DOMAIN, size)
    x, y = np.meshgrid(across, across[::-1])
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)


def _counted(
    labels: Array, found: Array, classes: int
) -> tuple[float, tuple[tuple[int, ...], ...]]:
    """The accuracy, and the confusion matrix."""
    if classes == 2:  # 1 and -1 are classes 0 and 1
        labels, found = (labels < 0).astype(int), (found < 0).astype(int)
    counts = np.bincount(labels * classes + found, minlength=classes**2).reshape(classes, classes)
    rows = tuple(tuple(row) for row in counts.tolist())
    return float(np.trace(counts) / len(labels)), rows


def _smoothed(known: float, new: float) -> float:
    """A mean in which what was measured last counts a fifth."""
    return new if not known else math.exp(0.8 * math.log(known) + 0.2 * math.log(max(new, 1e-9)))
