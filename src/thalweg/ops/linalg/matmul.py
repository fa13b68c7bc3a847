"""Products of matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import Shape, is_known, known, show
from thalweg.formula import Axis, Formula, Lowered, Operand, axes, sum_over
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.arrays.broadcast import accumulator, broadcast_to, sum_like
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.arrays.shape import shape, size_along
from thalweg.ops.build import INDEX, convert_pair, emit, scope


class MatMul(Op):
    """`y[..., m, n] = sum over k of a[..., m, k] * b[..., k, n]`; leading axes count the products.

    Attributes:
        transpose_a: whether a holds its last two axes the other way round.
        transpose_b: the same for b.
    """

    type: ClassVar[str] = "MatMul"
    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, a: Spec, b: Spec) -> Spec:
        if a.dtype != b.dtype:
            raise DTypeError(f"a is {a.dtype} and b is {b.dtype}")
        if a.dtype.is_bool:
            raise DTypeError("takes numeric tensors, not bool")
        for name, spec in (("a", a), ("b", b)):
            if spec.shape is not None and len(spec.shape) < 2:
                raise ShapeError(f"{name} must have rank 2 or more, but it is {show(spec.shape)}")
        return Spec(self._product(a.shape, b.shape), a.dtype)

    def _product(self, a: Shape, b: Shape) -> Shape:
        rank = max(len(s) for s in (a, b, ()) if s is not None)
        if rank == 0:
            return None
        left = (None,) * rank if a is None else a
        right = (None,) * rank if b is None else b
        m, k = _matrix(left, self.transpose_a)
        k2, n = _matrix(right, self.transpose_b)
        given = f"a is {self._show(left, self.transpose_a)}, b is "
        given += self._show(right, self.transpose_b)
        if k is not None and k2 is not None and k != k2:
            raise ShapeError(f"inner dimensions differ: {given}")
        if not shapes.compatible(left[:-2], right[:-2]):
            raise ShapeError(f"leading dimensions differ: {given}")
        return (*(shapes.merge(left[:-2], right[:-2]) or ()), m, n)

    @staticmethod
    def _show(shape: Shape, transposed: bool) -> str:
        return show(shape) + (" transposed" if transposed else "")

    def evaluate(self, xp: Any, a: Any, b: Any) -> Any:
        wide = accumulator(as_dtype(a.dtype)).numpy
        left = xp.swapaxes(a, -1, -2) if self.transpose_a else a
        right = xp.swapaxes(b, -1, -2) if self.transpose_b else b
        product = xp.matmul(xp.asarray(left, wide), xp.asarray(right, wide))
        return xp.asarray(product, a.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        a, b = inputs
        m, extent = _matrix(a.shape, self.transpose_a)
        _, n = _matrix(b.shape, self.transpose_b)
        index = axes(*a.shape[:-2], m, n)
        k = Axis(extent, "k")
        lead, (i, j) = index[:-2], index[-2:]
        left = a[(*lead, k, i) if self.transpose_a else (*lead, i, k)]
        right = b[(*lead, j, k) if self.transpose_b else (*lead, k, j)]
        wide = accumulator(a.dtype)
        total = sum_over((k,), cast_expr(left, wide) * cast_expr(right, wide))
        return Formula.make(index, cast_expr(total, a.dtype))

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        a, b = node.inputs
        if self.transpose_a:
            by_a = emit(MatMul(self.transpose_b, True), b, dy)
        else:
            by_a = emit(MatMul(False, not self.transpose_b), dy, b)
        if self.transpose_b:
            by_b = emit(MatMul(True, self.transpose_a), dy, a)
        else:
            by_b = emit(MatMul(not self.transpose_a, False), a, dy)
        return [by_a, by_b]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        a = np.linspace(-1, 2, 6, dtype=np.float32).reshape(2, 3)
        b = np.linspace(3, -2, 12, dtype=np.float32).reshape(3, 4)
        yield Sample(cls(), (a, b))
        yield Sample(cls(True, False), (a.T.copy(), b))
        yield Sample(cls(False, True), (a, b.T.copy()))
        yield Sample(cls(True, True), (a.T.copy(), b.T.copy()))
        yield Sample(cls(), (np.stack([a, a + 1]), np.stack([b, b * 2])))
        yield Sample(cls(), (np.int32(a * 4), np.int32(b * 4)), exact=True, differentiable=False)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        a, b = np.ones((100, 784), np.float32), np.ones((785, 10), np.float32)
        text = "matmul: inner dimensions differ: a is [100, 784], b is [785, 10]"
        yield Sample(cls(), (a, b), text)
        yield Sample(cls(), (a, np.float64(b)), "a is float32 and b is float64")
        yield Sample(cls(), (a, b[0]), "b must have rank 2 or more, but it is [10]")
        two = np.ones((2, 784, 1), np.float32)
        yield Sample(cls(), (a[None], two), "leading dimensions differ: a is [1, 100, 784], b is")


class BatchLike(Op):
    """Matrices repeated such that there are as many as of another operand of a product."""

    type: ClassVar[str] = "BatchLike"
    shape_only: ClassVar[tuple[int, ...]] = (1,)

    def infer(self, x: Spec, other: Spec) -> Spec:
        if x.shape is None or other.shape is None:
            return Spec(None, x.dtype)
        lead = shapes.broadcast(x.shape[:-2], other.shape[:-2]) or ()
        return Spec((*lead, *x.shape[-2:]), x.dtype)

    def evaluate(self, xp: Any, x: Any, other: Any) -> Any:
        lead = xp.broadcast_shapes(x.shape[:-2], other.shape[:-2])
        return xp.broadcast_to(x, (*lead, *x.shape[-2:]))

    def expand(self, *inputs: Tensor) -> Tensor | None:
        x, other = inputs
        return broadcast_to(x, known(self.infer(x.spec, other.spec).shape))

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [sum_like(dy, node.inputs[0]), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        x = np.linspace(-1, 2, 6, dtype=np.float32).reshape(2, 3)
        yield Sample(cls(), (x, np.zeros((4, 3, 5), np.float32)), exact=True)
        yield Sample(cls(), (np.stack([x, x + 1]), np.zeros((4, 1, 3, 5), np.float32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        three, two = np.ones((3, 1, 1), np.float32), np.ones((2, 1, 1), np.float32)
        yield Sample(cls(), (three, two), "shapes [3] and [2] do not broadcast together")


def _matrix(shape: Sequence[Any], transposed: bool) -> tuple[Any, Any]:
    """Rows and columns of the matrix that a tensor of this shape stands for."""
    rows, columns = shape[-2:]
    return (columns, rows) if transposed else (rows, columns)


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of two matrices, or of as many as the leading axes count (they are broadcast).

    Args:
        a: `[..., m, k]`.
        b: `[..., k, n]`.
        transpose_a: whether a is given as `[..., k, m]`; `adjoint_a` is the same for real numbers.
        transpose_b: whether b is given as `[..., n, k]`; `adjoint_b` likewise.
        adjoint_a: see `transpose_a`.
        adjoint_b: see `transpose_b`.
        a_is_sparse: accepted for TensorFlow's sake; makes no difference.
        b_is_sparse: likewise.
        name: of the operation.

    Returns:
        `[..., m, n]`.

    Raises:
        ShapeError: if the inner dimensions differ.
    """
    with scope(name, "MatMul", a, b) as full:
        left, right = convert_pair(a, b, "matmul")
        record = MatMul(transpose_a or adjoint_a, transpose_b or adjoint_b)
        if _is_dense(record, left, right):
            return _dense(record, left, right, full)
        left, right = _with_equal_batches(record, left, right)
        return emit(record, left, right, name=full)


