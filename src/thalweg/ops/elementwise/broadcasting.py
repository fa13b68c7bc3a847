"""What the public functions share: arguments become tensors of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import ShapeError
from thalweg.graph import Op, Tensor
from thalweg.ops.arrays.broadcast import broadcast_like
from thalweg.ops.build import convert, convert_pair, emit, scope


def broadcast_together(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors broadcast to the shape that they have together.

    Tensors that do not fit together come back as they are: the op that takes them complains, with
    the user's lines.
    """
    result = list(tensors)
    for n in range(len(tensors)):
        for other in (*tensors[:n], *tensors[n + 1 :]):
            try:
                result[n] = broadcast_like(result[n], other)
            except ShapeError:
                return list(tensors)
    return result


def binary(record: Op, x: Any, y: Any, name: str | None, default: str) -> Tensor:
    """An op of two arguments, of their common shape; `default` is what it is called."""
    with scope(name, default, x, y) as full:
        return emit(record, *broadcast_together(convert_pair(x, y, default.lower())), name=full)


def unary(record: Op, x: Any, name: str | None = None) -> Tensor:
    """An op of one argument."""
    return emit(record, convert(x), name=name)
