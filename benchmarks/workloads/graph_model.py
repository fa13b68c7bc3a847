"""Thalweg graphs as models that can be measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import thalweg
from benchmarks import graphs
from benchmarks.models import Array, Data, FedModel, Predictor
from benchmarks.recipes import Recipe

tf: Any = thalweg  # its names come from many modules; mypy takes them for private

Variables = Mapping[str, Any]

BACKEND = ["native"]  # of all sessions; a worker may put another one here


class GraphModel(FedModel):
    """Trains in a session of its own, fed batch after batch.

    Args:
        inputs: the placeholder of the batch.
        labels: the placeholder of the digits, or of one-hot rows if it is of floats.
        loss: the loss of the batch, before the step.
        train: the operation that makes a step.
        variables: the weights, by their names in `data`.
        data: weights and batches.
        threads: how many the session may use.
        dropout: the placeholder of the share of units to keep, and that share in training.
    """

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        loss: Any,
        train: Any,
        variables: Variables,
        data: Data,
        threads: int,
        dropout: tuple[Any, float] | None = None,
    ) -> None:
        if labels.dtype == tf.float32:
            data = Data(data.weights, data.inputs, one_hot(data.labels))
        super().__init__(data)
        self._inputs, self._labels = inputs, labels
        self._loss, self._train = loss, train
        self._weights = data.weights
        self._variables = variables
        self._initialise = tf.global_variables_initializer()
        self._kept = {dropout[0]: dropout[1]} if dropout else {}
        self._all_kept = {dropout[0]: 1.0} if dropout else {}
        self.session = session(threads)
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self.session.run(self._initialise)
        load(self.session, self._variables, self._weights)

    def tune(self) -> None:
        """Measure the kernels of a step."""
        self.session.tune(self._train, self._feeds(*self.batches[0]))

    def program(self) -> Any:
        """What a step runs."""
        return self.session.program(self._train, self._feeds(*self.batches[0]))[1]

    def finish(self) -> None:
        """Wait for all steps, which XLA has perhaps only begun: a variable's value comes last."""
        if BACKEND[0] == "xla":
            self.session.run(min(self._variables.values(), key=lambda v: v.shape.num_elements()))

    def step(self, inputs: Array, labels: Array) -> None:
        """Make a step."""
        self.session.run(self._train, self._feeds(inputs, labels))

    def _feeds(self, inputs: Array, labels: Array) -> dict[Any, Any]:
        return {self._inputs: inputs, self._labels: labels, **self._kept}

    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step without dropout."""
        feeds = {self._inputs: inputs, self._labels: labels, **self._all_kept}
        loss, _ = self.session.run([self._loss, self._train], feeds)
        return float(loss)


def trained(made: graphs.Training, data: Data, threads: int) -> GraphModel:
    """The model of a graph in TensorFlow 1's API."""
    data = Data(made.weights, data.inputs, data.labels)
    parts = (made.inputs, made.labels, made.loss, made.train, made.variables)
    return GraphModel(*parts, data, threads)


class GraphPredictor(Predictor):
    """Runs a tensor in a session of its own.

    Args:
        inputs: the placeholder of the batch; None if nothing is fed.
        output: what is fetched.
        variables: the weights, by their names in `data`.
        data: weights and batches.
        threads: how many the session may use.
        others: what is fed besides.
    """

    def __init__(
        self,
        inputs: Any,
        output: Any,
        variables: Variables,
        data: Data,
        threads: int,
        others: Mapping[Any, Any] | None = None,
    ) -> None:
        super().__init__(data)
        self._input, self._output = inputs, output
        self._others = dict(others or {})
        self._session = session(threads)
        load(self._session, variables, data.weights)

    def tune(self) -> None:
        """Measure the kernels of a prediction."""
        self._session.tune(self._output, self._feeds(self._inputs[0]))

    def predict(self, inputs: Array) -> Array:
        """The output, as NumPy's array."""
        return np.asarray(self._session.run(self._output, self._feeds(inputs)))

    def _feeds(self, inputs: Array) -> dict[Any, Any]:
        return self._others if self._input is None else {self._input: inputs, **self._others}


def variables(data: Data) -> Variables:
    """A variable for each weight, by its name."""
    return {name: tf.Variable(tf.zeros(w.shape)) for name, w in data.weights.items()}


def optimiser(recipe: Recipe) -> Any:
    """The recipe's."""
    return graphs.optimiser(tf, recipe)


def session(threads: int) -> Any:
    """A session with so many threads, on the backend of this process."""
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, backend=BACKEND[0])
    return tf.Session(config=config)


def load(session: Any, variables: Variables, weights: Mapping[str, Array]) -> None:
    """Give the variables their values."""
    for name, variable in variables.items():
        session.load(variable, weights[name])


def one_hot(labels: Array, classes: int = 10) -> Array:
    """Float32 rows with a one at the label."""
    return np.eye(classes, dtype=np.float32)[labels]
