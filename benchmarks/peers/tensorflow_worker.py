"""TensorFlow's worker: `python -m benchmarks.peers.tensorflow_worker THREADS`.

A whole step is one graph: a tf.function, the same compiled by XLA, or a graph of TensorFlow 1 that
a session runs. The optimisers are TensorFlow's own kernels, one call a weight.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks import graphs
from benchmarks.graphs import Training
from benchmarks.models import Array, Data, FedModel, Predictor
from benchmarks.peers.tensorflow_embedding import TableFunction
from benchmarks.peers.tensorflow_networks import NETWORKS, Logits, tf
from benchmarks.protocol import Ways, serve
from benchmarks.recipes import (
    BETA1,
    BETA2,
    EPSILON,
    LOOP_BATCH,
    MOMENTUM,
    MOST_ROWS,
    PREDICTIONS,
    RECIPES,
    Recipe,
)

FUNCTION, XLA, SESSION = "function", "function, XLA", "graph session"


class State:
    """A network's weights and its optimiser's slots.

    Args:
        data: the weights.
        recipe: which slots.
    """

    def __init__(self, data: Data, recipe: Recipe) -> None:
        self.weights = {name: tf.Variable(weight) for name, weight in data.weights.items()}
        self.recipe = recipe
        slots = {"sgd": 0, "momentum": 1, "adam": 2}[recipe.optimiser]
        like = [weight.shape for weight in data.weights.values()]
        self.slots = [[tf.Variable(tf.zeros(shape)) for shape in like] for _ in range(slots)]
        self.powers = [tf.Variable(beta) for beta in (BETA1, BETA2)]

    @property
    def variables(self) -> list[Any]:
        """All that a step changes."""
        return [*self.weights.values(), *itertools.chain(*self.slots), *self.powers]

    def start(self, data: Data) -> list[Any]:
        """The variables' starting values."""
        weights = list(data.weights.values())
        zeros = [np.zeros_like(weight) for weight in weights]
        return [*weights, *zeros * len(self.slots), np.float32(BETA1), np.float32(BETA2)]

    def update(self, gradients: Sequence[Any]) -> list[Any]:
        """The optimiser's step."""
        handles = [weight.handle for weight in self.weights.values()]
        slots = [[variable.handle for variable in slot] for slot in self.slots]
        dense = map(tf.convert_to_tensor, gradients)  # those of tf.gather are sparse
        apply: dict[str, Callable[..., Any]] = {
            "sgd": self._sgd,
            "momentum": self._momentum,
            "adam": self._adam,
        }
        one = apply[self.recipe.optimiser]
        done = [one(*each) for each in zip(dense, handles, *slots, strict=True)]
        with tf.control_dependencies([operation for operation in done if operation is not None]):
            betas = zip(self.powers, (BETA1, BETA2), strict=True)
            return [power.assign(power * beta, read_value=False) for power, beta in betas]

    def _sgd(self, gradient: Any, var: Any) -> Any:
        rate = self.recipe.rate
        return tf.raw_ops.ResourceApplyGradientDescent(var=var, alpha=rate, delta=gradient)

    def _momentum(self, gradient: Any, var: Any, accum: Any) -> Any:
        return tf.raw_ops.ResourceApplyMomentum(
            var=var, accum=accum, lr=self.recipe.rate, grad=gradient, momentum=MOMENTUM
        )

    def _adam(self, gradient: Any, var: Any, m: Any, v: Any) -> Any:
        beta1_power, beta2_power = self.powers
        return tf.raw_ops.ResourceApplyAdam(
            var=var,
            m=m,
            v=v,
            beta1_power=beta1_power,
            beta2_power=beta2_power,
            lr=self.recipe.rate,
            beta1=BETA1,
            beta2=BETA2,
            epsilon=EPSILON,
            grad=gradient,
        )


def loss_of(logits: Any, labels: Any, recipe: Recipe) -> Any:
    """The cross-entropy."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(labels, [-1]), logits)
    return tf.reduce_mean(losses) if recipe.mean else tf.reduce_sum(losses)


class FunctionModel(FedModel):
    """A tf.function for a step, fed NumPy arrays."""

    def __init__(self, way: str, logits: Logits, recipe: Recipe, data: Data, xla: bool) -> None:
        super().__init__(data)
        self.way = way
        self._data, self._state = data, State(data, recipe)

        def step(inputs: Any, labels: Any, keep: float) -> Any:
            with tf.GradientTape() as tape:
                loss = loss_of(logits(self._state.weights, inputs, keep), labels, recipe)
            self._state.update(tape.gradient(loss, list(self._state.weights.values())))
            return loss

        def jitted(keep: float) -> Any:
            signature = [_any_batch(data.inputs), _any_batch(data.labels)]
            return tf.function(lambda i, n: step(i, n, keep), signature, jit_compile=xla)

        self._body = step
        self._step, self._checked_step = jitted(recipe.keep), jitted(1.0)

    def reset(self) -> None:
        """Start again."""
        for variable, value in zip(
            self._state.variables, self._state.start(self._data), strict=True
        ):
            variable.assign(value)

    def step(self, inputs: Array, labels: Array) -> None:
        """Make a step."""
        self._step(inputs, labels)

    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step without dropout."""
        return float(self._checked_step(inputs, labels))


