"""NumPy's worker: `python -m benchmarks.peers.numpy_worker THREADS`; the gradients are by hand.

NumPy takes its threads from its BLAS library, which reads the environment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.models import Array, Data, FedModel, Model, Predictor
from benchmarks.protocol import Ways, serve
from benchmarks.recipes import BETA1, BETA2, EPSILON, LOOP_BATCH, RECIPES, Recipe


class Trained(FedModel):
    """Dense layers with a relu between them, and softmax at the end.

    Args:
        data: weights, in the order of the layers, and batches.
        recipe: how to train.
    """

    def __init__(self, data: Data, recipe: Recipe) -> None:
        super().__init__(data)
        self._start, self._recipe = data.weights, recipe
        self._layers = [name.removesuffix("_w") for name in data.weights if name.endswith("_w")]
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self._weights = {name: weight.copy() for name, weight in self._start.items()}
        self._slots = {k: (np.zeros_like(w), np.zeros_like(w)) for k, w in self._start.items()}
        self._steps = 0

    def step(self, inputs: Array, labels: Array) -> None:
        """Make a step."""
        self._backward(*self._forward(inputs), labels)

    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step; the loss before it."""
        hidden, probabilities = self._forward(inputs)
        losses = -np.log(probabilities[np.arange(len(labels)), labels])
        self._backward(hidden, probabilities, labels)
        return float(losses.mean() if self._recipe.mean else losses.sum())

    def _forward(self, inputs: Array) -> tuple[list[Array], Array]:
        """Each layer's input, and the probabilities."""
        hidden, w = [inputs], self._weights
        for name in self._layers[:-1]:
            h = hidden[-1] @ w[f"{name}_w"]
            h += w[f"{name}_b"]
            hidden.append(np.maximum(h, 0, out=h))
        logits = hidden[-1] @ w[f"{self._layers[-1]}_w"]
        logits += w[f"{self._layers[-1]}_b"]
        logits -= logits.max(1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(1, keepdims=True)
        return hidden, logits

    def _backward(self, hidden: list[Array], probabilities: Array, labels: Array) -> None:
        """The gradients of all weights, and the step; overwrites the probabilities."""
        self._steps += 1
        gradient = probabilities
        gradient[np.arange(len(labels)), labels] -= 1
        if self._recipe.mean:
            gradient /= np.float32(len(labels))
        for name, below in zip(reversed(self._layers), reversed(hidden), strict=True):
            of_weights, of_bias = below.T @ gradient, gradient.sum(0)
            if below is not hidden[0]:
                gradient = gradient @ self._weights[f"{name}_w"].T
                gradient *= below > 0
            self._update(f"{name}_w", of_weights)
            self._update(f"{name}_b", of_bias)

    def _update(self, name: str, gradient: Array) -> None:
        """The optimiser's step; overwrites the gradient."""
        rate, weight = np.float32(self._recipe.rate), self._weights[name]
        if self._recipe.optimiser == "sgd":
            gradient *= rate
            weight -= gradient
            return
        m, v = self._slots[name]
        _move_average(m, gradient, BETA1)
        _move_average(v, np.square(gradient, out=gradient), BETA2)
        np.sqrt(v, out=gradient)
        gradient += np.float32(EPSILON)
        np.divide(m, gradient, out=gradient)
        correction = np.sqrt(1 - BETA2**self._steps) / (1 - BETA1**self._steps)
        gradient *= rate * np.float32(correction)
        weight -= gradient


def _move_average(average: Array, value: Array, decay: float) -> None:
    average *= np.float32(decay)
    average += np.float32(1 - decay) * value


class Looped(Trained):
    """Draws its own batches from a dataset in memory, shuffled anew in each epoch."""

    def __init__(self, data: Data, recipe: Recipe) -> None:
        super().__init__(data, recipe)
        self._inputs = data.inputs.reshape(-1, *data.inputs.shape[2:])
        self._labels = data.labels.reshape(-1)
        self._random = np.random.default_rng(1)

    def run(self, steps: int) -> None:
        """Epoch after epoch."""
        an_epoch = len(self._labels) // LOOP_BATCH
        for first in range(0, steps, an_epoch):
            order = self._random.permutation(len(self._labels)).reshape(an_epoch, LOOP_BATCH)
            for chosen in order[: steps - first]:
                self.step(self._inputs[chosen], self._labels[chosen])


class Constant(Predictor):
    """A copy of a constant."""

    def predict(self, inputs: Array) -> Array:
        """One."""
        return np.ones((), np.float32)


class AddOne(Predictor):
    """One addition."""

    def predict(self, inputs: Array) -> Array:
        """The sum."""
        return inputs + np.float32(1)


MODELS: dict[str, Callable[[Data], Model]] = {
    "softmax": lambda data: Trained(data, RECIPES["softmax"]),
    "softmax_loop": lambda data: Looped(data, RECIPES["softmax_loop"]),
    "mlp_64": lambda data: Trained(data, RECIPES["mlp_64"]),
    "mlp_320": lambda data: Trained(data, RECIPES["mlp_320"]),
    "mlp": lambda data: Trained(data, RECIPES["mlp"]),
    "empty": Constant,
    "add": AddOne,
}


def variants(workload: str, data: Data) -> Mapping[str, Ways]:
    """The one variant of the workloads that a person would write in NumPy."""
    return {"": [lambda: MODELS[workload](data)]} if workload in MODELS else {}


def main() -> None:
    """Serve until standard input ends."""
    serve({"numpy": np.__version__, "python": sys.version.split()[0]}, variants)


if __name__ == "__main__":
    main()
