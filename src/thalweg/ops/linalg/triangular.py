"""Systems of equations with a triangular matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import convert_pair, emit
from thalweg.ops.elementwise.arithmetic import negative
from thalweg.ops.linalg.band import MatrixBandPart
from thalweg.ops.linalg.matrices import Array, Grads, general, product, solution

_FEW = 16  # rows that are solved one after the other; more are halved, which makes products


class MatrixTriangularSolve(Op):
    """The x of `matrix @ x = rhs`, where only one triangle of the matrix is read.

    Attributes:
        is_lower: whether it is the lower one.
        adjoint: whether the matrix is transposed.
    """

    type: ClassVar[str] = "MatrixTriangularSolve"
    effects: ClassVar[Effects] = ON_HOST
    is_lower: bool = True
    adjoint: bool = False

    def infer(self, matrix: Spec, rhs: Spec) -> Spec:
        return solution(matrix, rhs)

    def evaluate(self, xp: Any, matrix: Any, rhs: Any) -> Any:
        diagonal = xp.diagonal(matrix, axis1=-2, axis2=-1)
        if not xp.all(diagonal):
            raise ValueError("the matrix is not invertible: there is a 0 on its diagonal")
        triangle = xp.swapaxes(matrix, -1, -2) if self.adjoint else matrix
        if self.is_lower != self.adjoint:
            return _substituted(triangle, rhs)
        # in the reverse order of rows and columns it is a lower triangle
        return _substituted(triangle[..., ::-1, ::-1], rhs[..., ::-1, :])[..., ::-1, :]

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        matrix, x = node.inputs[0], node.outputs[0]
        by_rhs = emit(MatrixTriangularSolve(self.is_lower, not self.adjoint), matrix, dy)
        outer = product(*((x, by_rhs) if self.adjoint else (by_rhs, x)), transpose_b=True)
        triangle = MatrixBandPart(-1, 0) if self.is_lower else MatrixBandPart(0, -1)
        return [emit(triangle, negative(outer)), by_rhs]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        matrix, rhs = general(4, 4), general(4, 2)
        for lower in (True, False):
            yield Sample(cls(lower), (matrix, rhs))
            yield Sample(cls(lower, adjoint=True), (matrix, rhs))
        yield Sample(cls(), (general(2, 3, 3), general(2, 3, 1)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        matrix, rhs = general(3, 3), general(3, 2)
        yield Sample(cls(), (matrix[:2], rhs), "matrix must hold square matrices, but it is [2, 3]")
        yield Sample(cls(), (matrix, rhs[:2]), "matrix is [3, 3], but rhs is [2, 2]")
        yield Sample(cls(), (matrix, rhs[0]), "rhs must have rank 2 or more, but it is [2]")
        yield Sample(cls(), (matrix, np.float64(rhs)), "matrix is float32 and rhs is float64")


def _substituted(lower: Array, rhs: Array) -> Array:
    """The solutions for lower triangles, by forward substitution in blocks.

    [ a 0 ] [ x ]   [ u ]        x = a^-1 u
    [ b c ] [ y ] = [ v ]   ->   y = c^-1 (v - b x)
    """
    side = lower.shape[-1]
    if side <= _FEW:
        return _row_by_row(lower, rhs)
    half = side // 2
    x = _substituted(lower[..., :half, :half], rhs[..., :half, :])
    rest = rhs[..., half:, :] - lower[..., half:, :half] @ x
    return np.concatenate([x, _substituted(lower[..., half:, half:], rest)], axis=-2)


def _row_by_row(lower: Array, rhs: Array) -> Array:
    found = np.array(rhs)
    for n in range(lower.shape[-1]):
        known = lower[..., n : n + 1, :n] @ found[..., :n, :]
        found[..., n : n + 1, :] -= known
        found[..., n : n + 1, :] /= lower[..., n : n + 1, n : n + 1]
    return found


def matrix_triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """The solution x of `matrix @ x = rhs` for triangular matrices.

    Args:
        matrix: `[..., m, m]`, float32 or float64; only one triangle is read.
        rhs: `[..., m, k]`.
        lower: whether the lower triangle is the one; else the upper.
        adjoint: whether to solve `transpose(matrix) @ x = rhs`.
        name: of the operation.

    Returns:
        `[..., m, k]`.

    Raises:
        ShapeError: if the shapes do not fit together.
        InvalidArgumentError: in a run, if there is a 0 on the diagonal.
    """
    record = MatrixTriangularSolve(lower, adjoint)
    return emit(record, *convert_pair(matrix, rhs, "matrix_triangular_solve"), name=name)
