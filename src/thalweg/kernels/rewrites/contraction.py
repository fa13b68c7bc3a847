"""What kind of reduction a definition is, and how often its loops evaluate it."""

from __future__ import annotations

from collections.abc import Iterable

from thalweg.base.shapes import typical_size
from thalweg.formula import Axis
from thalweg.kernels.values import Definition


def is_contraction(definition: Definition) -> bool:
    """Whether operands are read more often than they have elements, inside a reduction."""
    for reduce in definition.body.reductions:
        total = evaluations((*definition.axes, *reduce.axes))
        if any(total > 2 * typical_size(r.source.shape) for r in reduce.body.reads):
            return True
    return False


def is_channelwise(definition: Definition) -> bool:
    """Whether results that are neighbours along the last axis share nothing of what is reduced.

    Pooling and depthwise convolutions are so. They move memory more than they compute, so that
    testing whether a place is on the border costs less than a copy with the border around.
    """
    last = definition.axes[-1] if definition.axes else None
    reads = [read for reduce in definition.body.reductions for read in reduce.body.reads]
    if last is None or not reads:
        return False
    return all(any(at.coefficient(last) for at in read.index) for read in reads)


def evaluations(axes: Iterable[Axis]) -> int:
    """How often something inside loops over the axes is evaluated, for a typical batch."""
    return typical_size(axis.extent for axis in axes)
