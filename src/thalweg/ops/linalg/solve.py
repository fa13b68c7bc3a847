"""Inverses, systems of equations and least squares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import known, show
from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.build import checking, convert, convert_pair, emit, scope
from thalweg.ops.linalg.band import matrix_band_part
from thalweg.ops.linalg.cholesky import cholesky, cholesky_solve
from thalweg.ops.linalg.matrices import (
    Grads,
    check_matrices,
    general,
    product,
    solution,
    square,
)


class MatrixInverse(Op):
    """The inverse of each matrix.

    Attributes:
        adjoint: whether to invert the transposes.
    """

    type: ClassVar[str] = "MatrixInverse"
    effects: ClassVar[Effects] = ON_HOST
    adjoint: bool = False

    def infer(self, input: Spec) -> Spec:
        return Spec(square("input", input), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.linalg.inv(xp.swapaxes(input, -1, -2) if self.adjoint else input)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        inverse = node.outputs[0]
        if self.adjoint:
            inner = product(inverse, dy, transpose_b=True)
            return [-product(inner, inverse)]
        inner = product(dy, inverse, transpose_b=True)
        return [-product(inverse, inner, transpose_a=True)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(3, 3),))
        yield Sample(cls(True), (general(2, 4, 4),))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(2, 3),), "input must hold square matrices, but it is [2, 3]")


class MatrixSolve(Op):
    """The x of `matrix @ x = rhs`.

    Attributes:
        adjoint: whether the matrix is transposed.
    """

    type: ClassVar[str] = "MatrixSolve"
    effects: ClassVar[Effects] = ON_HOST
    adjoint: bool = False

    def infer(self, matrix: Spec, rhs: Spec) -> Spec:
        return solution(matrix, rhs)

    def evaluate(self, xp: Any, matrix: Any, rhs: Any) -> Any:
        return xp.linalg.solve(xp.swapaxes(matrix, -1, -2) if self.adjoint else matrix, rhs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        matrix, x = node.inputs[0], node.outputs[0]
        by_rhs = emit(MatrixSolve(not self.adjoint), matrix, dy)
        outer = product(*((x, by_rhs) if self.adjoint else (by_rhs, x)), transpose_b=True)
        return [-outer, by_rhs]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(3, 3), general(3, 2)))
        yield Sample(cls(True), (general(2, 4, 4), general(2, 4, 1)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(3, 3), general(2, 2)), "matrix is [3, 3], but rhs is [2, 2]")


class MatrixSolveLs(Op):
    """The x of the least squares `|matrix @ x - rhs|^2`, and of those that of the least norm."""

    type: ClassVar[str] = "MatrixSolveLs"
    effects: ClassVar[Effects] = ON_HOST
    differentiable: ClassVar[bool] = False  # as in TensorFlow, only the fast way has a gradient

    def infer(self, matrix: Spec, rhs: Spec) -> Spec:
        check_matrices(matrix=matrix, rhs=rhs)
        if matrix.dtype != rhs.dtype:
            raise DTypeError(f"matrix is {matrix.dtype} and rhs is {rhs.dtype}")
        if matrix.shape is None or rhs.shape is None:
            return Spec(None, rhs.dtype)
        if not shapes.compatible(matrix.shape[:-1], rhs.shape[:-1]):
            raise ShapeError(f"matrix is {show(matrix.shape)}, but rhs is {show(rhs.shape)}")
        lead = shapes.merge(matrix.shape[:-2], rhs.shape[:-2]) or ()
        return Spec((*lead, matrix.shape[-1], rhs.shape[-1]), rhs.dtype)

    def evaluate(self, xp: Any, matrix: Any, rhs: Any) -> Any:
        negligible = max(matrix.shape[-2:]) * xp.finfo(matrix.dtype).eps  # as for a numerical rank
        return xp.linalg.pinv(matrix, rcond=negligible) @ rhs

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(4, 3), general(4, 2)))
        yield Sample(cls(), (general(2, 2, 3), general(2, 2, 1)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(4, 3), general(3, 2)), "matrix is [4, 3], but rhs is [3, 2]")
        yield Sample(
            cls(),
            (general(4, 3), np.float64(general(4, 2))),
            "matrix is float32 and rhs is float64",
        )


# -- the public functions


def matrix_inverse(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverse of each matrix. To solve a system of equations, prefer `matrix_solve`.

    Args:
        input: `[..., m, m]`, float32 or float64.
        adjoint: whether to invert the transposes.
        name: of the operation.

    Returns:
        `[..., m, m]`.

    Raises:
        ShapeError: if the matrices are not square.
        InvalidArgumentError: in a run, if a matrix has no inverse.
    """
    return emit(MatrixInverse(adjoint), convert(input), name=name)


def matrix_solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The solution x of `matrix @ x = rhs`.

    Args:
        matrix: `[..., m, m]`, float32 or float64.
        rhs: `[..., m, k]`.
        adjoint: whether to solve `transpose(matrix) @ x = rhs`.
        name: of the operation.

    Returns:
        `[..., m, k]`.

    Raises:
        ShapeError: if the shapes do not fit together.
        InvalidArgumentError: in a run, if a matrix has no inverse.
    """
    return emit(MatrixSolve(adjoint), *convert_pair(matrix, rhs, "matrix_solve"), name=name)


def matrix_solve_ls(
    matrix: Any,
    rhs: Any,
    l2_regularizer: float = 0.0,
    fast: bool = True,
    name: str | None = None,
) -> Tensor:
    """The solution x of least squares: the least `|matrix @ x - rhs|^2 + l2_regularizer * |x|^2`.

    Where m < n and there is no regulariser, it is the x of the least norm with `matrix @ x = rhs`.

    Args:
        matrix: `[..., m, n]`, float32 or float64.
        rhs: `[..., m, k]`.
        l2_regularizer: the weight of x in what is minimised.
        fast: whether to solve the normal equations by a Cholesky decomposition, which needs a
            matrix of full rank with a condition number below some thousand (in float32), and has a
            gradient. Otherwise a singular value decomposition finds the x of the least norm,
            whatever the rank; it takes no regulariser and has no gradient.
        name: of the operation.

    Returns:
        `[..., n, k]`.

    Raises:
        ShapeError: if the shapes do not fit together; if m or n is not known, where `fast`.
        InvalidArgumentError: in a run, if the matrix is not of full rank, where `fast`.
    """
    with scope(name, "matrix_solve_ls", matrix, rhs) as full:
        a, b = convert_pair(matrix, rhs, "matrix_solve_ls")
        if not fast:
            return emit(MatrixSolveLs(), a, b, name=full)
        with checking("matrix_solve_ls", matrix=a, rhs=b):
            MatrixSolveLs().infer(a.spec, b.spec)
            rows, columns = known((a.static_shape or (None, None))[-2:])
        return identity(_normal(a, b, l2_regularizer, rows >= columns), name=full)


def _normal(a: Tensor, b: Tensor, weight: float, is_tall: bool) -> Tensor:
    """The solution by the normal equations, of the smaller of the two products of a with itself."""
    gram = product(a, a, transpose_a=is_tall, transpose_b=not is_tall)
    diagonal = matrix_band_part(ones_like(gram), 0, 0)
    factor = cholesky(gram + weight * diagonal)
    if is_tall:
        return cholesky_solve(factor, product(a, b, transpose_a=True))
    return product(a, cholesky_solve(factor, b), transpose_a=True)