class LoopedFunction(FunctionModel):
    """A tf.function for an epoch: a while loop of the graph over batches drawn in memory."""

    def __init__(self, way: str, logits: Logits, recipe: Recipe, data: Data, xla: bool) -> None:
        super().__init__(way, logits, recipe, data, xla)
        inputs, labels = map(_rows, (data.inputs, data.labels))
        self._an_epoch = len(labels) // LOOP_BATCH

        def epoch(order: Any, steps: Any) -> None:
            for i in tf.range(steps):
                chosen = order[i]
                self._body(tf.gather(inputs, chosen), tf.gather(labels, chosen), 1.0)

        self._epoch = tf.function(epoch, jit_compile=xla)
        self._shuffled = tf.function(
            lambda: tf.reshape(tf.random.shuffle(tf.range(len(labels))), [-1, LOOP_BATCH])
        )

    def run(self, steps: int) -> None:
        """Epoch after epoch."""
        for first in range(0, steps, self._an_epoch):
            self._epoch(self._shuffled(), tf.constant(min(self._an_epoch, steps - first)))
        self._state.powers[0].numpy()


class SessionModel(FedModel):
    """A graph and a session of TensorFlow 1, fed NumPy arrays."""

    def __init__(self, way: str, logits: Logits, recipe: Recipe, data: Data, threads: int) -> None:
        super().__init__(data)
        self.way = way
        v1 = tf.compat.v1
        with tf.Graph().as_default() as graph:
            state = State(data, recipe)
            self._inputs, self._labels = map(_placeholder, (data.inputs, data.labels))
            self._loss, self._checked_step = self._built(state, logits, 1.0)
            _, self._step = self._built(state, logits, recipe.keep)
            self._session = v1.Session(graph=graph, config=_config(threads))
            self._initialise = v1.global_variables_initializer()
        self.reset()

    def _built(self, state: State, logits: Logits, keep: float) -> tuple[Any, Any]:
        loss = loss_of(logits(state.weights, self._inputs, keep), self._labels, state.recipe)
        gradients = tf.gradients(loss, list(state.weights.values()))
        with tf.control_dependencies([loss]):  # the loss before the step
            return loss, tf.group(*state.update(gradients))

    def reset(self) -> None:
        """Start again."""
        self._session.run(self._initialise)

    def step(self, inputs: Array, labels: Array) -> None:
        """Make a step."""
        self._session.run(self._step, {self._inputs: inputs, self._labels: labels})

    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step without dropout."""
        feeds = {self._inputs: inputs, self._labels: labels}
        loss, _ = self._session.run([self._loss, self._checked_step], feeds)
        return float(loss)


class GraphModel(FedModel):
    """A whole graph in TensorFlow 1's API, its optimisers included, and a session.

    Args:
        way: what is particular about it.
        build: makes the graph with the module of that API.
        data: the batches.
        threads: how many the session may use.
    """

    def __init__(
        self, way: str, build: Callable[[Any], Training], data: Data, threads: int
    ) -> None:
        super().__init__(data)
        self.way = way
        v1 = tf.compat.v1
        with tf.Graph().as_default() as graph:
            self._made = build(v1)
            self._initialise = v1.global_variables_initializer()
            named = self._made.variables.items()
            self._load = [v1.assign(variable, self._made.weights[name]) for name, variable in named]
            self._session = v1.Session(graph=graph, config=_config(threads))
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self._session.run(self._initialise)
        self._session.run(self._load)

    def step(self, inputs: Array, labels: Array) -> None:
        """Make a step."""
        self._session.run(self._made.train, self._feeds(inputs, labels))

    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step; the loss before it."""
        fetches = [self._made.loss, self._made.train]
        return float(self._session.run(fetches, self._feeds(inputs, labels))[0])

    def _feeds(self, inputs: Array, labels: Array) -> dict[Any, Array]:
        return {self._made.inputs: inputs, self._made.labels: labels}


