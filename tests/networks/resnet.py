"""He, Zhang, Ren and Sun, Deep residual learning, 2015: ResNet-50."""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

WIDTH = 8  # of the first stage: an eighth of the published one


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.max_pool(n.conv_norm_relu(x, WIDTH, 7, 2), 3, 2)
    for stage, count in enumerate((1, 2) if short else (3, 4, 6, 3)):
        for block in range(count):
            y = _bottleneck(n, y, WIDTH << stage, 2 if stage and not block else 1)
    logits = n.dense(n.mean(y), 10)
    return logits, n.classified(logits, wanted)


def _bottleneck(n: Layers, x: Any, width: int, stride: int) -> Any:
    y = n.conv_norm_relu(x, width, 1)
    y = n.conv_norm_relu(y, width, 3, stride)
    y = n.conv_norm(y, 4 * width, 1)
    if n.channels(x) != 4 * width:
        x = n.conv_norm(x, 4 * width, 1, stride)
    return n.relu(x + y)
