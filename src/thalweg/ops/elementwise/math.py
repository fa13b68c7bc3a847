"""Arithmetic and elementary functions under TensorFlow 1's names, with NumPy's broadcasting.

Importing this module gives tensors their operators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError, UnimplementedError
from thalweg.graph import Op, Tensor
from thalweg.graph.calls import explained
from thalweg.graph.node import Hooks
from thalweg.ops.arrays.broadcast import broadcast_like
from thalweg.ops.arrays.create import ones_like as ones_like
from thalweg.ops.arrays.create import zeros_like as zeros_like
from thalweg.ops.arrays.join import stack
from thalweg.ops.arrays.reshape import (
    choosing_rows,
)
from thalweg.ops.arrays.reshape import identity as identity
from thalweg.ops.arrays.slicing import getitem
from thalweg.ops.build import constant_value, convert, convert_pair, emit, scope
from thalweg.ops.elementwise import pointwise as records
from thalweg.ops.elementwise.pointwise import add_n as add_n
from thalweg.ops.elementwise.pointwise import cast as cast
from thalweg.ops.linalg.matmul import matmul


def broadcast_together(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors broadcast to the shape that they have together.

    Tensors that do not fit together come back as they are: the op that takes them complains, with
    the user's lines.
    """
    result = list(tensors)
    for n in range(len(tensors)):
        for other in (*tensors[:n], *tensors[n + 1 :]):
            try:
                result[n] = broadcast_like(result[n], other)
            except ShapeError:
                return list(tensors)
    return result


def _binary(record: Op, x: Any, y: Any, name: str | None, default: str) -> Tensor:
    with scope(name, default, x, y) as full:
        return emit(record, *broadcast_together(convert_pair(x, y, default.lower())), name=full)


def _unary(record: Op, x: Any, name: str | None) -> Tensor:
    return emit(record, convert(x), name=name)


