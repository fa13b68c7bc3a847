"""A table of which a step trains few rows: PyTorch's sparse gradients, and the optimisers for them.

They are not compiled: TorchInductor has no sparse tensors.
"""

from __future__ import annotations

from typing import Any

from benchmarks.models import Data, FedModel
from benchmarks.peers.torch_networks import F, torch
from benchmarks.recipes import ADAGRAD_START, BETA1, BETA2, EPSILON, Recipe


class Table(FedModel):
    """A bag of words, fed NumPy arrays.

    Args:
        data: weights and batches.
        recipe: how to train.
    """

    def __init__(self, data: Data, recipe: Recipe) -> None:
        super().__init__(data)
        self._recipe = recipe
        weights = {name: torch.from_numpy(weight) for name, weight in data.weights.items()}
        self._pattern = weights.pop("pattern")
        weights["out_w"] = weights["out_w"].T.contiguous()
        self._start = weights
        self._weights = {name: w.clone().requires_grad_() for name, w in weights.items()}
        self._table = torch.empty(recipe.rows, self._pattern.shape[1], requires_grad=True)
        self.reset()

    def reset(self) -> None:
        """Start again."""
        with torch.no_grad():
            self._table.view(-1, *self._pattern.shape).copy_(self._pattern)
            for name, weight in self._weights.items():
                weight.copy_(self._start[name])
        self._optimisers = optimisers(self._table, list(self._weights.values()), self._recipe)

    def step(self, inputs: Any, labels: Any) -> None:
        """Make a step."""
        self._step(inputs, labels)

    def checked_step(self, inputs: Any, labels: Any) -> float:
        """Make a step; the loss before it."""
        return float(self._step(inputs, labels))

    def _step(self, inputs: Any, labels: Any) -> Any:
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
        mean = F.embedding_bag(torch.from_numpy(inputs), self._table, mode="mean", sparse=True)
        logits = F.linear(mean, self._weights["out_w"], self._weights["out_b"])
        loss = F.cross_entropy(logits, torch.from_numpy(labels), reduction="sum")
        loss.backward()
        for optimiser in self._optimisers:
            optimiser.step()
        return loss.detach()


def optimisers(table: Any, others: list[Any], recipe: Recipe) -> list[Any]:
    """PyTorch's own: of the table, and of the dense weights where that is another one."""
    optim = torch.optim
    if recipe.optimiser == "sgd":
        return [optim.SGD([table, *others], recipe.rate)]
    if recipe.optimiser == "adagrad":
        start = {"initial_accumulator_value": ADAGRAD_START, "eps": 0.0}
        return [optim.Adagrad([table, *others], recipe.rate, **start)]
    settings = (recipe.rate, (BETA1, BETA2), EPSILON)
    return [optim.SparseAdam([table], *settings), optim.Adam(others, *settings)]
