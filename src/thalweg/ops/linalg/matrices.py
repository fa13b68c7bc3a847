"""What the operations on matrices share; leading axes count the matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, show
from thalweg.graph import Spec, Tensor
from thalweg.ops.arrays.reshape import transpose
from thalweg.ops.build import convert, emit
from thalweg.ops.linalg.matmul import MatMul
from thalweg.ops.samples import wave

Grads = Sequence[Tensor | None]
Array = np.ndarray[Any, Any]
_KINDS = (dtypes.float32, dtypes.float64)


def check_matrices(**specs: Spec) -> None:
    """Complain unless each holds matrices of float32 or float64.

    Raises:
        DTypeError, ShapeError: if it does not.
    """
    for name, spec in specs.items():
        if spec.dtype not in _KINDS:
            raise DTypeError(f"{name} must be float32 or float64, not {spec.dtype}")
        if spec.shape is not None and len(spec.shape) < 2:
            raise ShapeError(f"{name} must have rank 2 or more, but it is {show(spec.shape)}")


def square(name: str, spec: Spec) -> Shape:
    """The shape of square matrices, as far as it is known.

    Raises:
        DTypeError, ShapeError: if they are no square matrices.
    """
    check_matrices(**{name: spec})
    if spec.shape is None:
        return None
    *lead, rows, columns = spec.shape
    if None not in (rows, columns) and rows != columns:
        raise ShapeError(f"{name} must hold square matrices, but it is {show(spec.shape)}")
    side = columns if rows is None else rows
    return (*lead, side, side)


def solution(matrix: Spec, rhs: Spec) -> Spec:
    """What solves `matrix @ x = rhs`.

    Raises:
        DTypeError, ShapeError: if the operands do not fit together.
    """
    sides = square("matrix", matrix)
    check_matrices(rhs=rhs)
    if matrix.dtype != rhs.dtype:
        raise DTypeError(f"matrix is {matrix.dtype} and rhs is {rhs.dtype}")
    if sides is None or rhs.shape is None:
        return Spec(rhs.shape, rhs.dtype)
    if not shapes.compatible(sides[:-1], rhs.shape[:-1]):
        raise ShapeError(f"matrix is {show(matrix.shape)}, but rhs is {show(rhs.shape)}")
    rows = shapes.merge(sides[:-1], rhs.shape[:-1]) or ()
    return Spec((*rows, rhs.shape[-1]), rhs.dtype)


def product(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """The products of as many matrices."""
    return emit(MatMul(transpose_a, transpose_b), a, b)


def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """The transpose of each matrix: the last two axes are exchanged.

    Args:
        a: `[..., m, n]`, of known rank.
        name: of the operation.
        conjugate: of no effect, as there are real numbers only.

    Returns:
        `[..., n, m]`.

    Raises:
        ShapeError: if the rank is not known, or less than 2.
    """
    x = convert(a)
    rank = None if x.static_shape is None else len(x.static_shape)
    if rank is None:
        raise ShapeError("the rank of the matrices must be known here")
    if rank < 2:
        raise ShapeError(f"the rank must be 2 or more; it is {show(x.static_shape)}")
    return transpose(x, [*range(rank - 2), rank - 1, rank - 2], name=name)


# -- samples


def definite(*lead: int, side: int = 3) -> Array:
    """Symmetric positive definite matrices, whose eigenvalues are apart."""
    factor = general(*lead, side, side)
    product = factor @ np.swapaxes(factor, -1, -2)
    return np.asarray(product + np.diag(np.arange(1, side + 1)), np.float32)


def general(*shape: int) -> Array:
    """Matrices without a pattern, whose singular values are apart and not small."""
    diagonal = np.eye(shape[-2], shape[-1])
    return np.asarray(wave(*shape, step=1.3) + 2 * diagonal, np.float32)
