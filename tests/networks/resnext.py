"""Xie and others, Aggregated residual transformations, 2016: ResNeXt-50, with 8 groups."""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

GROUPS, WIDTH = 8, 16


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.max_pool(n.conv_norm_relu(x, WIDTH, 7, 2), 3, 2)
    for stage, count in enumerate((1, 1) if short else (3, 4, 6, 3)):
        for block in range(count):
            y = _block(n, y, WIDTH << stage, 2 if stage and not block else 1)
    logits = n.dense(n.mean(y), 10)
    return logits, n.classified(logits, wanted)


def _block(n: Layers, x: Any, width: int, stride: int) -> Any:
    y = n.conv_norm_relu(x, width, 1)
    parts = [n.conv(part, width // GROUPS, 3, stride, bias=False) for part in n.split(y, GROUPS)]
    y = n.conv_norm(n.relu(n.norm(n.concat(parts))), 2 * width, 1)
    if n.channels(x) != 2 * width:
        x = n.conv_norm(x, 2 * width, 1, stride)
    return n.relu(x + y)
