"""Iandola and others, SqueezeNet, 2016: version 1.0 with simple bypasses."""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

# squeezed, expanded (of 1x1 and of 3x3); an eighth of the published widths
FIRES = ((2, 8), (2, 8), (4, 16), (4, 16), (6, 24), (6, 24), (8, 32), (8, 32))


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.max_pool(n.conv_relu(x, 12, 7, 2), 3, 2)
    for number, (squeezed, expanded) in enumerate(FIRES[: 4 if short else 8]):
        z = _fire(n, y, squeezed, expanded)
        y = y + z if number % 2 else z
        if number in (2, 6):
            y = n.max_pool(y, 3, 2)
    logits = n.mean(n.conv_relu(y, 10, 1))
    return logits, n.classified(logits, wanted)


def _fire(n: Layers, x: Any, squeezed: int, expanded: int) -> Any:
    y = n.conv_relu(x, squeezed, 1)
    return n.relu(n.concat([n.conv(y, expanded, 1), n.conv(y, expanded, 3)]))
