"""Szegedy and others, Going deeper with convolutions, 2014, with its two auxiliary classifiers."""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

# 1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, pool: an eighth of the published widths
MODULES = {
    "3a": (8, 12, 16, 2, 4, 4), "3b": (16, 16, 24, 4, 12, 8), "4a": (24, 12, 26, 2, 6, 8),
    "4b": (20, 14, 28, 3, 8, 8), "4c": (16, 16, 32, 3, 8, 8), "4d": (14, 18, 36, 4, 8, 8),
    "4e": (32, 20, 40, 4, 16, 16), "5a": (32, 20, 40, 4, 16, 16), "5b": (48, 24, 48, 6, 16, 16),
}  # fmt: skip


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.response_norm(n.max_pool(n.conv_relu(x, 8, 7, 2), 3, 2))
    y = n.response_norm(n.conv_relu(n.conv_relu(y, 8, 1), 24, 3))
    y = n.max_pool(y, 3, 2)
    losses = []
    for name in ("3a", "4a", "5a") if short else MODULES:
        if name in ("4a", "5a"):
            y = n.max_pool(y, 3, 2)
        y = _inception(n, y, *MODULES[name])
        if name in ("4a", "4d") and not short:
            losses.append(n.classified(_auxiliary(n, y), wanted))
    logits = n.dense(n.mean(y), 10)
    loss = n.classified(logits, wanted)
    for other in losses:
        loss = loss + other * 0.3
    return logits, loss


def _inception(
    n: Layers, x: Any, one: int, small3: int, three: int, small5: int, five: int, pool: int
) -> Any:
    return n.concat(
        [
            n.conv_relu(x, one, 1),
            n.conv_relu(n.conv_relu(x, small3, 1), three, 3),
            n.conv_relu(n.conv_relu(x, small5, 1), five, 5),
            n.conv_relu(n.max_pool(x, 3, 1), pool, 1),
        ]
    )


def _auxiliary(n: Layers, x: Any) -> Any:
    y = n.flat(n.conv_relu(n.avg_pool(x, 2, 2, "VALID"), 16, 1))
    return n.dense(n.relu(n.dense(y, 64)), 10)
