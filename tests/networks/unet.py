"""Ronneberger, Fischer and Brox, U-Net, 2015: unpadded convolutions, copies cut to size."""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

WIDTH = 4  # of the first level: a sixteenth of the published one


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    levels = 2 if short else 4
    copies, y = [], x
    for level in range(levels):
        y = _twice(n, y, WIDTH << level)
        copies.append(y)
        y = n.max_pool(y, 2, 2, "VALID")
    y = _twice(n, y, WIDTH << levels)
    for level in reversed(range(levels)):
        y = n.enlarged(y, WIDTH << level, 2, 2)
        y = n.concat([n.cropped(copies[level], y), y])
        y = _twice(n, y, WIDTH << level)
    scores = n.conv(y, 2, 1)
    return scores, n.classified(n.mean(scores), wanted) + n.total(
        n.function("tanh", scores * scores)
    )


def _twice(n: Layers, x: Any, outputs: int) -> Any:
    for _ in range(2):
        x = n.relu(n.conv(x, outputs, 3, 1, "VALID"))
    return x
