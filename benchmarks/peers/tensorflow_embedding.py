"""A table of which a step trains few rows, as a tf.function with TensorFlow's kernels for rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.models import Array, Data, FedModel
from benchmarks.peers.tensorflow_networks import dense, tf
from benchmarks.recipes import ADAGRAD_START, BETA1, BETA2, EPSILON, Recipe

# What each optimiser's slots start with.
FIRST: dict[str, tuple[float, ...]] = {
    "sgd": (),
    "adagrad": (ADAGRAD_START,),
    "lazy_adam": (0.0, 0.0),
}


class TableFunction(FedModel):
    """A bag of words, fed NumPy arrays.

    Args:
        data: weights and batches.
        recipe: how to train.
    """

    def __init__(self, data: Data, recipe: Recipe) -> None:
        super().__init__(data)
        self._recipe, self._rule = recipe, getattr(self, f"_{recipe.optimiser}")
        self._start = dict(data.weights)
        self._pattern = self._start.pop("pattern")
        shapes = {name: weight.shape for name, weight in self._start.items()}
        shapes["table"] = (recipe.rows, self._pattern.shape[1])
        self._weights = {name: tf.Variable(tf.zeros(shape)) for name, shape in shapes.items()}
        self._first = FIRST[recipe.optimiser]
        self._slots = {
            name: [tf.Variable(tf.zeros(shape)) for _ in self._first]
            for name, shape in shapes.items()
        }
        self._powers = [tf.Variable(1.0), tf.Variable(1.0)]  # of Adam's decays
        fed = (data.inputs, data.labels)
        signature = [tf.TensorSpec([None, *a.shape[2:]], a.dtype) for a in fed]
        self._function = tf.function(self._train, signature)
        self._restart = tf.function(self._assign)
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self._restart()

    def step(self, inputs: Array, labels: Array) -> None:
        """Make a step."""
        self._function(inputs, labels)

    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step; the loss before it."""
        return float(self._function(inputs, labels))

    def _assign(self) -> None:
        table = self._weights["table"]
        table.assign(tf.tile(self._pattern, [self._recipe.rows // len(self._pattern), 1]))
        for name, weight in self._start.items():
            self._weights[name].assign(weight)
        for slots in self._slots.values():
            for slot, value in zip(slots, self._first, strict=True):
                slot.assign(tf.fill(slot.shape, value))
        for power in self._powers:
            power.assign(1.0)

    def _train(self, words: Any, labels: Any) -> Any:
        w = self._weights
        rows, place = tf.unique(tf.reshape(words, [-1]))
        with tf.GradientTape() as tape:
            used = tf.gather(w["table"], rows)  # each row once, which sums its gradients
            tape.watch(used)
            mean = tf.reduce_mean(tf.gather(used, tf.reshape(place, tf.shape(words))), 1)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, dense(w, mean, "out"))
            loss = tf.reduce_sum(losses)
        sources = {"table": used, "out_w": w["out_w"], "out_b": w["out_b"]}
        gradients = tape.gradient(loss, sources)
        for power, beta in zip(self._powers, (BETA1, BETA2), strict=True):
            power.assign(power * beta)
        for name, gradient in gradients.items():
            indices = rows if name == "table" else tf.range(w[name].shape[0], dtype=tf.int64)
            self._rule(w[name], self._slots[name], tf.convert_to_tensor(gradient), indices)
        return loss

    def _sgd(self, var: Any, slots: Any, gradient: Any, rows: Any) -> None:
        change = self._recipe.rate * gradient
        tf.raw_ops.ResourceScatterSub(resource=var.handle, indices=rows, updates=change)

    def _adagrad(self, var: Any, slots: Any, gradient: Any, rows: Any) -> None:
        tf.raw_ops.ResourceSparseApplyAdagrad(
            var=var.handle,
            accum=slots[0].handle,
            lr=self._recipe.rate,
            grad=gradient,
            indices=rows,
        )

    def _lazy_adam(self, var: Any, slots: Any, gradient: Any, rows: Any) -> None:
        m, v = slots
        new_m = BETA1 * tf.gather(m, rows) + (1 - BETA1) * gradient
        new_v = BETA2 * tf.gather(v, rows) + (1 - BETA2) * tf.square(gradient)
        beta1_power, beta2_power = self._powers
        rate = self._recipe.rate * tf.sqrt(1 - beta2_power) / (1 - beta1_power)
        change = rate * new_m / (tf.sqrt(new_v) + np.float32(EPSILON))
        for slot, values in ((m, new_m), (v, new_v)):
            tf.raw_ops.ResourceScatterUpdate(resource=slot.handle, indices=rows, updates=values)
        tf.raw_ops.ResourceScatterSub(resource=var.handle, indices=rows, updates=change)
