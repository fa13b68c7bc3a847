"""Whole graphs evaluated operation by operation, whatever is known of their shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.graph import Body, Tensor
from thalweg.ops.evaluation import evaluate_body

Array = np.ndarray[Any, Any]


def interpret(fetches: Sequence[Tensor], feeds: Mapping[Tensor, Any]) -> list[Array]:
    """The values of tensors of a graph without variables."""
    body = Body(fetches[0].graph, tuple(feeds), tuple(fetches))
    given = [np.asarray(value, t.dtype.numpy) for t, value in feeds.items()]
    return [np.asarray(value) for value in evaluate_body(np, body, given)]


def differences(y: Tensor, x: Tensor, feeds: Mapping[Tensor, Any], step: float = 1e-6) -> Array:
    """The gradient of a scalar by a tensor that is fed, as central differences in float64."""
    base = np.array(feeds[x], np.float64)
    made = np.zeros_like(base)
    for place in np.ndindex(base.shape):
        values = []
        for sign in (1, -1):
            moved = base.copy()
            moved[place] += sign * step
            values.append(interpret([y], {**feeds, x: moved})[0])
        made[place] = (values[0] - values[1]) / (2 * step)
    return made
