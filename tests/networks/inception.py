"""Szegedy and others, Rethinking the Inception architecture, 2015: Inception v3."""

from __future__ import annotations

from typing import Any

from tests.networks.layers import Layers

# An eighth of the published widths.


def build(n: Layers, x: Any, wanted: Any, short: bool) -> tuple[Any, Any]:
    y = n.conv_norm_relu(x, 4, 3, 2, "VALID")
    y = n.conv_norm_relu(n.conv_norm_relu(y, 4, 3, 1, "VALID"), 8, 3)
    y = n.max_pool(y, 3, 2, "VALID")
    y = n.conv_norm_relu(n.conv_norm_relu(y, 10, 1, 1, "VALID"), 24, 3, 1, "VALID")
    y = n.max_pool(y, 3, 2, "VALID")
    for pool in (4,) if short else (4, 8, 8):
        y = _a(n, y, pool)
    y = _b(n, y)
    for width in (16,) if short else (16, 20, 20, 24):
        y = _c(n, y, width)
    y = _d(n, y)
    for _ in range(1 if short else 2):
        y = _e(n, y)
    logits = n.dense(n.mean(y), 10)
    return logits, n.classified(logits, wanted)


def _chain(n: Layers, x: Any, *layers: tuple[int, Any]) -> Any:
    for outputs, kernel in layers:
        x = n.conv_norm_relu(x, outputs, kernel)
    return x


def _a(n: Layers, x: Any, pool: int) -> Any:
    return n.concat(
        [
            _chain(n, x, (8, 1)),
            _chain(n, x, (6, 1), (8, 5)),
            _chain(n, x, (8, 1), (12, 3), (12, 3)),
            _chain(n, n.avg_pool(x, 3, 1), (pool, 1)),
        ]
    )


def _b(n: Layers, x: Any) -> Any:
    double = _chain(n, x, (8, 1), (12, 3))
    return n.concat(
        [
            n.conv_norm_relu(x, 48, 3, 2, "VALID"),
            n.conv_norm_relu(double, 12, 3, 2, "VALID"),
            n.max_pool(x, 3, 2, "VALID"),
        ]
    )


def _c(n: Layers, x: Any, width: int) -> Any:
    row, column = (1, 7), (7, 1)
    return n.concat(
        [
            _chain(n, x, (24, 1)),
            _chain(n, x, (width, 1), (width, row), (24, column)),
            _chain(n, x, (width, 1), (width, column), (width, row), (width, column), (24, row)),
            _chain(n, n.avg_pool(x, 3, 1), (24, 1)),
        ]
    )


def _d(n: Layers, x: Any) -> Any:
    seven = _chain(n, x, (24, 1), (24, (1, 7)), (24, (7, 1)))
    return n.concat(
        [
            n.conv_norm_relu(_chain(n, x, (24, 1)), 40, 3, 2, "VALID"),
            n.conv_norm_relu(seven, 24, 3, 2, "VALID"),
            n.max_pool(x, 3, 2, "VALID"),
        ]
    )


def _e(n: Layers, x: Any) -> Any:
    one, two = _chain(n, x, (48, 1)), _chain(n, x, (56, 1), (48, 3))
    return n.concat(
        [
            _chain(n, x, (40, 1)),
            *[_chain(n, one, (48, kernel)) for kernel in ((1, 3), (3, 1))],
            *[_chain(n, two, (48, kernel)) for kernel in ((1, 3), (3, 1))],
            _chain(n, n.avg_pool(x, 3, 1), (24, 1)),
        ]
    )