class FunctionPredictor(Predictor):
    """A tf.function of the input, or of nothing."""

    def __init__(self, data: Data, function: Callable[..., Any], xla: bool) -> None:
        super().__init__(data)
        weights = {name: tf.constant(weight) for name, weight in data.weights.items()}
        signature = [tf.TensorSpec(data.inputs.shape[1:], data.inputs.dtype)]
        self._function = tf.function(lambda x: function(weights, x), signature, jit_compile=xla)

    def predict(self, inputs: Array) -> Array:
        """The output."""
        return self._function(inputs).numpy()  # type: ignore[no-any-return]


class SessionPredictor(Predictor):
    """A graph and a session of TensorFlow 1."""

    def __init__(self, data: Data, function: Callable[..., Any], threads: int) -> None:
        super().__init__(data)
        with tf.Graph().as_default() as graph:
            weights = {name: tf.constant(weight) for name, weight in data.weights.items()}
            self._input = _placeholder(data.inputs)
            self._output = function(weights, self._input)
            self._session = tf.compat.v1.Session(graph=graph, config=_config(threads))

    def predict(self, inputs: Array) -> Array:
        """The output."""
        return np.asarray(self._session.run(self._output, {self._input: inputs}))


def variants(workload: str, data: Data, threads: int) -> Mapping[str, Ways]:
    """Functions without and with XLA, and a session."""
    if workload in PREDICTIONS or workload in CALLS:
        function = CALLS.get(workload) or _prediction(PREDICTIONS[workload])
        return {
            FUNCTION: [partial(FunctionPredictor, data, function, xla=False)],
            XLA: [partial(FunctionPredictor, data, function, xla=True)],
            SESSION: [partial(SessionPredictor, data, function, threads)],
        }
    recipe = RECIPES[workload]
    if recipe.network == "embedding":
        return _embedding(workload, data, threads)
    networks = NETWORKS[recipe.network].items()
    looped = workload == "softmax_loop"
    kind = LoopedFunction if looped else FunctionModel
    made: dict[str, Ways] = {
        name: [partial(kind, way, logits, recipe, data, xla) for way, logits in networks]
        for name, xla in ((FUNCTION, False), (XLA, True))
    }
    if not looped:  # whose loop would be the same in a session
        made[SESSION] = [partial(SessionModel, *item, recipe, data, threads) for item in networks]
    if workload in GRAPHS:
        build = partial(GRAPHS[workload], data=data, recipe=recipe)
        made[SESSION] = [
            *made[SESSION],
            partial(GraphModel, "tf.compat.v1.nn.dynamic_rnn", build, data, threads),
        ]
    return made


def _embedding(workload: str, data: Data, threads: int) -> Mapping[str, Ways]:
    """Functions with kernels for rows, and graphs with TensorFlow 1's own optimisers."""
    recipe = RECIPES[workload]
    if recipe.rows > MOST_ROWS:
        return {}
    made: dict[str, Ways] = {FUNCTION: [partial(TableFunction, data, recipe)]}
    if recipe.optimiser != "lazy_adam":  # which TensorFlow 2 has not
        build = partial(graphs.embedding, data=data, recipe=recipe)
        made[SESSION] = [partial(GraphModel, "", build, data, threads)]
    return made


def _prediction(network: str) -> Callable[..., Any]:
    (logits,) = NETWORKS[network].values()
    return lambda weights, inputs: tf.nn.softmax(logits(weights, inputs, 1.0))


CALLS: dict[str, Callable[..., Any]] = {
    "empty": lambda weights, inputs: tf.constant(1.0),
    "add": lambda weights, inputs: inputs + 1.0,
    **{name: partial(loop, tf.compat.v1) for name, loop in graphs.LOOPS.items()},
}
GRAPHS: dict[str, Callable[..., Training]] = {
    "lstm_dynamic": graphs.lstm,
    "lstm_500": partial(graphs.lstm, padded=True),
}


def _rows(batches: Array) -> Any:
    """All batches' rows, one after another."""
    return tf.constant(batches.reshape(-1, *batches.shape[2:]))


def _any_batch(batches: Array) -> Any:
    return tf.TensorSpec([None, *batches.shape[2:]], batches.dtype)


def _placeholder(batches: Array) -> Any:
    shape = [None, *batches.shape[2:]]
    return tf.compat.v1.placeholder(batches.dtype, shape)


def _config(threads: int) -> Any:
    return tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
    )


def main(threads: int) -> None:
    """Serve until standard input ends."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    versions = {
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    serve(versions, lambda workload, data: variants(workload, data, threads))


if __name__ == "__main__":
    main(int(sys.argv[1]))
