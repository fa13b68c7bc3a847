"""The original's network in plain Python: src/nn.ts of github.com/tensorflow/playground.

Every number by itself, in float64, as the original computes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

ACTIVATIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "tanh": (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
    "relu": (lambda x: max(0.0, x), lambda x: 0.0 if x <= 0 else 1.0),
    "sigmoid": (
        lambda x: 1 / (1 + math.exp(-x)),
        lambda x: (1 / (1 + math.exp(-x))) * (1 - 1 / (1 + math.exp(-x))),
    ),
    "linear": (lambda x: x, lambda x: 1.0),
}


class Original:
    """A network of nodes and links.

    Args:
        weights: of each layer, [inputs][neurons].
        biases: of each layer.
        activations: of each layer.
        regularization: "none", "L1" or "L2".
    """

    def __init__(
        self,
        weights: Sequence[Sequence[Sequence[float]]],
        biases: Sequence[Sequence[float]],
        activations: Sequence[str],
        regularization: str,
    ) -> None:
        self.weights = [[list(row) for row in layer] for layer in weights]
        self.biases = [list(layer) for layer in biases]
        self.dead = [[[False] * len(row) for row in layer] for layer in weights]
        self.activations, self.regularization = activations, regularization

    def outputs(self, inputs: Sequence[float]) -> tuple[list[list[float]], list[list[float]]]:
        """The sums and the outputs of each layer, the inputs first among these."""
        sums, values = [], [list(inputs)]
        for weights, biases, name in zip(self.weights, self.biases, self.activations, strict=True):
            total = [
                bias + sum(row[n] * x for row, x in zip(weights, values[-1], strict=True))
                for n, bias in enumerate(biases)
            ]
            sums.append(total)
            values.append([ACTIVATIONS[name][0](x) for x in total])
        return sums, values

    def step(
        self, batch: Sequence[tuple[Sequence[float], float]], rate: float, pull: float
    ) -> None:
        """Accumulate the derivatives of a mini-batch, and update."""
        dw = [[[0.0] * len(row) for row in layer] for layer in self.weights]
        db = [[0.0] * len(layer) for layer in self.biases]
        for inputs, target in batch:
            self._accumulate(inputs, target, dw, db)
        for layer, weights in enumerate(self.weights):
            for n in range(len(self.biases[layer])):
                self.biases[layer][n] -= rate * db[layer][n] / len(batch)
                for i, row in enumerate(weights):
                    if not self.dead[layer][i][n]:
                        self._update(layer, i, n, row, rate, dw[layer][i][n] / len(batch), pull)

    def _accumulate(
        self,
        inputs: Sequence[float],
        target: float,
        dw: list[list[list[float]]],
        db: list[list[float]],
    ) -> None:
        sums, values = self.outputs(inputs)
        back = [values[-1][0] - target]
        for layer in reversed(range(len(self.weights))):
            slope = ACTIVATIONS[self.activations[layer]][1]
            inner = [d * slope(x) for d, x in zip(back, sums[layer], strict=True)]
            for n, d in enumerate(inner):
                db[layer][n] += d
                for i, x in enumerate(values[layer]):
                    dw[layer][i][n] += d * x
            back = [
                sum(w * d for w, d in zip(row, inner, strict=True)) for row in self.weights[layer]
            ]

    def _update(
        self, layer: int, i: int, n: int, row: list[float], rate: float, slope: float, pull: float
    ) -> None:
        old = row[n]
        by = {"none": 0.0, "L1": float((old > 0) - (old < 0)), "L2": old}[self.regularization]
        row[n] = old - rate * slope
        new = row[n] - rate * pull * by
        if self.regularization == "L1" and row[n] * new < 0:
            row[n], self.dead[layer][i][n] = 0.0, True
        else:
            row[n] = new
