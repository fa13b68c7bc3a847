"""The larger and the smaller of two numbers."""

from __future__ import annotations

from typing import Any, ClassVar, overload

from thalweg.formula import FUNCTIONS, Lowered, Operand, apply, pointwise
from thalweg.graph import Gradient, IndexedSlices, Operation, Tensor
from thalweg.ops.build import scope
from thalweg.ops.elementwise.broadcasting import binary
from thalweg.ops.elementwise.comparison import GreaterEqual, LessEqual
from thalweg.ops.elementwise.pointwise import Binary, Grads, Unary
from thalweg.ops.elementwise.selection import Select, ZerosLike

__all__ = ["clip_by_value", "maximum", "minimum"]


class Maximum(Binary):
    """The larger; the gradient goes to x where they are equal. NaN if either is; 0 before -0."""

    type: ClassVar[str] = "Maximum"
    function: ClassVar[str] = "max"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return _by_choice(node, dy, GreaterEqual.of(*node.inputs))


class Minimum(Binary):
    """The smaller; the gradient goes to x where they are equal. NaN if either is; -0 before 0."""

    type: ClassVar[str] = "Minimum"
    function: ClassVar[str] = "min"

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return _by_choice(node, dy, LessEqual.of(*node.inputs))


def _by_choice(node: Operation, dy: Tensor, first: Tensor) -> Grads:
    zero = ZerosLike.of(dy)
    return [Select.of(first, dy, zero), Select.of(first, zero, dy)]


class Relu(Unary):
    """`max(x, 0)`; the gradient at 0 is 0."""

    type: ClassVar[str] = "Relu"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return FUNCTIONS["max"].evaluate(xp, x, xp.zeros_like(x))

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: apply("max", x, 0), *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        y = node.outputs[0]
        return [Select.of(y > 0, dy, ZerosLike.of(dy))]


def maximum(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The larger of x and y, element by element."""
    return binary(Maximum(), x, y, name, "Maximum")


def minimum(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The smaller of x and y, element by element."""
    return binary(Minimum(), x, y, name, "Minimum")


@overload
def clip_by_value(
    t: IndexedSlices, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> IndexedSlices: ...
@overload
def clip_by_value(
    t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> Tensor: ...
def clip_by_value(
    t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> Gradient:
    """`max(min(t, clip_value_max), clip_value_min)`; at the bounds the gradient goes to t.

    Of `IndexedSlices` the slices are clipped.
    """
    if isinstance(t, IndexedSlices):
        return t.with_values(clipped(t.values, clip_value_min, clip_value_max, name))
    return clipped(t, clip_value_min, clip_value_max, name)


def clipped(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None) -> Tensor:
    """`clip_by_value` of a tensor."""
    with scope(name, "clip_by_value", t, clip_value_min, clip_value_max) as full:
        return maximum(minimum(t, clip_value_max), clip_value_min, name=full)