def add(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x + y`."""
    return _binary(records.Add(), x, y, name, "Add")


def subtract(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x - y`."""
    return _binary(records.Sub(), x, y, name, "Sub")


def multiply(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x * y`."""
    return _binary(records.Mul(), x, y, name, "Mul")


def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x / y`; integers are converted to floating point first, as Python does."""
    return truediv(x, y, name or "truediv")


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x / y`; integers are converted first: to float32 up to 16 bits, to float64 above."""
    with scope(name, "truediv", x, y) as full:
        a, b = convert_pair(x, y, "truediv")
        if a.dtype.is_integer:
            kind = dtypes.float32 if a.dtype.size <= 2 else dtypes.float64
            a, b = cast(a, kind), cast(b, kind)
        return emit(records.Div(), *broadcast_together((a, b)), name=full)


def div(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Python 2's division: `floor(x / y)` of integers, `x / y` of floating-point numbers."""
    with scope(name, "div", x, y) as full:
        a, b = convert_pair(x, y, "div")
        record = records.FloorDiv() if a.dtype.is_integer else records.Div()
        return emit(record, *broadcast_together((a, b)), name=full)


def floordiv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`floor(x / y)`, Python's `x // y`."""
    return _binary(records.FloorDiv(), x, y, name, "floordiv")


def mod(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x - floor(x / y) * y`, Python's `x % y`."""
    return _binary(records.FloorMod(), x, y, name, "FloorMod")


def maximum(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The larger of x and y, element by element."""
    return _binary(records.Maximum(), x, y, name, "Maximum")


def minimum(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The smaller of x and y, element by element."""
    return _binary(records.Minimum(), x, y, name, "Minimum")


def squared_difference(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`(x - y) ** 2`."""
    return _binary(records.SquaredDifference(), x, y, name, "SquaredDifference")


def pow(x: Any, y: Any, name: str | None = None) -> Tensor:
    """X to the power y.

    A constant exponent that is a small whole number or a half becomes products and roots, which are
    the same at infinities, NaN and zeros of both signs. Integers need such an exponent, and a
    non-negative one.

    Raises:
        DTypeError: for integers to the power of a tensor, or of a negative number.
    """
    with scope(name, "Pow", x, y) as full:
        a, b = convert_pair(x, y, "pow")
        exponent = _scalar(b)
        if exponent is not None and (
            a.dtype.is_integer or exponent in _ROOTS or _is_small(exponent)
        ):
            return _constant_power(a, exponent, full)
        return emit(records.Pow(), *broadcast_together((a, b)), name=full)


def _scalar(tensor: Tensor) -> float | None:
    value = constant_value(tensor)
    return value.item() if value is not None and value.shape == () else None


def _is_small(exponent: float) -> bool:
    return -16 <= exponent <= 16 and exponent == int(exponent)


_ROOTS: dict[float, type[records.Elementary]] = {0.5: records.Sqrt, -0.5: records.Rsqrt}


def _constant_power(x: Tensor, exponent: float, name: str) -> Tensor:
    if exponent in _ROOTS:
        return _ROOTS[exponent].of(_radicand(x), name=name)
    count = int(exponent)
    if count == 0:
        return ones_like(x, name=name)
    if count == 1:
        return identity(x, name=name)
    if count > 0:
        return _product(x, count, name)
    if x.dtype.is_integer:
        raise DTypeError(f"pow: {x.dtype} cannot be raised to the negative power {count}")
    # A power of the reciprocal: between it and its derivatives nothing is larger or smaller.
    if count == -1:
        return records.Reciprocal.of(x, name=name)
    return _product(records.Reciprocal.of(x), -count, name)


def _radicand(x: Tensor) -> Tensor:
    """What x to the power of 1/2 is the square root of, as C's `pow` takes 0 for -0 and so on."""
    return where(equal(x, -float("inf")), float("inf"), x) + 0.0


def _product(x: Tensor, count: int, name: str | None = None) -> Tensor:
    """X times itself, by repeated squares."""
    if count == 1:
        return x
    if count % 2 == 0:
        return records.Square.of(_product(x, count // 2), name=name)
    return records.Mul.of(_product(x, count - 1), x, name=name)


def negative(x: Any, name: str | None = None) -> Tensor:
    """`-x`."""
    return _unary(records.Neg(), x, name)


def abs(x: Any, name: str | None = None) -> Tensor:
    """`|x|`."""
    return _unary(records.Abs(), x, name)


def sign(x: Any, name: str | None = None) -> Tensor:
    """-1, 0 or 1."""
    return _unary(records.Sign(), x, name)


def square(x: Any, name: str | None = None) -> Tensor:
    """`x * x`."""
    return _unary(records.Square(), x, name)


def reciprocal(x: Any, name: str | None = None) -> Tensor:
    """`1 / x`."""
    return _unary(records.Reciprocal(), x, name)


def floor(x: Any, name: str | None = None) -> Tensor:
    """The largest integer not above x."""
    return _unary(records.Floor(), x, name)


def ceil(x: Any, name: str | None = None) -> Tensor:
    """The smallest integer not below x."""
    return _unary(records.Ceil(), x, name)


def round(x: Any, name: str | None = None) -> Tensor:
    """The nearest integer, halves to even."""
    tensor = convert(x)
    if tensor.dtype.is_integer:
        return identity(tensor, name=name)
    return emit(records.Round(), tensor, name=name)


def clip_by_value(
    t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> Tensor:
    """`max(min(t, clip_value_max), clip_value_min)`; at the bounds the gradient goes to t."""
    with scope(name, "clip_by_value", t, clip_value_min, clip_value_max) as full:
        return maximum(minimum(t, clip_value_max), clip_value_min, name=full)


def exp(x: Any, name: str | None = None) -> Tensor:
    """E to the x."""
    return _unary(records.Exp(), x, name)


def expm1(x: Any, name: str | None = None) -> Tensor:
    """`exp(x) - 1`, accurate near 0."""
    return _unary(records.Expm1(), x, name)


def log1p(x: Any, name: str | None = None) -> Tensor:
    """`log(1 + x)`, accurate near 0."""
    return _unary(records.Log1p(), x, name)


def sqrt(x: Any, name: str | None = None) -> Tensor:
    """The square root."""
    return _unary(records.Sqrt(), x, name)


def rsqrt(x: Any, name: str | None = None) -> Tensor:
    """`1 / sqrt(x)`."""
    return _unary(records.Rsqrt(), x, name)


def tanh(x: Any, name: str | None = None) -> Tensor:
    """The hyperbolic tangent."""
    return _unary(records.Tanh(), x, name)


def sigmoid(x: Any, name: str | None = None) -> Tensor:
    """`1 / (1 + exp(-x))`."""
    return _unary(records.Sigmoid(), x, name)


def sin(x: Any, name: str | None = None) -> Tensor:
    """The sine, in radians."""
    return _unary(records.Sin(), x, name)


def cos(x: Any, name: str | None = None) -> Tensor:
    """The cosine, in radians."""
    return _unary(records.Cos(), x, name)


def erf(x: Any, name: str | None = None) -> Tensor:
    """The error function."""
    return _unary(records.Erf(), x, name)


def log(x: Any, name: str | None = None) -> Tensor:
    """The natural logarithm.

    Where x is computed from an exponential, a run computes an equal but stable form of this and of
    its gradients: `log(exp(u))` is u, `log(exp(u) / s)` is `u - log(s)` (so the logarithm of a
    softmax is finite), `log(sigmoid(z))` is `-softplus(-z)` and `log(1 - sigmoid(z))` is
    `-softplus(z)`. Where x itself is fed, it is the logarithm of that.
    """
    return _unary(records.Log(), x, name)


def equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x == y`."""
    return _binary(records.Equal(), x, y, name, "Equal")


def not_equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x != y`."""
    return _binary(records.NotEqual(), x, y, name, "NotEqual")


def less(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x < y`."""
    return _binary(records.Less(), x, y, name, "Less")


def less_equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x <= y`."""
    return _binary(records.LessEqual(), x, y, name, "LessEqual")


def greater(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x > y`."""
    return _binary(records.Greater(), x, y, name, "Greater")


def greater_equal(x: Any, y: Any, name: str | None = None) -> Tensor:
    """`x >= y`."""
    return _binary(records.GreaterEqual(), x, y, name, "GreaterEqual")


def logical_and(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Whether both are true."""
    return _binary(records.LogicalAnd(), x, y, name, "LogicalAnd")


def logical_or(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Whether at least one is true."""
    return _binary(records.LogicalOr(), x, y, name, "LogicalOr")


def logical_xor(x: Any, y: Any, name: str | None = None) -> Tensor:
    """Whether exactly one is true."""
    return _binary(records.LogicalXor(), x, y, name, "LogicalXor")


def logical_not(x: Any, name: str | None = None) -> Tensor:
    """Whether x is false."""
    return _unary(records.LogicalNot(), x, name)


def is_nan(x: Any, name: str | None = None) -> Tensor:
    """Whether x is not a number."""
    return _unary(records.IsNan(), x, name)


def is_finite(x: Any, name: str | None = None) -> Tensor:
    """Whether x is neither infinite nor NaN."""
    return _unary(records.IsFinite(), x, name)


def is_inf(x: Any, name: str | None = None) -> Tensor:
    """Whether x is infinite."""
    with scope(name, "IsInf", x) as full:
        return equal(abs(x), float("inf"), name=full)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """`x` where the condition holds, else `y`.

    A vector as the condition of tensors of higher rank chooses whole rows, as in TensorFlow 1.

    Raises:
        UnimplementedError: without x and y: the shape would depend on values.
    """
    if x is None or y is None:
        raise UnimplementedError(
            "where needs x and y: the shape of the result must not need values"
        )
    with scope(name, "Select", condition, x, y) as full:
        chosen = convert(condition, dtypes.bool_)
        a, b = convert_pair(x, y, "where")
        rows = choosing_rows(chosen, a, b)
        return emit(records.Select(), *broadcast_together((rows, a, b)), name=full)


def to_float(x: Any, name: str | None = None) -> Tensor:
    """Convert to float32."""
    return cast(x, dtypes.float32, name)


def to_double(x: Any, name: str | None = None) -> Tensor:
    """Convert to float64."""
    return cast(x, dtypes.float64, name)


def to_int32(x: Any, name: str | None = None) -> Tensor:
    """Convert to int32."""
    return cast(x, dtypes.int32, name)


def to_int64(x: Any, name: str | None = None) -> Tensor:
    """Convert to int64."""
    return cast(x, dtypes.int64, name)


def to_bfloat16(x: Any, name: str | None = None) -> Tensor:
    """Convert to bfloat16."""
    return cast(x, dtypes.bfloat16, name)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """Convert to a dtype; values outside its range become its limits."""
    x, kind = convert(value), as_dtype(dtype)
    with scope(name, "saturate_cast", x) as full:
        low, high = _limits(x.dtype, kind)
        return emit(records.Cast(kind), clip_by_value(x, low, high), name=full)


def _limits(source: DType, target: DType) -> tuple[Any, Any]:
    """The range of the target, as far as the source can express it."""
    lowest = max(source.min, target.min, key=float)
    highest = min(source.max, target.max, key=float)
    if source.is_floating and float(np.array(highest, source.numpy)) > float(target.max):
        rounded = np.array(highest, source.numpy)
        highest = np.nextafter(rounded, np.array(0, source.numpy))
    kind = source.numpy
    return np.array(lowest, kind), np.array(highest, kind)


mul = multiply
sub = subtract
neg = negative


_OPERATORS: dict[str, Callable[..., Tensor]] = {
    "neg": negative,
    "abs": abs,
    "invert": logical_not,
    "getitem": getitem,
    "stack": stack,
    "add": lambda x, y: add(x, y, name="add"),
    "sub": lambda x, y: subtract(x, y, name="sub"),
    "mul": lambda x, y: multiply(x, y, name="mul"),
    "truediv": truediv,
    "floordiv": floordiv,
    "mod": lambda x, y: mod(x, y, name="mod"),
    "pow": lambda x, y: pow(x, y, name="pow"),
    "matmul": lambda x, y: matmul(x, y, name="matmul"),
    "lt": less,
    "le": less_equal,
    "gt": greater,
    "ge": greater_equal,
    "and": logical_and,
    "or": logical_or,
    "xor": logical_xor,
}
Hooks.operators.update({name: explained(made, name) for name, made in _OPERATORS.items()})
