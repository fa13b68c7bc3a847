"""PyTorch's worker: `python -m benchmarks.peers.torch_worker THREADS`, where there is torch.

Every workload is written as PyTorch's own users write it, in each way that may be the fastest;
short trials choose among them. Labels are digits rather than one-hot rows, which suits PyTorch
better.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.protocol import Model, serve

torch: Any = importlib.import_module("torch")  # where mypy runs there may be none
F: Any = torch.nn.functional

Parameters = dict[str, Any]
Forward = Callable[[Parameters, Any, float], Any]
Optimiser = Callable[[Any], Any]


class TorchModel(Model):
    """Trains in eager mode, fed NumPy arrays batch after batch.

    Args:
        variant: what is particular about it.
        weights: the starting values, as PyTorch lays them out.
        forward: the logits, from the weights, the images and the share of units that dropout keeps.
        optimiser: makes the optimiser of a list of parameters.
        arrays: the batches.
    """

    def __init__(
        self,
        variant: str,
        weights: Parameters,
        forward: Forward,
        optimiser: Optimiser,
        arrays: dict[str, Any],
    ) -> None:
        self.variant = variant
        self._start = weights
        self._weights = {k: w.clone().requires_grad_() for k, w in weights.items()}
        self._forward = forward
        self._optimiser = optimiser(list(self._weights.values()))
        self._batches = list(zip(arrays["images"], arrays["digits"], strict=True))

    def reset(self) -> None:
        """Give the weights their starting values."""
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(self._start[name])

    def check(self, batch: int) -> float:
        """Make a step without dropout; the loss before it."""
        return float(self._step(batch, 1.0))

    def loss(self) -> float:
        """The first batch's loss, without dropout and without a step."""
        with torch.no_grad():
            return float(self._loss(0, 1.0))

    def train(self, steps: int) -> None:
        """Make steps, from the first batch on."""
        for i in range(steps):
            self._step(i, 0.5)

    def _step(self, batch: int, keep: float) -> Any:
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss(batch, keep)
        loss.backward()
        self._optimiser.step()
        return loss.detach()

    def _loss(self, batch: int, keep: float) -> Any:
        images, digits = self._batches[batch % len(self._batches)]
        logits = self._forward(self._weights, torch.from_numpy(images), keep)
        return F.cross_entropy(logits, torch.from_numpy(digits), reduction="sum")


def softmax(arrays: dict[str, Any]) -> list[Callable[[], TorchModel]]:
    """Softmax regression."""
    weights = {
        "W": torch.from_numpy(np.ascontiguousarray(arrays["W"].T)),
        "b": torch.from_numpy(arrays["b"]),
    }

    def forward(w: Parameters, images: Any, keep: float) -> Any:
        return F.linear(images, w["W"], w["b"])

    def variant(name: str, **options: Any) -> Callable[[], TorchModel]:
        def sgd(parameters: Any) -> Any:
            return torch.optim.SGD(parameters, lr=0.01, **options)

        return lambda: TorchModel(name, weights, forward, sgd, arrays)

    return [variant("SGD"), variant("fused SGD", fused=True)]


def cnn(arrays: dict[str, Any]) -> list[Callable[[], TorchModel]]:
    """The tutorial's network. Its features are in the order of the layout: no layout copies."""

    def layout(channels_last: bool) -> tuple[Parameters, Forward]:
        memory = torch.channels_last if channels_last else torch.contiguous_format
        weights = {k: torch.from_numpy(a) for k, a in arrays.items() if k[-2:] in ("_w", "_b")}
        for name in ("conv1_w", "conv2_w"):
            weights[name] = weights[name].permute(3, 2, 0, 1).contiguous(memory_format=memory)
        dense = weights["dense_w"]
        if not channels_last:
            dense = dense.reshape(7, 7, 64, 1024).permute(2, 0, 1, 3).reshape(7 * 7 * 64, 1024)
        weights["dense_w"] = dense.T.contiguous()
        weights["out_w"] = weights["out_w"].T.contiguous()

        def forward(w: Parameters, images: Any, keep: float) -> Any:
            h = images.reshape(-1, 1, 28, 28)
            h = h.contiguous(memory_format=memory)
            h = F.max_pool2d(F.relu(F.conv2d(h, w["conv1_w"], w["conv1_b"], padding=2)), 2)
            h = F.max_pool2d(F.relu(F.conv2d(h, w["conv2_w"], w["conv2_b"], padding=2)), 2)
            h = (h.permute(0, 2, 3, 1) if channels_last else h).reshape(-1, 7 * 7 * 64)
            h = F.relu(F.linear(h, w["dense_w"], w["dense_b"]))
            h = F.dropout(h, 1 - keep) if keep < 1 else h
            return F.linear(h, w["out_w"], w["out_b"])

        return weights, forward

    def variant(channels_last: bool, fused: bool) -> Callable[[], TorchModel]:
        def adam(parameters: Any) -> Any:
            return torch.optim.Adam(parameters, lr=1e-4, fused=fused)

        name = f"{'channels last' if channels_last else 'channels first'}, "
        name += "fused Adam" if fused else "Adam"
        return lambda: TorchModel(name, *layout(channels_last), adam, arrays)

    return [variant(last, fused) for last in (False, True) for fused in (False, True)]


WORKLOADS = {"softmax": softmax, "cnn": cnn}


def fastest(variants: list[Callable[[], TorchModel]], seconds: float = 0.5) -> TorchModel:
    """The variant whose median step is the shortest, in two trials of each, in turn."""
    models = [make() for make in variants]
    times: list[list[float]] = [[] for _ in models]
    for _ in range(2):
        for model, taken in zip(models, times, strict=True):
            model.reset()
            model.train(3)
            end = time.perf_counter() + seconds
            while (start := time.perf_counter()) < end:
                model.train(1)
                taken.append(time.perf_counter() - start)
    medians = [statistics.median(taken) for taken in times]
    return variants[medians.index(min(medians))]()


def main(threads: int) -> None:
    """Serve until standard input ends."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)

    def build(workload: str, arrays: dict[str, Any]) -> Model:
        return fastest(WORKLOADS[workload](arrays))

    versions = {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
    }
    serve(versions, build)


if __name__ == "__main__":
    main(int(sys.argv[1]))
