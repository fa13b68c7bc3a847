"""Cholesky decompositions, and systems of equations that are solved by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import convert, convert_pair, emit, scope
from thalweg.ops.linalg.band import matrix_band_part
from thalweg.ops.linalg.matrices import Grads, definite, general, matrix_transpose, product, square
from thalweg.ops.linalg.triangular import MatrixTriangularSolve


class Cholesky(Op):
    """The lower triangle L with `L @ transpose(L) = input`; it reads the lower triangle alone."""

    type: ClassVar[str] = "Cholesky"
    effects: ClassVar[Effects] = ON_HOST

    def infer(self, input: Spec) -> Spec:
        return Spec(square("input", input), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.linalg.cholesky(input)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        """Symmetric, as TensorFlow's is: Murray (2016), "Differentiation of the Cholesky ..."."""
        factor = node.outputs[0]
        middle = half_diagonal(matrix_band_part(product(factor, dy, transpose_a=True), -1, 0))
        solve = MatrixTriangularSolve(adjoint=True)
        left = matrix_transpose(emit(solve, factor, middle))
        both = emit(solve, factor, left)
        return [0.5 * (both + matrix_transpose(both))]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        # Differences move one triangle; the gradient takes the matrix for symmetric.
        yield Sample(cls(), (definite(),), differentiable=False)
        yield Sample(cls(), (definite(2, side=4),), differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(2, 3),), "input must hold square matrices, but it is [2, 3]")
        yield Sample(cls(), (np.int32(definite()),), "input must be float32 or float64, not int32")


def half_diagonal(x: Tensor) -> Tensor:
    """Each matrix with half its diagonal: what a symmetric matrix needs one triangle of."""
    return x - 0.5 * matrix_band_part(x, 0, 0)


def cholesky(input: Any, name: str | None = None) -> Tensor:
    """The Cholesky decomposition of symmetric positive definite matrices.

    Args:
        input: `[..., m, m]`, float32 or float64; only the lower triangle is read.
        name: of the operation.

    Returns:
        `[..., m, m]`: lower triangles L with `L @ transpose(L) = input`.

    Raises:
        ShapeError: if the matrices are not square.
        InvalidArgumentError: in a run, if a matrix is not positive definite.
    """
    return emit(Cholesky(), convert(input), name=name)


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """The solution x of `a @ x = rhs`, given the Cholesky decomposition of a.

    Args:
        chol: `[..., m, m]`: what `tf.cholesky(a)` returns.
        rhs: `[..., m, k]`.
        name: of the operation.

    Returns:
        `[..., m, k]`.

    Raises:
        ShapeError: if the shapes do not fit together.
    """
    with scope(name, "cholesky_solve", chol, rhs) as full:
        factor, right = convert_pair(chol, rhs, "cholesky_solve")
        half = emit(MatrixTriangularSolve(), factor, right)
        return emit(MatrixTriangularSolve(adjoint=True), factor, half, name=full)
