"""Howard and others, MobileNets, 2017; Sandler and others, MobileNetV2, 2018."""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

# outputs and stride; a quarter of the published widths
V1 = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1))
# expansion, outputs, repeats, stride
V2 = ((1, 4, 1, 1), (6, 6, 2, 2), (6, 8, 3, 2), (6, 16, 4, 2), (6, 24, 3, 1), (6, 40, 3, 2),
      (6, 80, 1, 1))  # fmt: skip


def build_v1(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.conv_norm_relu(x, 8, 3, 2)
    for outputs, stride in V1[: 5 if short else None]:
        y = n.relu(n.norm(n.depthwise(y, 3, stride)))
        y = n.conv_norm_relu(y, outputs, 1)
    logits = n.dense(n.mean(y), 10)
    return logits, n.classified(logits, wanted)


def build_v2(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.function("relu6", n.conv_norm(x, 8, 3, 2))
    for expansion, outputs, repeats, first in V2[: 3 if short else None]:
        for number in range(repeats):
            y = _inverted(n, y, expansion, outputs, 1 if number else first)
    y = n.function("relu6", n.conv_norm(y, 320, 1))
    logits = n.dense(n.mean(y), 10)
    return logits, n.classified(logits, wanted)


def _inverted(n: Layers, x: Any, expansion: int, outputs: int, stride: int) -> Any:
    y, inputs = x, n.channels(x)
    if expansion > 1:
        y = n.function("relu6", n.conv_norm(y, expansion * inputs, 1))
    y = n.function("relu6", n.norm(n.depthwise(y, 3, stride)))
    y = n.conv_norm(y, outputs, 1)
    return x + y if stride == 1 and inputs == outputs else y
