"""JAX's worker: `python -m benchmarks.peers.jax_worker THREADS`, where there is JAX.

A whole step is one jitted function, which is given the memory of the weights that it replaces. JAX
takes as many threads as the process may use CPUs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.models import Array, Data, FedModel, Model, Predictor
from benchmarks.peers.jax_embedding import Table
from benchmarks.peers.jax_loops import LOOPS, Looping
from benchmarks.peers.jax_networks import NETWORKS, Logits, jax, jnp, lax
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

State = dict[str, Any]  # weights, the optimiser's slots, the number of steps


def start(data: Data, recipe: Recipe) -> State:
    """The state before the first step."""
    slots = {"sgd": (), "momentum": ("m",), "adam": ("m", "v")}[recipe.optimiser]
    weights = {name: jnp.array(weight) for name, weight in data.weights.items()}
    state: State = {slot: jax.tree.map(jnp.zeros_like, weights) for slot in slots}
    return state | {"weights": weights, "steps": jnp.zeros((), jnp.int32)}


def step(
    logits: Logits, recipe: Recipe, keep: float, state: State, inputs: Any, labels: Any
) -> tuple[State, Any]:
    """The state after a step, and the loss before it."""
    key = jax.random.fold_in(jax.random.key(1, impl="rbg"), state["steps"])

    def dropout(h: Any) -> Any:
        return jnp.where(jax.random.bernoulli(key, keep, h.shape), h / keep, 0) if keep < 1 else h

    def loss(weights: Any) -> Any:
        rows = jax.nn.log_softmax(logits(weights, inputs, dropout))
        chosen = jnp.take_along_axis(rows, labels[..., None], axis=-1)
        return -(chosen.mean() if recipe.mean else chosen.sum())

    value, gradients = jax.value_and_grad(loss)(state["weights"])
    return update(recipe, state | {"steps": state["steps"] + 1}, gradients), value


def update(recipe: Recipe, state: State, gradients: Any) -> State:
    """The optimiser's step."""
    tree, rate = jax.tree.map, recipe.rate
    if recipe.optimiser == "sgd":
        move = gradients
    elif recipe.optimiser == "momentum":
        move = tree(lambda m, g: MOMENTUM * m + g, state["m"], gradients)
        state |= {"m": move}
    else:
        m = tree(lambda m, g: BETA1 * m + (1 - BETA1) * g, state["m"], gradients)
        v = tree(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, state["v"], gradients)
        state |= {"m": m, "v": v}
        steps = state["steps"]
        rate = rate * jnp.sqrt(1 - BETA2**steps) / (1 - BETA1**steps)
        move = tree(lambda m, v: m / (jnp.sqrt(v) + EPSILON), m, v)
    return state | {"weights": tree(lambda w, d: w - rate * d, state["weights"], move)}


class Trained(FedModel):
    """Trains, fed NumPy arrays batch after batch."""

    def __init__(self, way: str, logits: Logits, recipe: Recipe, data: Data) -> None:
        super().__init__(data)
        self.way = way
        self._data, self._recipe = data, recipe

        def jitted(keep: float) -> Any:
            def one(state: State, inputs: Any, labels: Any) -> tuple[State, Any]:
                return step(logits, recipe, keep, state, inputs, labels)

            return jax.jit(one, donate_argnums=0)

        self._step, self._checked_step = jitted(recipe.keep), jitted(1.0)
        self.reset()

    def reset(self) -> None:
        """Start again."""
        self._state = start(self._data, self._recipe)

    def step(self, inputs: Array, labels: Array) -> None:
        """Begin a step; JAX does not wait for it."""
        self._state, _ = self._step(self._state, inputs, labels)

    def checked_step(self, inputs: Array, labels: Array) -> float:
        """Make a step without dropout."""
        self._state, loss = self._checked_step(self._state, inputs, labels)
        return float(loss)

    def finish(self) -> None:
        """Wait for all steps."""
        jax.block_until_ready(self._state)


