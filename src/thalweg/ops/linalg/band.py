"""Diagonals and triangles of matrices; leading axes count the matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import show
from thalweg.formula import Expr, Formula, Lowered, Operand, Position, apply, axes
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.broadcast import broadcast_like
from thalweg.ops.arrays.reshape import expand_dims
from thalweg.ops.arrays.slicing import guarded
from thalweg.ops.build import convert, emit, scope
from thalweg.ops.extents import static_ints
from thalweg.ops.linalg.matrices import Grads
from thalweg.ops.samples import CUBE, TABLE


class MatrixBandPart(Op):
    """Each matrix with zeros outside of a band around its diagonal.

    Attributes:
        num_lower: how many diagonals below the main one are kept; all if negative.
        num_upper: the same above it.
    """

    type: ClassVar[str] = "MatrixBandPart"
    num_lower: int
    num_upper: int

    def infer(self, input: Spec) -> Spec:
        if input.shape is not None and len(input.shape) < 2:
            raise ShapeError(f"input must have rank 2 or more, but it is {show(input.shape)}")
        return input

    def evaluate(self, xp: Any, input: Any) -> Any:
        rows, columns = input.shape[-2:]
        below = xp.expand_dims(xp.arange(rows), 1) - xp.arange(columns)
        lower = rows if self.num_lower < 0 else self.num_lower
        upper = columns if self.num_upper < 0 else self.num_upper
        return xp.where((below <= lower) & (below >= -upper), input, xp.zeros_like(input))

    def lower(self, *inputs: Operand) -> Lowered:
        (x,) = inputs
        index = axes(*x.shape)
        below = Position(index[-2] - index[-1])
        conditions: list[Expr] = []
        if self.num_lower >= 0:
            conditions.append(apply("le", below, self.num_lower))
        if self.num_upper >= 0:
            conditions.append(apply("ge", below, -self.num_upper))
        return Formula.make(index, guarded(conditions, x[index], 0))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [emit(self, dy)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(0, -1), (CUBE,), exact=True)
        yield Sample(cls(1, 1), (np.arange(1, 26, dtype=np.int32).reshape(5, 5),), exact=True)
        yield Sample(cls(-1, 0), (np.arange(12).reshape(4, 3) % 5 > 0,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(0, 0), (TABLE[0],), "input must have rank 2 or more, but it is [3]")


# -- the public functions


def matrix_band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Tensor:
    """Each matrix with zeros outside of a band around its diagonal.

    `matrix_band_part(x, 0, -1)` is the upper triangle, `matrix_band_part(x, -1, 0)` the lower one,
    `matrix_band_part(x, 0, 0)` the diagonal.

    Args:
        input: `[..., m, n]`.
        num_lower: how many diagonals below the main one are kept; all if negative.
        num_upper: how many above it are kept; all if negative.
        name: of the operation.

    Raises:
        ShapeError: if the rank is less than 2.
    """
    (lower,), (upper,) = (static_ints("matrix_band_part", n) for n in (num_lower, num_upper))
    return emit(MatrixBandPart(lower, upper), convert(input), name=name)


def matrix_diag(diagonal: Any, name: str | None = None) -> Tensor:
    """Square matrices with the given diagonals, and zeros elsewhere.

    Args:
        diagonal: `[..., n]`.
        name: of the operation.

    Returns:
        `[..., n, n]`.
    """
    values = convert(diagonal)
    with scope(name, "MatrixDiag", values) as full:
        filled = broadcast_like(expand_dims(values, -1), expand_dims(values, -2))
        return emit(MatrixBandPart(0, 0), filled, name=full)
