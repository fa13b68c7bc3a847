"""Loops whose iterations compute little, as JAX compiles them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.models import Array, Data, Predictor
from benchmarks.peers.jax_networks import Weights, jax, lax
from benchmarks.recipes import PRODUCTS, SCALAR_STEPS, congruential


class Looping(Predictor):
    """A jitted function of what is fed, with its weights on the device.

    Args:
        data: the batches.
        function: of the weights and what is fed.
    """

    def __init__(self, data: Data, function: Callable[[Weights, Any], Any]) -> None:
        super().__init__(data)
        self._weights = {name: jax.numpy.array(weight) for name, weight in data.weights.items()}
        self._function = jax.jit(function)

    def predict(self, inputs: Array) -> Array:
        """The last value, or a gradient."""
        return np.asarray(self._function(self._weights, inputs))


def scalar(w: Weights, seed: Any) -> Any:
    """Numbers of a linear congruential generator."""
    return lax.fori_loop(0, SCALAR_STEPS, lambda _, number: congruential(number), seed[0])


def product(w: Weights, start: Any) -> Any:
    """A matrix that is turned again and again."""
    return lax.fori_loop(0, PRODUCTS, lambda _, h: h @ w["turn"], start)


def product_gradient(w: Weights, start: Any) -> Any:
    """Half the squared distance between first and last, differentiated by the turn."""
    loss = lambda w: ((product(w, start) - start) ** 2).sum() / 2  # noqa: E731  used once
    return jax.grad(loss)(w)["turn"]


LOOPS: dict[str, Callable[[Weights, Any], Any]] = {
    "while_scalar": scalar,
    "while_product": product,
    "while_product_gradient": product_gradient,
}
