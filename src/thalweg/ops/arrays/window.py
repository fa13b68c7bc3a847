"""Windows: parts of a fixed length at computed positions.

The shape of a window does not depend on where it begins, so it is gathered by native code, and a
loop over windows is one program.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from thalweg.graph import Operation, Origin, Tensor
from thalweg.graph.operators import Operators
from thalweg.ops.arrays.broadcast import Broadcast, BroadcastLike
from thalweg.ops.arrays.gather import Gather
from thalweg.ops.arrays.reshape import Identity, StopGradient
from thalweg.ops.build import constant_like, constant_value, convert, emit
from thalweg.ops.elementwise.arithmetic import Add, Mul, Sub, add

_SAME = {kind.type for kind in (Broadcast, BroadcastLike, Identity, StopGradient)}
_MOST_TERMS = 64  # operations that a bound is looked for behind


def window(
    x: Tensor, begin: Tensor, length: int, axis: int, step: int = 1, name: str | None = None
) -> Tensor:
    """The elements at `begin, begin + step, ...` along an axis, as many as `length` says.

    A run in which one of them does not exist fails.
    """
    steps = constant_like(begin.graph, np.arange(length, dtype=begin.dtype.numpy) * step)
    return emit(Gather(axis, True), x, add(begin, steps), name=name)


def window_length(item: Any) -> int | None:
    """How long a slice is, if it begins elsewhere in each iteration and always has one length.

    Args:
        item: of an index.
    """
    if not isinstance(item, slice) or not isinstance(item.start, Operators) or item.stop is None:
        return None
    step = 1 if item.step is None else item.step
    begin = convert(item.start)
    if not (isinstance(step, int) and step and begin.dtype.is_integer and is_iterated(begin)):
        return None
    distance = _distance(begin, convert(item.stop, hint=begin.dtype))
    return None if distance is None else len(range(0, distance, step))


def is_iterated(tensor: Tensor) -> bool:
    """Whether a value in the body of a loop may be another one in each iteration."""
    waiting, seen = [tensor], {tensor}
    while waiting:
        found = waiting.pop()
        op, outer = found.op, found.op.graph.outer_of(found)
        if op.graph.depth and outer is None and _starts_anew(op):
            return True
        new = {*op.inputs} if outer is None else {outer}
        waiting.extend(new - seen)
        seen |= new
    return False


def _starts_anew(op: Operation) -> bool:
    """Whether an operation of a body gives another value each time, though nothing else does."""
    does = op.record.effects
    return op.record.origin is Origin.FEED or does.draws or bool(does.reads)


def _distance(start: Tensor, stop: Tensor) -> int | None:
    """How far a scalar is from another, if it is the same whatever they are."""
    terms = _terms(stop)
    terms.subtract(_terms(start))
    distance = terms.pop(None, 0)
    return None if any(terms.values()) else distance


def _terms(scalar: Tensor) -> Counter[Tensor | None]:
    """A scalar as a sum of tensors times numbers; the number of None is added."""
    found: Counter[Tensor | None] = Counter()
    waiting = [(scalar, 1)]
    for _ in range(_MOST_TERMS):
        if not waiting:
            break
        tensor, factor = waiting.pop()
        parts = _parts(tensor)
        value = constant_value(tensor)
        if value is not None and value.ndim == 0:
            found[None] += factor * int(value)
        elif parts is None:
            found[tensor] += factor
        else:
            waiting.extend((part, factor * times) for part, times in parts)
    for tensor, factor in waiting:
        found[tensor] += factor
    return found


def _parts(tensor: Tensor) -> list[tuple[Tensor, int]] | None:
    """The terms of a sum, a difference or a multiple, each with its factor; None for others."""
    op = tensor.op
    if op.type == Mul.type:
        return _multiple(*op.inputs)
    if op.type in (Add.type, Sub.type):
        return list(zip(op.inputs, (1, 1 if op.type == Add.type else -1), strict=True))
    return [(op.inputs[0], 1)] if op.type in _SAME else None


def _multiple(x: Tensor, y: Tensor) -> list[tuple[Tensor, int]] | None:
    for a, b in ((x, y), (y, x)):
        value = constant_value(b)
        if value is not None and value.ndim == 0:
            return [(a, int(value))]
    return None
