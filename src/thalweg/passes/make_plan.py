"""From a user's graph to the simplest plan."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.graph import Operation, Tensor
from thalweg.passes.plan import Plan
from thalweg.passes.prune import NOTHING
from thalweg.passes.simplest import PASSES as PASSES
from thalweg.passes.simplest import simplest
from thalweg.passes.specialise import specialise


def make_plan(
    fetches: Sequence[Tensor],
    targets: Sequence[Operation],
    fed: Mapping[Tensor, tuple[int, ...]],
    values: Mapping[Tensor, np.ndarray[Any, Any]],
    done: Collection[Operation] = NOTHING,
) -> Plan:
    """What a run with these fetches and feeds computes, in its simplest form; see `specialise`.

    Raises:
        InvalidArgumentError: if a shape depends on what only the run itself can tell.
    """
    return simplest(specialise(fetches, targets, fed, values, done))
