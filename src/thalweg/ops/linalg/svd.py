"""Singular value decompositions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import ShapeError
from thalweg.base.shapes import Shape
from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.reshape import expand_dims
from thalweg.ops.build import convert
from thalweg.ops.elementwise.arithmetic import square
from thalweg.ops.linalg.band import matrix_diag
from thalweg.ops.linalg.eigen import gaps
from thalweg.ops.linalg.matrices import Grads, check_matrices, general, matrix_transpose, product


class Svd(Op):
    """Singular values in descending order, and the singular vectors of both sides as columns.

    Attributes:
        compute_uv: whether there are singular vectors; if not, there is one output.
        full_matrices: whether there are as many as make up a basis.
    """

    type: ClassVar[str] = "Svd"
    effects: ClassVar[Effects] = ON_HOST
    compute_uv: bool = True
    full_matrices: bool = False

    def infer(self, input: Spec) -> tuple[Spec, ...]:
        check_matrices(input=input)
        if input.shape is None:
            return (Spec(None, input.dtype),) * (3 if self.compute_uv else 1)
        *lead, m, n = input.shape
        few = None if m is None or n is None else min(m, n)
        shapes: list[Shape] = [(*lead, few)]
        if self.compute_uv:
            width = (m, n) if self.full_matrices else (few, few)
            shapes += [(*lead, m, width[0]), (*lead, n, width[1])]
        return tuple(Spec(shape, input.dtype) for shape in shapes)

    def evaluate(self, xp: Any, input: Any) -> Any:
        if not self.compute_uv:
            return (xp.linalg.svd(input, compute_uv=False),)
        u, s, v = xp.linalg.svd(input, full_matrices=self.full_matrices)
        return s, u, xp.swapaxes(v, -1, -2)

    def grad(self, node: Operation, *dys: Tensor | None) -> Grads:
        """Townsend (2016), "Differentiating the singular value decomposition"."""
        by_s, by_u, by_v = (*dys, None, None)[:3]
        if self.full_matrices and not (by_u is None and by_v is None):
            self._check_thin(node.inputs[0].static_shape)
        is_thin = self.compute_uv and not self.full_matrices
        s, u, v = node.outputs if is_thin else _thin(node.inputs[0])
        middle = zeros_like(matrix_diag(s)) if by_s is None else matrix_diag(by_s)
        found = product(product(u, middle), v, transpose_b=True)
        if by_u is not None:
            found = found + _by_left(s, u, v, by_u)
        if by_v is not None:
            found = found + matrix_transpose(_by_left(s, v, u, by_v))
        return [found]

    def _check_thin(self, shape: Shape) -> None:
        """Complain where the vectors beyond the singular values, which are any, have a gradient."""
        if shape is None or None in shape[-2:] or shape[-2] != shape[-1]:
            raise ShapeError(
                "singular vectors of full_matrices have a gradient only for square matrices, "
                "whose extents must be known here"
            )

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(3, 3),))
        yield Sample(cls(), (general(2, 4, 3),))
        yield Sample(cls(), (general(2, 4),))
        yield Sample(cls(False), (general(2, 3, 2),))
        yield Sample(cls(full_matrices=True), (general(4, 2),), differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(2, 3)[0],), "input must have rank 2 or more, but it is [3]")
        yield Sample(cls(), (np.int32(general(2, 3)),), "input must be float32 or float64, not int")


def _by_left(s: Tensor, u: Tensor, v: Tensor, by_u: Tensor) -> Tensor:
    """The gradient that comes through the left singular vectors u.

    u ((uᵀ dy - dyᵀ u) / (s_j² - s_i²)) s vᵀ + (1 - u uᵀ) dy s⁻¹ vᵀ
    """
    inner = product(u, by_u, transpose_a=True)
    turned = gaps(square(s)) * (inner - matrix_transpose(inner))
    rows = expand_dims(s, -2)
    within = product(u, turned * rows)
    beyond = (by_u - product(u, inner)) / rows
    return product(within + beyond, v, transpose_b=True)


def _thin(x: Tensor) -> tuple[Tensor, ...]:
    return x.graph.add(Svd(), (x,)).outputs


def svd(
    tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None
) -> Any:
    """The singular value decomposition `tensor = u @ diag(s) @ transpose(v)`.

    Args:
        tensor: `[..., m, n]`, float32 or float64; p is the lesser of m and n.
        full_matrices: whether u and v are square, with vectors beyond the singular values.
        compute_uv: whether to compute u and v at all.
        name: of the operation.

    Returns:
        s `[..., p]` in descending order, u `[..., m, p]` (or `[..., m, m]`) and v `[..., n, p]` (or
        `[..., n, n]`), whose columns are the singular vectors; s alone without `compute_uv`.

    Raises:
        ShapeError: if the rank is less than 2.
    """
    x = convert(tensor)
    made = x.graph.add(Svd(compute_uv, full_matrices), (x,), name).outputs
    return tuple(made) if compute_uv else made[0]
