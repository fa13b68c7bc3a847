"""Gulrajani and others, Improved training of Wasserstein GANs, 2017: small, with gradient penalty.

Both players share one loss here, so that one step trains both: what matters is its gradients, which
are second derivatives in the penalty.
"""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

PENALTY = 10.0


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    noise = n.mean(x)  # three numbers for each image
    fake = _generated(n, noise)
    critic = _Critic(n)
    between = x * 0.3 + fake * 0.7
    real, false = critic.scores(x), critic.scores(fake)
    slope = n.slope(critic.scores(between), between)
    penalty = n.total((slope - 1.0) * (slope - 1.0)) * PENALTY
    return fake, n.total(false) - n.total(real) + penalty


def _generated(n: Layers, noise: Any) -> Any:
    y = n.shaped(n.relu(n.norm(n.dense(noise, 4 * 4 * 16))), 4, 16)
    y = n.relu(n.norm(n.enlarged(y, 8, 5, 2)))
    return n.function("tanh", n.enlarged(y, 3, 5, 2))


class _Critic:
    """Scores images, each time with the same weights."""

    def __init__(self, n: Layers) -> None:
        self._n = n
        shapes = ((5, 5, 3, 8), (5, 5, 8, 16))
        self._filters = [n.weight(shape, 25 * shape[2]) for shape in shapes]
        self._biases = [n.vector(shape[3], 0.1) for shape in shapes]
        self._last = n.weight((4 * 4 * 16, 1), 256)

    def scores(self, x: Any) -> Any:
        n = self._n
        for w, bias in zip(self._filters, self._biases, strict=True):
            x = n.function("leaky_relu", n.convolved(x, w, 2, "SAME") + bias)
        return n.product(n.flat(x), self._last)
