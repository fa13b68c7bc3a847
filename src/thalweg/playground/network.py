"""The graph of a playground: one part that trains, and one that evaluates.

What may change while it runs is fed, so that nothing is compiled anew: the data, how many rows a
step takes, the learning rate, the strength of regularisation and the share that dropout keeps. The
position in the data is a variable, so that a thousand steps are one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import thalweg as tf
from thalweg.base.record import Record

__all__ = ["Network", "Structure", "build"]

Array = NDArray[Any]

# For each activation, the name of its function in `tf`.
ACTIVATIONS = {
    "relu": "nn.relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "linear": "identity",
    "elu": "nn.elu",
    "softplus": "nn.softplus",
    "leakyrelu": "nn.leaky_relu",
}
# For each feature, what it is of a point's x and y.
FEATURES: dict[str, Callable[[Any, Any], Any]] = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "xSquared": lambda x, y: tf.square(x),
    "ySquared": lambda x, y: tf.square(y),
    "xTimesY": lambda x, y: x * y,
    "sinX": lambda x, y: tf.sin(x),
    "sinY": lambda x, y: tf.sin(y),
}
# For each optimiser, its class in `tf.train`, and what it is given besides the learning rate.
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("GradientDescentOptimizer", {}),
    "momentum": ("MomentumOptimizer", {"momentum": 0.9}),
    "nesterov": ("MomentumOptimizer", {"momentum": 0.9, "use_nesterov": True}),
    "adagrad": ("AdagradOptimizer", {}),
    "adadelta": ("AdadeltaOptimizer", {}),
    "rmsprop": ("RMSPropOptimizer", {}),
    "adam": ("AdamOptimizer", {}),
    "ftrl": ("FtrlOptimizer", {}),
    "proximalsgd": ("ProximalGradientDescentOptimizer", {}),
    "proximaladagrad": ("ProximalAdagradOptimizer", {}),
}


class Structure(Record):
    """What a graph follows from.

    Attributes:
        features: of the points; none if the inputs are images.
        sizes: of the inputs, and of each layer with weights.
        activations: of each layer with weights.
        classes: for softmax, if there are more than two.
        optimizer: a key of `OPTIMIZERS`.
        regularization: "none", "L1" or "L2".
        has_dropout: whether hidden neurons are dropped at random.
    """

    features: tuple[str, ...]
    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    classes: int
    optimizer: str
    regularization: str
    has_dropout: bool

    @property
    def layers(self) -> int:
        """How many layers have weights."""
        return len(self.activations)

    @property
    def parameters(self) -> int:
        """How many weights and biases there are."""
        return sum((a + 1) * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def has_softmax(self) -> bool:
        """Whether the outputs are one for each class."""
        return self.classes > 2


class Network(Record, eq=False):
    """A graph with all that is fed to it and fetched from it.

    Attributes:
        graph: where it is.
        inputs: placeholder, [n, 2] or [n, 784].
        labels: placeholder, [n].
        offsets: placeholder, 0, 1, 2, ... for the rows of a mini-batch.
        learning_rate, regularization_rate, keep_prob: scalar placeholders, the last two if needed.
        chosen: placeholder: the columns that a picture is to show, of all neurons one after the
            other, features first.
        train: makes a step.
        loss: the mean loss of all rows.
        predictions: of all rows: the output, or the number of the class.
        pictures: uint8, [chosen, n]: from -1 to 1 or, for classes, from 0 to 1.
        outputs: of every layer for all rows, features first.
        weights, biases: variables, of each layer.
    """

    graph: tf.Graph
    inputs: tf.Tensor
    labels: tf.Tensor
    offsets: tf.Tensor
    learning_rate: tf.Tensor
    regularization_rate: tf.Tensor | None
    keep_prob: tf.Tensor | None
    chosen: tf.Tensor
    train: tf.Operation
    loss: tf.Tensor
    predictions: tf.Tensor
    pictures: tf.Tensor
    outputs: tuple[tf.Tensor, ...]
    weights: tuple[tf.Variable, ...]
    biases: tuple[tf.Variable, ...]

    def rates(self, learning: float, regularization: float, keep: float) -> dict[tf.Tensor, Any]:
        """What to feed for them."""
        fed = {self.learning_rate: np.float32(learning)}
        if self.regularization_rate is not None:
            fed[self.regularization_rate] = np.float32(regularization)
        if self.keep_prob is not None:
            fed[self.keep_prob] = np.float32(keep)
        return fed


def build(structure: Structure) -> Network:
    """The network in a graph of its own.

    Its weights begin with zeros, until a session is given others: were they constants of the graph,
    no two rooms could share the code that sets them.
    """
    with tf.Graph().as_default() as graph:
        return _Builder(structure).network(graph)


class _Builder:
    """Makes the parts of a network in the default graph, in the order of an exported program."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        kind = tf.int32 if structure.has_softmax else tf.float32
        width = 2 if structure.features else structure.sizes[0]
        self.inputs = tf.placeholder(tf.float32, [None, width], name="inputs")
        self.labels = tf.placeholder(kind, [None], name="labels")
        self.offsets = tf.placeholder(tf.int32, [None], name="offsets")
        self.learning_rate = tf.placeholder(tf.float32, [], name="learning_rate")
        self.regularization_rate = self.keep_prob = None
        if structure.regularization != "none":
            self.regularization_rate = tf.placeholder(tf.float32, [], name="regularization_rate")
        if structure.has_dropout:
            self.keep_prob = tf.placeholder(tf.float32, [], name="keep_prob")
        self.position = tf.Variable(0, trainable=False, name="position")
        shapes = list(zip(structure.sizes, structure.sizes[1:], strict=False))
        self.weights = tuple(
            tf.Variable(tf.zeros(shape), name=f"weights{n}") for n, shape in enumerate(shapes, 1)
        )
        self.biases = tuple(
            tf.Variable(tf.zeros([size]), name=f"biases{n}")
            for n, (_, size) in enumerate(shapes, 1)
        )

    def network(self, graph: tf.Graph) -> Network:
        train = self._train()
        with tf.name_scope("evaluate"):
            outputs = self._outputs(self.inputs, None)
            loss = self._loss(outputs[-1], self.labels)
            predictions = self._predictions(outputs[-1])
            chosen = tf.placeholder(tf.int32, [None], name="chosen")
            pictures = self._pictures(outputs, chosen)
        return Network(
            graph=graph,
            inputs=self.inputs,
            labels=self.labels,
            offsets=self.offsets,
            learning_rate=self.learning_rate,
            regularization_rate=self.regularization_rate,
            keep_prob=self.keep_prob,
            chosen=chosen,
            train=train,
            loss=loss,
            predictions=predictions,
            pictures=pictures,
            outputs=tuple(outputs),
            weights=self.weights,
            biases=self.biases,
        )

    def _train(self) -> tf.Operation:
        """A step on the next rows, which begin anew behind the last one."""
        count = tf.shape(self.inputs)[0]
        rows = (self.position + self.offsets) % count
        outputs = self._outputs(tf.gather(self.inputs, rows), self.keep_prob)
        loss = self._loss(outputs[-1], tf.gather(self.labels, rows))
        step = self._step(loss)
        with tf.control_dependencies([step]):
            behind = (self.position + tf.shape(self.offsets)[0]) % count
            return tf.group(step, self.position.assign(behind), name="train")

    def _step(self, loss: tf.Tensor) -> tf.Operation:
        name, more = OPTIMIZERS[self._structure.optimizer]
        optimizer = getattr(tf.train, name)(self.learning_rate, **more)
        match self._structure.regularization:
            case "L1":
                return self._step_towards_zero(optimizer, loss)
            case "L2":
                return self._step_with_decay(optimizer, loss)
        step: tf.Operation = optimizer.minimize(loss)
        return step

    def _step_with_decay(self, optimizer: Any, loss: tf.Tensor) -> tf.Operation:
        """The step, and then what L2 takes off each weight by its value before the step."""
        before = [tf.identity(w) for w in self.weights]
        with tf.control_dependencies(before):
            step = optimizer.minimize(loss)
        by = self.learning_rate * self.regularization_rate
        updates = []
        with tf.control_dependencies([step]):
            for w, b in zip(self.weights, before, strict=True):
                with tf.name_scope(f"update_{w.op.name}"):
                    updates.append(w.assign_sub(by * b))
            return tf.group(*updates)

    def _step_towards_zero(self, optimizer: Any, loss: tf.Tensor) -> tf.Operation:
        """The step, and then what L1 takes off; a weight that crosses 0 by that stays there."""
        alive = [
            tf.Variable(tf.ones_like(w.initial_value), trainable=False, name=f"alive{n}")
            for n, w in enumerate(self.weights, 1)
        ]
        before = [tf.identity(w) for w in self.weights]
        with tf.control_dependencies(before):
            step = optimizer.minimize(loss)
        by = self.learning_rate * self.regularization_rate
        updates = []
        with tf.control_dependencies([step]):
            for w, b, lives in zip(self.weights, before, alive, strict=True):
                with tf.name_scope(f"update_{w.op.name}"):
                    updates += _shrink(w, by * tf.sign(b), b, lives)
            return tf.group(*updates)

    def _outputs(self, inputs: tf.Tensor, keep_prob: tf.Tensor | None) -> list[tf.Tensor]:
        """Those of every layer, features first."""
        value = self._features(inputs)
        values = [value]
        last = self._structure.layers
        layers = zip(self.weights, self.biases, self._structure.activations, strict=True)
        for number, (weights, biases, activation) in enumerate(layers, 1):
            with tf.name_scope(f"layer{number}"):
                value = activate(activation, tf.matmul(value, weights) + biases)
                if keep_prob is not None and number < last:
                    value = tf.nn.dropout(value, keep_prob, seed=number)
            values.append(value)
        return values

    def _features(self, inputs: tf.Tensor) -> tf.Tensor:
        if not self._structure.features:
            return inputs
        with tf.name_scope("features"):
            x, y = inputs[:, 0], inputs[:, 1]
            return tf.stack([FEATURES[name](x, y) for name in self._structure.features], axis=1)

    def _loss(self, output: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Of a layer without its softmax, or half the squared error."""
        with tf.name_scope("loss"):
            if self._structure.has_softmax:
                return tf.reduce_mean(
                    tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=output)
                )
            return tf.reduce_mean(0.5 * tf.square(output[:, 0] - labels))

    def _predictions(self, output: tf.Tensor) -> tf.Tensor:
        if self._structure.has_softmax:
            return tf.argmax(output, 1, output_type=tf.int32)
        return output[:, 0]

    def _pictures(self, outputs: Sequence[tf.Tensor], chosen: tf.Tensor) -> tf.Tensor:
        last = outputs[-1]
        shown = 2.0 * tf.nn.softmax(last) - 1.0 if self._structure.has_softmax else last
        columns = tf.gather(tf.concat([*outputs[:-1], shown], axis=1), chosen, axis=1)
        levels = tf.clip_by_value(tf.transpose(columns) * 127.5 + 127.5, 0.0, 255.0)
        return tf.cast(levels, tf.uint8)


def _shrink(w: tf.Variable, by: tf.Tensor, before: tf.Tensor, alive: tf.Variable) -> list[Any]:
    """Take something off weights that have made a step, unless they were at 0 for good."""
    stepped = w.read_value()
    shrunk = stepped - by
    crosses = tf.less(stepped * shrunk, 0.0)
    moved = tf.where(crosses, tf.zeros_like(shrunk), shrunk)
    lives = tf.greater(alive, 0.0)
    still = tf.logical_and(lives, tf.logical_not(crosses))
    update = w.assign(tf.where(lives, moved, before))
    return [update, alive.assign(tf.cast(still, tf.float32))]


def activate(name: str, value: tf.Tensor) -> tf.Tensor:
    """What an activation makes of a layer's sums."""
    function: Any = tf
    for part in ACTIVATIONS[name].split("."):
        function = getattr(function, part)
    activated: tf.Tensor = function(value)
    return activated


def feed_rows(network: Network, inputs: Array, labels: Array) -> Mapping[tf.Tensor, Array]:
    """What to feed for rows."""
    return {network.inputs: inputs, network.labels: labels}
