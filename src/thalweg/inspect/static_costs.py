"""What the operations behind some fetches cost, found out without running them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.base.errors import FeedError
from thalweg.base.shapes import is_known, known
from thalweg.graph import Operation, Origin, Spec, Tensor
from thalweg.passes.costs import OpCost, costs, host_cost
from thalweg.passes.prune import NOTHING, prune
from thalweg.passes.specialise import specialise, static_feeds
from thalweg.passes.stages import Stage, Stages, cut_into_stages

Array = np.ndarray[Any, Any]


def static_costs(
    fetches: Sequence[Tensor],
    targets: Sequence[Operation],
    shapes: Mapping[Tensor, Sequence[int]],
    values: Mapping[Tensor, Array],
) -> dict[str, OpCost]:
    """The cost of each operation, by name.

    Args:
        fetches: tensors.
        targets: operations.
        shapes: of what would be fed; placeholders of a known shape may be left out.
        values: of those among them that decide about shapes.

    Raises:
        FeedError: a shape is not known, or a value that decides about shapes.
    """
    ops = prune(fetches, targets, shapes)
    fed = {tensor: tuple(map(int, shape)) for tensor, shape in shapes.items()}
    fed |= _known_placeholders(ops, fed)
    anywhere = dict.fromkeys(ops, "")  # what an operation costs does not depend on its device
    stages = cut_into_stages(ops, anywhere, fetches, targets, fed)
    if stages is not None:
        return _of_stages(stages, fed, values)
    static = {tensor: _value(tensor, values) for tensor in static_feeds(ops, fed)}
    return costs(specialise(fetches, targets, fed, static))


def _known_placeholders(
    ops: Iterable[Operation], fed: Mapping[Tensor, object]
) -> dict[Tensor, tuple[int, ...]]:
    """The shapes of the placeholders that are not fed."""
    found = {}
    for op in ops:
        if op.record.origin is Origin.FEED and op.outputs[0] not in fed:
            tensor = op.outputs[0]
            if not is_known(tensor.static_shape):
                raise FeedError(
                    f"profile: the shape of {tensor.name!r} is {tensor.shape}: give one for it "
                    f"in feed_shapes\n  it was made at {op.source}"
                )
            found[tensor] = known(tensor.static_shape)
    return found


def _value(tensor: Tensor, values: Mapping[Tensor, Array]) -> Array:
    if tensor not in values:
        raise FeedError(
            f"profile: the value of {tensor.name!r} decides about shapes: give it in feed_dict\n"
            f"  it was made at {tensor.op.source}"
        )
    return values[tensor]


def _of_stages(
    stages: Stages, fed: Mapping[Tensor, tuple[int, ...]], values: Mapping[Tensor, Array]
) -> dict[str, OpCost]:
    """Those of segments whose feeds are of known shapes; of the rest only that they are there."""
    found: dict[str, OpCost] = {}
    for stage in stages.stages:
        shapes = {t: fed.get(t, t.static_shape) for t in stage.feeds}
        complete = {tensor: known(s) for tensor, s in shapes.items() if is_known(s)}
        if stage.is_host or len(complete) < len(shapes):
            here = {op.name: host_cost(op, map(_spec, op.outputs), 0) for op in stage.ops}
        else:
            here = _of_segment(stage, complete, values)
        found = here | found  # what crosses a boundary is a feed of the later stage
    return found


def _of_segment(
    stage: Stage, shapes: Mapping[Tensor, tuple[int, ...]], values: Mapping[Tensor, Array]
) -> dict[str, OpCost]:
    done = stage.done or NOTHING
    ops = prune(stage.tensors, stage.targets, shapes, done)
    static = {tensor: _value(tensor, values) for tensor in static_feeds(ops, shapes)}
    return costs(specialise(stage.tensors, stage.targets, shapes, static, done))


def _spec(tensor: Tensor) -> Spec:
    """The shape as far as it is known; what is not counts as nothing."""
    return Spec(tuple([extent or 0 for extent in tensor.static_shape or ()]), tensor.dtype)
