"""PyTorch's worker: `python -m benchmarks.peers.torch_worker THREADS`, where there is torch.

Labels are digits rather than one-hot rows, which suits PyTorch better.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.models import Data, FedModel, Model, NotRunError, Predictor
from benchmarks.peers.torch_embedding import Table
from benchmarks.peers.torch_loops import LOOPS, Looping
from benchmarks.peers.torch_networks import NETWORKS, F, Network, torch
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

# None is eager. CUDA graphs, which "max-autotune" adds, do nothing on a CPU.
COMPILERS: dict[str, tuple[str | None, ...]] = {
    "eager": (None,),
    "compile": ("default", "max-autotune-no-cudagraphs"),
}


class Trained(FedModel):
    """Trains, fed NumPy arrays batch after batch.

    Args:
        network: what to train.
        recipe: how.
        data: the batches.
        mode: of torch.compile; eager if None.
        fused: whether the optimiser is PyTorch's fused one.
    """

    def __init__(
        self, network: Network, recipe: Recipe, data: Data, mode: str | None, fused: bool
    ) -> None:
        super().__init__(data)
        self.way = _way(network.way, mode, "fused" if fused else "")
        self._network = network
        self._recipe = recipe
        self._weights = {k: w.clone().requires_grad_() for k, w in network.weights.items()}
        self._optimiser = optimiser(list(self._weights.values()), recipe, fused)
        self._loss = compiled(self._mathematics, mode)

    def reset(self) -> None:
        """Start again."""
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(self._network.weights[name])
        self._optimiser.state.clear()

    def step(self, inputs: Any, labels: Any) -> None:
        """Make a step."""
        self._step(inputs, labels, self._recipe.keep)

    def checked_step(self, inputs: Any, labels: Any) -> float:
        """Make a step without dropout."""
        return float(self._step(inputs, labels, 1.0))

    def _step(self, inputs: Any, labels: Any, keep: float) -> Any:
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss(torch.from_numpy(inputs), torch.from_numpy(labels), keep)
        loss.backward()
        self._optimiser.step()
        return loss.detach()

    def _mathematics(self, inputs: Any, labels: Any, keep: float) -> Any:
        logits = self._network.logits(self._weights, inputs, keep)
        reduction = "mean" if self._recipe.mean else "sum"
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction=reduction)


class Looped(Trained):
    """Draws its own batches from a dataset in memory, shuffled anew in each epoch."""

    def __init__(
        self, network: Network, recipe: Recipe, data: Data, mode: str | None, fused: bool
    ) -> None:
        super().__init__(network, recipe, data, mode, fused)
        self._inputs = torch.from_numpy(data.inputs).flatten(0, 1)
        self._labels = torch.from_numpy(data.labels).flatten(0, 1)

    def run(self, steps: int) -> None:
        """Epoch after epoch."""
        an_epoch = len(self._labels) // LOOP_BATCH
        for first in range(0, steps, an_epoch):
            order = torch.randperm(len(self._labels)).split(LOOP_BATCH)
            for chosen in order[: min(an_epoch, steps - first)]:
                self._train_on(chosen)

    def _train_on(self, chosen: Any) -> None:
        self._optimiser.zero_grad(set_to_none=True)
        inputs = self._inputs.index_select(0, chosen)
        self._loss(inputs, self._labels.index_select(0, chosen), 1.0).backward()
        self._optimiser.step()


class Predicting(Predictor):
    """The network's probabilities. Compiled, its weights are frozen, as PyTorch advises."""

    def __init__(self, network: Network, data: Data, mode: str | None) -> None:
        super().__init__(data)
        self.way = _way(network.way, mode)
        module = FrozenNetwork(network).eval()
        self._function = module if mode is None else compiled(module, mode, frozen=True)

    def predict(self, inputs: Any) -> Any:
        """The probabilities."""
        with torch.inference_mode():
            return self._function(torch.from_numpy(inputs)).numpy()


