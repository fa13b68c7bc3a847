"""Chollet, Xception: Deep learning with depthwise separable convolutions, 2016."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.networks.layers import Layers

# An eighth of the published widths.


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.conv_norm_relu(x, 4, 3, 2, "VALID")
    y = n.conv_norm_relu(y, 8, 3, 1, "VALID")
    for outputs in (16,) if short else (16, 32, 91):
        y = _shortened(n, y, (outputs, outputs), first_relu=outputs > 16)
    for _ in range(1 if short else 8):
        y = y + _separables(n, y, (n.channels(y),) * 3, True)
    y = _shortened(n, y, (n.channels(y), 128), True)
    for outputs in (192, 256):
        y = n.relu(_separable(n, y, outputs))
    logits = n.dense(n.mean(y), 10)
    return logits, n.classified(logits, wanted)


def _separable(n: Layers, x: Any, outputs: int) -> Any:
    return n.conv_norm(n.depthwise(x, 3), outputs, 1)


def _separables(n: Layers, x: Any, widths: Sequence[int], first_relu: bool) -> Any:
    for number, outputs in enumerate(widths):
        x = _separable(n, n.relu(x) if number or first_relu else x, outputs)
    return x


def _shortened(n: Layers, x: Any, widths: Sequence[int], first_relu: bool) -> Any:
    y = n.max_pool(_separables(n, x, widths, first_relu), 3, 2)
    return n.conv_norm(x, widths[-1], 1, 2) + y
