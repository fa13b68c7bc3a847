"""The layers in PyTorch, and a program that trains a network with them, in float64.

It runs in an environment of its own:

    python -m tests.networks.with_torch NETWORK BATCH STEPS SHORT FILE
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.networks.catalogue import NETWORKS
from tests.networks.layers import Layers, images, labels, weights
from tests.networks.training import MOMENTUM, RATE

torch: Any = importlib.import_module("torch")
F: Any = importlib.import_module("torch.nn.functional")


class TorchLayers(Layers):
    """The layers on tensors of float64, with channels second.

    Args:
        values: of the weights, in order; those of new ones are made if there are none.

    Attributes:
        made: the weights that were used, in order.
    """

    def __init__(self, values: Sequence[Any] = ()) -> None:
        self._values = list(values)
        self.made: list[Any] = []

    def weight(self, shape: Sequence[int], fan_in: int) -> Any:
        return self._next(lambda number: weights(number, shape, fan_in))

    def vector(self, size: int, value: float) -> Any:
        return _Vector(self._next(lambda number: np.full(size, value, np.float32)))

    def _next(self, first: Any) -> Any:
        number = len(self.made)
        if number == len(self._values):
            made = torch.tensor(first(number), dtype=torch.float64, requires_grad=True)
            self._values.append(made)
        self.made.append(self._values[number])
        return self._values[number]

    def channels(self, x: Any) -> int:
        return int(x.shape[1])

    def convolved(self, x: Any, w: Any, stride: int, padding: str) -> Any:
        padded = _padded(x, w.shape[:2], stride, padding, 0.0)
        return F.conv2d(padded, w.permute(3, 2, 0, 1), stride=stride)

    def depthwise(self, x: Any, kernel: int, stride: int = 1) -> Any:
        w = self.weight((kernel, kernel, self.channels(x), 1), kernel * kernel)
        padded = _padded(x, (kernel, kernel), stride, "SAME", 0.0)
        return F.conv2d(padded, w.permute(2, 3, 0, 1), stride=stride, groups=x.shape[1])

    def enlarged(self, x: Any, outputs: int, kernel: int, stride: int) -> Any:
        w = self.weight((kernel, kernel, outputs, self.channels(x)), self.channels(x))
        full = F.conv_transpose2d(x, w.permute(3, 2, 0, 1), stride=stride)
        cut = max(kernel - stride, 0)
        height, width = x.shape[2] * stride, x.shape[3] * stride
        first = cut // 2
        return full[:, :, first : first + height, first : first + width]

    def norm(self, x: Any) -> Any:
        size, axes = self.channels(x), [n for n in range(x.ndim) if n != 1]
        scale, offset = self.vector(size, 1.0), self.vector(size, 0.05)
        mean = x.mean(axes, keepdim=True)
        variance = ((x - mean) ** 2).mean(axes, keepdim=True)
        normal = (x - mean) / torch.sqrt(variance + 1e-3)
        return normal * scale.along(x) + offset.along(x)

    def response_norm(self, x: Any) -> Any:
        return F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)

    def function(self, name: str, x: Any) -> Any:
        if name == "leaky_relu":
            return F.leaky_relu(x, 0.2)
        return getattr(F, name)(x) if name in ("relu", "relu6") else getattr(torch, name)(x)

    def max_pool(self, x: Any, size: int, stride: int, padding: str = "SAME") -> Any:
        return F.max_pool2d(_padded(x, (size, size), stride, padding, -np.inf), size, stride)

    def avg_pool(self, x: Any, size: int, stride: int, padding: str = "SAME") -> Any:
        def sums(image: Any) -> Any:
            padded = _padded(image, (size, size), stride, padding, 0.0)
            return F.avg_pool2d(padded, size, stride)

        return sums(x) / sums(torch.ones_like(x))

    def mean(self, x: Any) -> Any:
        return x.mean([2, 3])

    def concat(self, parts: Sequence[Any]) -> Any:
        return torch.cat(list(parts), 1)

    def split(self, x: Any, count: int) -> Sequence[Any]:
        made: Sequence[Any] = torch.chunk(x, count, 1)
        return made

    def cropped(self, x: Any, like: Any) -> Any:
        top, left = ((x.shape[n] - like.shape[n]) // 2 for n in (2, 3))
        return x[:, :, top : top + like.shape[2], left : left + like.shape[3]]

    def flat(self, x: Any) -> Any:
        return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)

    def shaped(self, x: Any, side: int, channels: int) -> Any:
        return x.reshape(-1, side, side, channels).permute(0, 3, 1, 2)

    def product(self, x: Any, w: Any) -> Any:
        return x @ w

    def classified(self, logits: Any, wanted: Any) -> Any:
        return F.cross_entropy(logits, wanted)

    def total(self, x: Any) -> Any:
        return x.mean()

    def slope(self, y: Any, x: Any) -> Any:
        (gradient,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return torch.sqrt((gradient**2).sum([1, 2, 3]) + 1e-6)


class _Vector:
    """A number for each channel, which is added along the second axis."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def along(self, x: Any) -> Any:
        return self._values.reshape([1, -1] + [1] * (x.ndim - 2))

    def __radd__(self, x: Any) -> Any:
        return x + self.along(x)


# So that `tensor + vector` asks the vector.
_Vector.__torch_function__ = classmethod(  # type: ignore[attr-defined]
    lambda cls, function, types, args=(), kwargs=None: args[0] + args[1].along(args[0])
)


def _padded(x: Any, kernel: Any, stride: int, padding: str, value: float) -> Any:
    """The image with what SAME adds: more below and on the right where it is odd."""
    if padding == "VALID":
        return x
    around: list[int] = []
    for extent, size in zip(reversed(x.shape[2:]), reversed(list(kernel)), strict=True):
        needed = max((-(-extent // stride) - 1) * stride + size - extent, 0)
        around += [needed // 2, needed - needed // 2]
    return F.pad(x, around, value=value)


def trained(name: str, batch: int, steps: int, short: bool) -> dict[str, Any]:
    """The results, the losses of the steps, the first gradients and the last weights."""
    network = NETWORKS[name]
    x = torch.tensor(images(batch, network.side(short)), dtype=torch.float64)
    x = x.permute(0, 3, 1, 2).contiguous().requires_grad_()
    wanted = torch.tensor(labels(batch, network.classes))
    values: list[Any] = []
    speeds: list[Any] = []
    results: dict[str, Any] = {}
    losses = []
    for step in range(steps):
        layers = TorchLayers(values)
        outputs, loss = network.build(layers, x, wanted, short)
        values = layers.made
        gradients = torch.autograd.grad(loss, [x, *values])
        if step == 0:
            last_first = outputs.permute(0, 2, 3, 1) if outputs.ndim == 4 else outputs
            results["outputs"] = last_first
            results["gradient"] = gradients[0].permute(0, 2, 3, 1)
            results |= {f"gradient {n}": g for n, g in enumerate(gradients[1:])}
        losses.append(float(loss.detach()))
        speeds = speeds or [0.0] * len(values)
        speeds = [MOMENTUM * s + g for s, g in zip(speeds, gradients[1:], strict=True)]
        pairs = zip(values, speeds, strict=True)
        values = [(v - RATE * s).detach().requires_grad_() for v, s in pairs]
    arrays = {key: value.detach().numpy() for key, value in results.items()}
    finals = {f"weight {n}": value.detach().numpy() for n, value in enumerate(values)}
    return {**arrays, **finals, "losses": np.array(losses)}


if __name__ == "__main__":
    _, name, batch, steps, short, file = sys.argv
    np.savez(file, **trained(name, int(batch), int(steps), short == "short"))