class FrozenNetwork(torch.nn.Module):  # type: ignore[misc]  # torch is Any here
    """A network whose weights the compiler may take for constants."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._names = list(network.weights)
        self._logits = network.logits
        for name, weight in network.weights.items():
            self.register_parameter(name, torch.nn.Parameter(weight, requires_grad=False))

    def forward(self, inputs: Any) -> Any:
        """Its probabilities."""
        weights = {name: getattr(self, name) for name in self._names}
        return F.softmax(self._logits(weights, inputs, 1.0), -1)


class Constant(Predictor):
    """A compiled function that computes nothing."""

    def __init__(self, data: Data, mode: str | None) -> None:
        super().__init__(data)
        constant = torch.ones(())
        self._function = compiled(lambda: constant.clone(), mode)

    def predict(self, inputs: Any) -> Any:
        """One."""
        with torch.inference_mode():
            return self._function().numpy()


class AddOne(Predictor):
    """One addition, from NumPy to NumPy."""

    def __init__(self, data: Data, mode: str | None) -> None:
        super().__init__(data)
        self._function = compiled(lambda x: x + 1, mode)

    def predict(self, inputs: Any) -> Any:
        """The sum."""
        with torch.inference_mode():
            return self._function(torch.from_numpy(inputs)).numpy()


def optimiser(parameters: Any, recipe: Recipe, fused: bool) -> Any:
    """PyTorch's own."""
    if recipe.optimiser == "adam":
        betas = (BETA1, BETA2)
        return torch.optim.Adam(parameters, recipe.rate, betas, EPSILON, fused=fused)
    momentum = MOMENTUM if recipe.optimiser == "momentum" else 0.0
    return torch.optim.SGD(parameters, recipe.rate, momentum, fused=fused)


def compiled(function: Any, mode: str | None, frozen: bool = False) -> Any:
    """The function through torch.compile; itself if the mode is None.

    Raises:
        NotRunError: there is no C++ compiler, which TorchInductor needs on a CPU.
    """
    if mode is None:
        return function
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        raise NotRunError("torch.compile needs a C++ compiler, and none was found")
    inductor = importlib.import_module("torch._inductor")
    options = {**inductor.list_mode_options(mode), "freezing": frozen}
    return torch.compile(function, options=options)


def variants(workload: str, data: Data) -> Mapping[str, Ways]:
    """Eager and compiled, each in every way; loops and embeddings in the variants they have."""
    if workload in LOOPS:
        ways = LOOPS[workload].items()
        return {name: [partial(Looping, data, make)] for name, make in ways}
    if workload in RECIPES and (recipe := RECIPES[workload]).network == "embedding":
        small = recipe.rows <= MOST_ROWS
        return {"eager": [partial(Table, data, recipe)]} if small else {}
    made = {name: _ways(workload, data, modes) for name, modes in COMPILERS.items()}
    return {name: ways for name, ways in made.items() if ways}


def _ways(workload: str, data: Data, modes: tuple[str | None, ...]) -> Ways:
    if workload in OVERHEADS:
        return [partial(OVERHEADS[workload], data, modes[0])]
    if workload in PREDICTIONS:
        networks = NETWORKS[PREDICTIONS[workload]](data.weights)
        return [partial(Predicting, network, data, mode) for mode in modes for network in networks]
    recipe = RECIPES[workload]
    kind = Looped if workload == "softmax_loop" else Trained
    return [
        partial(kind, network, recipe, data, mode, fused)
        for mode in modes
        for network in NETWORKS[recipe.network](data.weights)
        if mode is None or network.compiles
        for fused in (True, False)
    ]


OVERHEADS: dict[str, Callable[[Data, str | None], Model]] = {"empty": Constant, "add": AddOne}


def _way(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part and part != "default")


def main(threads: int) -> None:
    """Serve until standard input ends."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    versions = {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    serve(versions, variants)


if __name__ == "__main__":
    main(int(sys.argv[1]))
