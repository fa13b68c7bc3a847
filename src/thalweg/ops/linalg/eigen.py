"""Eigenvalues and eigenvectors of symmetric matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.reshape import expand_dims
from thalweg.ops.build import convert
from thalweg.ops.elementwise.comparison import equal
from thalweg.ops.elementwise.division import reciprocal
from thalweg.ops.elementwise.selection import where
from thalweg.ops.linalg.band import matrix_band_part, matrix_diag
from thalweg.ops.linalg.cholesky import half_diagonal
from thalweg.ops.linalg.matrices import Grads, definite, general, matrix_transpose, product, square


class SelfAdjointEig(Op):
    """Eigenvalues in ascending order, and eigenvectors; it reads the lower triangle alone.

    Attributes:
        compute_v: whether there are eigenvectors; if not, there is one output.
    """

    type: ClassVar[str] = "SelfAdjointEigV2"
    effects: ClassVar[Effects] = ON_HOST
    compute_v: bool = True

    def infer(self, input: Spec) -> tuple[Spec, ...]:
        shape = square("input", input)
        values = Spec(None if shape is None else shape[:-1], input.dtype)
        return (values, Spec(shape, input.dtype)) if self.compute_v else (values,)

    def evaluate(self, xp: Any, input: Any) -> Any:
        return tuple(xp.linalg.eigh(input)) if self.compute_v else (xp.linalg.eigvalsh(input),)

    def grad(self, node: Operation, *dys: Tensor | None) -> Grads:
        """Giles (2008), "Collected matrix derivative results"; equal eigenvalues have none."""
        values, vectors = node.outputs if self.compute_v else self_adjoint_eig(node.inputs[0])
        by_values, by_vectors = (*dys, None)[:2]
        middle = zeros_like(vectors) if by_values is None else matrix_diag(by_values)
        if by_vectors is not None:
            middle = middle + gaps(values) * product(vectors, by_vectors, transpose_a=True)
        whole = product(product(vectors, middle), vectors, transpose_b=True)
        return [half_diagonal(matrix_band_part(whole + matrix_transpose(whole), -1, 0))]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (definite(),))
        yield Sample(cls(), (definite(2, side=4),))
        yield Sample(cls(False), (definite(2),))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (general(2, 3),), "input must hold square matrices, but it is [2, 3]")


def gaps(values: Tensor) -> Tensor:
    """`1 / (values[j] - values[i])`, and 0 on the diagonal."""
    gaps = expand_dims(values, -2) - expand_dims(values, -1)
    on_diagonal = matrix_band_part(zeros_like(gaps) + 1.0, 0, 0)
    return where(equal(on_diagonal, 1.0), zeros_like(gaps), reciprocal(gaps + on_diagonal))


# -- the public functions


def self_adjoint_eig(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of symmetric matrices.

    Args:
        tensor: `[..., m, m]`, float32 or float64; only the lower triangle is read.
        name: of the operation.

    Returns:
        The eigenvalues `[..., m]` in ascending order, and the eigenvectors `[..., m, m]`: column i
        belongs to the eigenvalue i.

    Raises:
        ShapeError: if the matrices are not square.
    """
    x = convert(tensor)
    values, vectors = x.graph.add(SelfAdjointEig(), (x,), name).outputs
    return values, vectors


def self_adjoint_eigvals(tensor: Any, name: str | None = None) -> Tensor:
    """The eigenvalues of symmetric matrices.

    Args:
        tensor: `[..., m, m]`, float32 or float64; only the lower triangle is read.
        name: of the operation.

    Returns:
        `[..., m]`, in ascending order.

    Raises:
        ShapeError: if the matrices are not square.
    """
    x = convert(tensor)
    return x.graph.add(SelfAdjointEig(False), (x,), name).outputs[0]
