"""Determinants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.reshape import expand_dims
from thalweg.ops.build import convert, emit
from thalweg.ops.linalg.matrices import Grads, general, square
from thalweg.ops.linalg.solve import MatrixInverse


class MatrixDeterminant(Op):
    """The determinant of each matrix."""

    type: ClassVar[str] = "MatrixDeterminant"
    effects: ClassVar[Effects] = ON_HOST

    def infer(self, input: Spec) -> Spec:
        shape = square("input", input)
        return Spec(None if shape is None else shape[:-2], input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return xp.linalg.det(input)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [_outer(dy * node.outputs[0], node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(3, 3),))
        yield Sample(cls(), (general(2, 2, 4, 4),))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(2, 3),), "input must hold square matrices, but it is [2, 3]")
        yield Sample(cls(), (np.int32(general(2, 2)),), "input must be float32 or float64, not int")


class LogMatrixDeterminant(Op):
    """The sign of each determinant, and the logarithm of its absolute value."""

    type: ClassVar[str] = "LogMatrixDeterminant"
    effects: ClassVar[Effects] = ON_HOST

    def infer(self, input: Spec) -> tuple[Spec, Spec]:
        spec = MatrixDeterminant().infer(input)
        return spec, spec

    def evaluate(self, xp: Any, input: Any) -> Any:
        return tuple(xp.linalg.slogdet(input))

    def grad(self, node: Operation, *dys: Tensor | None) -> Grads:
        by_logarithm = dys[1]
        return [None if by_logarithm is None else _outer(by_logarithm, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(3, 3),))
        yield Sample(cls(), (-general(2, 3, 3),))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(2, 3),), "input must hold square matrices, but it is [2, 3]")


def _outer(dy: Tensor, matrix: Tensor) -> Tensor:
    """The gradient of the logarithm of a determinant, the inverse's transpose, times dy."""
    return expand_dims(expand_dims(dy, -1), -1) * emit(MatrixInverse(adjoint=True), matrix)


# -- the public functions


def matrix_determinant(input: Any, name: str | None = None) -> Tensor:
    """The determinant of each matrix.

    Args:
        input: `[..., m, m]`, float32 or float64.
        name: of the operation.

    Returns:
        `[...]`.

    Raises:
        ShapeError: if the matrices are not square.
    """
    return emit(MatrixDeterminant(), convert(input), name=name)


def log_matrix_determinant(input: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The sign of each determinant, and the logarithm of its absolute value.

    That does not overflow where the determinant itself would.

    Args:
        input: `[..., m, m]`, float32 or float64.
        name: of the operation.

    Returns:
        Two tensors `[...]`: the signs (-1, 0 or 1), and the logarithms.

    Raises:
        ShapeError: if the matrices are not square.
    """
    x = convert(input)
    sign, logarithm = x.graph.add(LogMatrixDeterminant(), (x,), name).outputs
    return sign, logarithm
