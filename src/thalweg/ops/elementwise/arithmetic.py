"""Arithmetic but for division: sums, products, squares and signs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from thalweg.formula import Expr, Lowered, Operand, pointwise
from thalweg.graph import Operation, Sample, Tensor, graph_of
from thalweg.ops.build import convert
from thalweg.ops.elementwise.broadcasting import binary, unary
from thalweg.ops.elementwise.pointwise import Binary, Grads, Unary
from thalweg.ops.elementwise.selection import ZerosLike

__all__ = [
    "abs",
    "add",
    "add_n",
    "mul",
    "multiply",
    "neg",
    "negative",
    "sign",
    "square",
    "squared_difference",
    "sub",
    "subtract",
]


class Neg(Unary):
    """`-x`."""

    type: ClassVar[str] = "Neg"
    function: ClassVar[str] = "neg"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Neg.of(dy)]


class Abs(Unary):
    """`|x|`; the gradient at 0 is 0."""

    type: ClassVar[str] = "Abs"
    function: ClassVar[str] = "abs"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Sign.of(node.inputs[0]))]


class Sign(Unary):
    """-1, 0 or 1, or NaN for NaN; no gradient flows through it."""

    type: ClassVar[str] = "Sign"
    function: ClassVar[str] = "sign"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [ZerosLike.of(dy)]


class Add(Binary):
    """`x + y`."""

    type: ClassVar[str] = "Add"
    function: ClassVar[str] = "add"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [dy, dy]


class Sub(Binary):
    """`x - y`."""

    type: ClassVar[str] = "Sub"
    function: ClassVar[str] = "sub"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [dy, Neg.of(dy)]


class Mul(Binary):
    """`x * y`."""

    type: ClassVar[str] = "Mul"
    function: ClassVar[str] = "mul"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, y = node.inputs
        return [Mul.of(dy, y), Mul.of(dy, x)]


class Square(Unary):
    """`x * x`."""

    type: ClassVar[str] = "Square"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.square(x)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: x * x, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, node.inputs[0] * 2)]


class SquaredDifference(Binary):
    """`(x - y) ** 2`."""

    type: ClassVar[str] = "SquaredDifference"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.square(x - y)

    def lower(self, *inputs: Operand) -> Lowered:
        def formula(x: Expr, y: Expr) -> Expr:
            difference = x - y
            return difference * difference

        return pointwise(formula, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, y = node.inputs
        by_x = Mul.of(dy, Sub.of(x, y) * 2)
        return [by_x, Neg.of(by_x)]


class SquaredDeviation(Binary):
    """`(x - mean) ** 2`, where the mean is that of x, for the variance.

    The derivative of a variance by the mean is 0 wherever it is taken, so no gradient goes to the
    mean. The one that goes to x depends on the mean, as second derivatives must see.
    """

    type: ClassVar[str] = "SquaredDeviation"

    def evaluate(self, xp: Any, x: Any, mean: Any) -> Any:
        return xp.square(x - mean)

    def lower(self, *inputs: Operand) -> Lowered:
        return SquaredDifference().lower(*inputs)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        return Square.of(Sub.of(*inputs))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Sub.of(*node.inputs) * 2), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (cls.left, cls.right), differentiable=False)


def add(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x + y`."""
    return binary(Add(), x, y, name, "Add")


def subtract(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x - y`."""
    return binary(Sub(), x, y, name, "Sub")


def multiply(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x * y`."""
    return binary(Mul(), x, y, name, "Mul")


def negative(x: Any, name: str | None = None) -> Tensor:
    """`-x`."""
    return unary(Neg(), x, name)


def abs(x: Any, name: str | None = None) -> Tensor:
    """`|x|`."""
    return unary(Abs(), x, name)


def sign(x: Any, name: str | None = None) -> Tensor:
    """-1, 0 or 1."""
    return unary(Sign(), x, name)


def square(x: Any, name: str | None = None) -> Tensor:
    """`x * x`."""
    return unary(Square(), x, name)


def squared_difference(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`(x - y) ** 2`."""
    return binary(SquaredDifference(), x, y, name, "SquaredDifference")


def add_n(inputs: Sequence[Any], name: str | None = None) -> Tensor:
    """The sum of several tensors of one shape.

    Raises:
        ValueError: if there are none.
    """
    tensors = list(map(convert, inputs))
    if not tensors:
        raise ValueError("add_n needs at least one tensor")
    if len(tensors) == 1:
        return tensors[0]
    with graph_of(tensors).name_scope(name or "AddN") as scope:
        total = tensors[0]
        for tensor in tensors[1:-1]:
            total = Add.of(total, tensor)
        return Add.of(total, tensors[-1], name=scope)


mul = multiply


sub = subtract


neg = negative