class Stepped(Trained):
    """Draws its own batches from a dataset in memory; one call a step."""

    def __init__(self, way: str, logits: Logits, recipe: Recipe, data: Data) -> None:
        super().__init__(way, logits, recipe, data)
        self._inputs, self._labels = map(_rows, (data.inputs, data.labels))
        self._an_epoch = len(self._labels) // LOOP_BATCH

        def drawn(state: State, inputs: Any, labels: Any, chosen: Any) -> tuple[State, Any]:
            return step(logits, recipe, 1.0, state, inputs[chosen], labels[chosen])

        self._drawn = jax.jit(drawn, donate_argnums=0)
        self._shuffled = jax.jit(self._shuffle)

    def run(self, steps: int) -> None:
        """Epoch after epoch."""
        for first in range(0, steps, self._an_epoch):
            order = np.asarray(self._shuffled(jax.random.key(first)))
            for chosen in order[: steps - first]:
                self._state, _ = self._drawn(self._state, self._inputs, self._labels, chosen)
        self.finish()

    def _shuffle(self, key: Any) -> Any:
        """Row numbers of an epoch, [batches, batch]."""
        return jax.random.permutation(key, len(self._labels)).reshape(-1, LOOP_BATCH)


class Scanned(Stepped):
    """Makes all steps of an epoch in one call of `lax.scan`."""

    def __init__(self, way: str, logits: Logits, recipe: Recipe, data: Data) -> None:
        super().__init__(way, logits, recipe, data)

        def epoch(state: State, inputs: Any, labels: Any, order: Any) -> State:
            def one(state: State, chosen: Any) -> tuple[State, None]:
                state, _ = step(logits, recipe, 1.0, state, inputs[chosen], labels[chosen])
                return state, None

            return lax.scan(one, state, order)[0]  # type: ignore[no-any-return]

        self._epoch = jax.jit(epoch, donate_argnums=0)

    def run(self, steps: int) -> None:
        """Epoch after epoch, the last one perhaps in part."""
        for first in range(0, steps, self._an_epoch):
            order = self._shuffled(jax.random.key(first))[: steps - first]
            self._state = self._epoch(self._state, self._inputs, self._labels, order)
        self.finish()


class Predicting(Predictor):
    """A jitted function of the input, with its weights on the device."""

    def __init__(self, data: Data, logits: Logits) -> None:
        super().__init__(data)
        self._weights = {name: jnp.array(weight) for name, weight in data.weights.items()}
        self._function = jax.jit(lambda w, x: jax.nn.softmax(logits(w, x, lambda h: h)))

    def predict(self, inputs: Array) -> Array:
        """The probabilities."""
        return np.asarray(self._function(self._weights, inputs))


class Constant(Predictor):
    """A jitted function that computes nothing."""

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        self._function = jax.jit(lambda: jnp.ones(()))

    def predict(self, inputs: Array) -> Array:
        """One."""
        return np.asarray(self._function())


class AddOne(Predictor):
    """One addition, from NumPy to NumPy."""

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        self._function = jax.jit(lambda x: x + 1)

    def predict(self, inputs: Array) -> Array:
        """The sum."""
        return np.asarray(self._function(inputs))


def variants(workload: str, data: Data) -> Mapping[str, Ways]:
    """A jitted step; over data in memory also a scan over steps."""
    if workload in OVERHEADS:
        return {"jit": [partial(OVERHEADS[workload], data)]}
    if workload in LOOPS:
        return {"jit": [partial(Looping, data, LOOPS[workload])]}
    if workload in PREDICTIONS:
        (logits,) = NETWORKS[PREDICTIONS[workload]].values()
        return {"jit": [partial(Predicting, data, logits)]}
    recipe = RECIPES[workload]
    if recipe.network == "embedding":
        return {"jit": [partial(Table, data, recipe)]} if recipe.rows <= MOST_ROWS else {}
    networks = NETWORKS[recipe.network].items()
    kinds: dict[str, type[Trained]] = {"jit": Trained}
    if workload == "softmax_loop":
        kinds = {"jit": Stepped, "scan": Scanned}
    return {
        name: [partial(kind, way, logits, recipe, data) for way, logits in networks]
        for name, kind in kinds.items()
    }


OVERHEADS: dict[str, Callable[[Data], Model]] = {"empty": Constant, "add": AddOne}


def _rows(batches: Array) -> Any:
    """All batches' rows, one after another, on the device."""
    return jnp.array(batches.reshape(-1, *batches.shape[2:]))


def main(threads: int) -> None:
    """Serve until standard input ends."""
    versions = {
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    serve(versions, variants)


if __name__ == "__main__":
    main(int(sys.argv[1]))
