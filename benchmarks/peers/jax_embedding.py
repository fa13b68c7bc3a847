"""A table of which a step trains few rows: they are taken first, as JAX has no sparse gradients.

A step is one jitted function, which changes the table and its slots in place.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.models import Array, Data, FedModel
from benchmarks.peers.jax_networks import dense, jax, jnp
from benchmarks.recipes import ADAGRAD_START, BETA1, BETA2, EPSILON, Recipe

State = dict[str, Any]  # arrays of the table and the classifier, with their slots; steps
FIRST = {"sgd": (), "adagrad": (ADAGRAD_START,), "lazy_adam": (0.0, 0.0)}  # of the slots


class Table(FedModel):
    """A bag of words, fed NumPy arrays.

    Args:
        data: weights and batches.
        recipe: how to train.
    """

    def __init__(self, data: Data, recipe: Recipe) -> None:
        super().__init__(data)
        self._data, self._recipe = data, recipe
        self._step = jax.jit(partial(_step, recipe), donate_argnums=0)
        self._start = jax.jit(partial(_start, recipe))
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self._state: State = {}  # before the new one is made: there is memory for one
        self._state = self._start(dict(self._data.weights))

    def step(self, inputs: Array, labels: Array) -> None:
        """Begin a step; JAX does not wait for it."""
        self._state, _ = self._step(self._state, inputs, labels)

    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step; the loss before it."""
        self._state, loss = self._step(self._state, inputs, labels)
        return float(loss)

    def finish(self) -> None:
        """Wait for all steps."""
        jax.block_until_ready(self._state)


def _start(recipe: Recipe, weights: dict[str, Any]) -> State:
    pattern = weights.pop("pattern")
    weights["table"] = jnp.tile(pattern, (recipe.rows // len(pattern), 1))
    first = FIRST[recipe.optimiser]
    arrays = {
        name: (w, *(jnp.full_like(w, value) for value in first)) for name, w in weights.items()
    }
    return {"arrays": arrays, "steps": jnp.zeros((), jnp.int32)}


def _step(recipe: Recipe, state: State, words: Any, labels: Any) -> tuple[State, Any]:
    """The state after a step, and the loss before it."""
    arrays, steps = dict(state["arrays"]), state["steps"] + 1
    size = len(arrays["table"][0])
    # Each row once; the numbers that fill up are beyond the table, where nothing is written.
    rows, place = jnp.unique(words, return_inverse=True, size=words.size, fill_value=size)

    def loss(used: Any, classifier: Any) -> Any:
        mean = used[place.reshape(words.shape)].mean(1)
        logits = jax.nn.log_softmax(dense(classifier, mean, "out"))
        return -jnp.take_along_axis(logits, labels[:, None], axis=1).sum()

    used = arrays["table"][0][rows]
    classifier = {name: arrays[name][0] for name in ("out_w", "out_b")}
    value, (of_rows, of_classifier) = jax.value_and_grad(loss, (0, 1))(used, classifier)
    for name, gradient in of_classifier.items():
        arrays[name] = _changed(recipe, steps, arrays[name], gradient)
    taken = tuple(array[rows] for array in arrays["table"])
    changed = _changed(recipe, steps, taken, of_rows)
    written = zip(arrays["table"], changed, strict=True)
    arrays["table"] = tuple(array.at[rows].set(new, mode="drop") for array, new in written)
    return {"arrays": arrays, "steps": steps}, value


def _changed(recipe: Recipe, steps: Any, arrays: tuple[Any, ...], gradient: Any) -> tuple[Any, ...]:
    """A weight, or rows of it, and its slots after the optimiser's step."""
    weight, *slots = arrays
    if recipe.optimiser == "sgd":
        return (weight - recipe.rate * gradient,)
    if recipe.optimiser == "adagrad":
        squares = slots[0] + gradient**2
        return weight - recipe.rate * gradient / jnp.sqrt(squares), squares
    m = BETA1 * slots[0] + (1 - BETA1) * gradient
    v = BETA2 * slots[1] + (1 - BETA2) * gradient**2
    rate = recipe.rate * jnp.sqrt(1 - BETA2**steps) / (1 - BETA1**steps)
    return weight - rate * m / (jnp.sqrt(v) + EPSILON), m, v
