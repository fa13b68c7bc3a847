"""QR decompositions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape, known, show
from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.join import concat
from thalweg.ops.arrays.slicing import strided
from thalweg.ops.build import convert, emit
from thalweg.ops.linalg.band import matrix_band_part
from thalweg.ops.linalg.matrices import Grads, check_matrices, general, matrix_transpose, product
from thalweg.ops.linalg.triangular import MatrixTriangularSolve


class Qr(Op):
    """A matrix with orthonormal columns, and an upper triangle, whose product is the input.

    Attributes:
        full_matrices: whether the first is square.
    """

    type: ClassVar[str] = "Qr"
    effects: ClassVar[Effects] = ON_HOST
    full_matrices: bool = False

    def infer(self, input: Spec) -> tuple[Spec, Spec]:
        check_matrices(input=input)
        if input.shape is None:
            return Spec(None, input.dtype), Spec(None, input.dtype)
        *lead, m, n = input.shape
        few = None if m is None or n is None else min(m, n)
        width = m if self.full_matrices else few
        return Spec((*lead, m, width), input.dtype), Spec((*lead, width, n), input.dtype)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return tuple(xp.linalg.qr(input, mode="complete" if self.full_matrices else "reduced"))

    def grad(self, node: Operation, *dys: Tensor | None) -> Grads:
        """Roberts and Roberts (2020), "QR and LQ decomposition matrix backpropagation ..."."""
        x, (q, r) = node.inputs[0], node.outputs
        m, n = self._extents(x.static_shape)
        by_q, by_r = (
            zeros_like(y) if dy is None else dy for y, dy in zip((q, r), dys, strict=True)
        )
        if m >= n:
            return [_of_tall(q, r, by_q, by_r)]
        left, right = (..., slice(None, m)), (..., slice(m, None))  # x = q @ [u, w]
        by_rest = strided(by_r, right)
        by_q = by_q + product(strided(x, right), by_rest, transpose_b=True)
        by_square = _of_tall(q, strided(r, left), by_q, strided(by_r, left))
        return [concat([by_square, product(q, by_rest)], -1)]

    def _extents(self, shape: Shape) -> tuple[int, int]:
        m, n = known(None if shape is None else shape[-2:])
        if self.full_matrices and m > n:
            raise ShapeError(
                f"there is no gradient for more rows than columns with full_matrices: {show(shape)}"
            )
        return m, n

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(3, 3),))
        yield Sample(cls(), (general(2, 4, 2),))
        yield Sample(cls(), (general(2, 4),))
        yield Sample(cls(True), (general(4, 2),), differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(2, 3)[0],), "input must have rank 2 or more, but it is [3]")
        yield Sample(cls(), (np.int32(general(2, 3)),), "input must be float32 or float64, not int")


def _of_tall(q: Tensor, r: Tensor, by_q: Tensor, by_r: Tensor) -> Tensor:
    """The gradient for no fewer rows than columns."""
    inner = product(q, by_q, transpose_a=True)
    outer = product(r, by_r, transpose_b=True)
    skew = inner - matrix_transpose(inner) + outer - matrix_transpose(outer)
    along = by_r + _over(matrix_band_part(skew, -1, 0), r)
    return product(q, along) + _over(by_q - product(q, inner), r)


def _over(x: Tensor, r: Tensor) -> Tensor:
    """`x @ transpose(inverse(r))`, where r is an upper triangle."""
    solved = emit(MatrixTriangularSolve(is_lower=False), r, matrix_transpose(x))
    return matrix_transpose(solved)


def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The QR decomposition: `input = q @ r`, with orthonormal columns of q and upper triangles r.

    Args:
        input: `[..., m, n]`, float32 or float64; p is the lesser of m and n.
        full_matrices: whether q is square.
        name: of the operation.

    Returns:
        q `[..., m, p]` and r `[..., p, n]`, where p is m with `full_matrices`.

    Raises:
        ShapeError: if the rank is less than 2. For a gradient, m and n must be known.
    """
    x = convert(input)
    q, r = x.graph.add(Qr(full_matrices), (x,), name).outputs
    return q, r
