"""Huang, Liu, van der Maaten and Weinberger, Densely connected networks, 2016: DenseNet-121."""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

GROWTH = 4


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.conv_norm_relu(x, 2 * GROWTH, 7, 2)
    y = n.max_pool(y, 3, 2)
    blocks = (2, 2, 2) if short else (6, 12, 24, 16)
    for number, count in enumerate(blocks):
        for _ in range(count):
            y = n.concat([y, _layer(n, y)])
        if number < len(blocks) - 1:
            y = _transition(n, y)
    logits = n.dense(n.mean(n.relu(n.norm(y))), 10)
    return logits, n.classified(logits, wanted)


def _layer(n: Layers, x: Any) -> Any:
    y = n.conv(n.relu(n.norm(x)), 4 * GROWTH, 1, bias=False)
    return n.conv(n.relu(n.norm(y)), GROWTH, 3, bias=False)


def _transition(n: Layers, x: Any) -> Any:
    y = n.conv(n.relu(n.norm(x)), n.channels(x) // 2, 1, bias=False)
    return n.avg_pool(y, 2, 2)