def _is_dense(record: MatMul, a: Tensor, b: Tensor) -> bool:
    """Whether many rows meet one matrix, which is a single larger product."""
    left, right = a.static_shape, b.static_shape
    if left is None or right is None or len(left) <= 2 or len(right) != 2 or record.transpose_a:
        return False
    inner = _matrix(right, record.transpose_b)[0]
    known_once = (left[-1] is None) != (inner is None)
    return known_once or (inner is not None and left[-1] == inner)


def _dense(record: MatMul, a: Tensor, b: Tensor, name: str) -> Tensor:
    extents, inner = a.static_shape or (), _matrix(b.static_shape or (), record.transpose_b)
    lead: list[Any] = list(extents[:-1])
    width, columns = extents[-1] or inner[0], inner[1]
    if width is None or columns is None:
        of_b = _matrix(list(shape(b)), record.transpose_b)
        width = of_b[0] if width is None else width
        columns = of_b[1] if columns is None else columns
    # Where nothing is left to divide by, reshape cannot tell how many rows there are.
    rows = -1 if inner[0] or extents[-1] else size_along(a, tuple(range(len(lead))), INDEX)
    product = emit(record, reshape(a, [rows, width]), b)
    if lead.count(None) > 1 or (None in lead and (0 in lead or not inner[1])):
        dynamic = shape(a)
        lead = [dynamic[n] if d is None else d for n, d in enumerate(lead)]
    return reshape(product, [*lead, columns], name=name)


def _with_equal_batches(record: MatMul, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The operands with their leading axes broadcast."""
    left, right = a.static_shape, b.static_shape
    if left is None or right is None:
        return emit(BatchLike(), a, b), emit(BatchLike(), b, a)
    if min(len(left), len(right)) < 2 or (left[:-2] == right[:-2] and None not in left[:-2]):
        return a, b
    try:
        record.infer(Spec(left[-2:], a.dtype), Spec(right[-2:], b.dtype))
        shapes.broadcast(left[:-2], right[:-2])
    except ShapeError:
        return a, b  # the record's message says it best
    return _with_batch(a, b), _with_batch(b, a)


def _with_batch(x: Tensor, other: Tensor) -> Tensor:
    target = BatchLike().infer(x.spec, other.spec).shape
    if is_known(target) and is_known(x.static_shape):
        return broadcast_to(x, known(target))
    return emit(BatchLike(), x, other)
