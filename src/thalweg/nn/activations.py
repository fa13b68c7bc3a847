"""Activation functions. Each takes a tensor of any shape and returns one of the same shape."""

from __future__ import annotations

import math
from typing import Any

from thalweg.formula.functions import FLOATING
from thalweg.graph import Tensor
from thalweg.ops.arrays.create import ones_like
from thalweg.ops.arrays.join import concat
from thalweg.ops.arrays.reshape import stop_gradient
from thalweg.ops.build import convert, convert_pair, emit
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.broadcasting import broadcast_together
from thalweg.ops.elementwise.exponential import Sigmoid, Softplus
from thalweg.ops.elementwise.extremes import Relu
from thalweg.ops.elementwise.hyperbolic import Tanh
from thalweg.ops.elementwise.pointwise import check_kind
from thalweg.ops.elementwise.selection import Select
from thalweg.ops.reduction import reduce


def relu(features: Any, name: str | None = None) -> Tensor:
    """`max(x, 0)`; the derivative at 0 is 0."""
    return emit(Relu(), convert(features), name=name)


def relu6(features: Any, name: str | None = None) -> Tensor:
    """`min(max(x, 0), 6)`; the derivatives at 0 and at 6 are 0."""
    x = convert(features)
    with x.graph.name_scope(name or "Relu6") as scope:
        # 6 comes first: where both are equal, the gradient is its own.
        return arithmetic.minimum(6, relu(x), name=scope)


def crelu(features: Any, axis: int = -1, name: str | None = None) -> Tensor:
    """`relu(x)` and `relu(-x)`, joined along an axis (Shang et al. 2016)."""
    x = convert(features)
    with x.graph.name_scope(name or "CRelu") as scope:
        return concat([relu(x), relu(-x)], axis, name=scope)


def leaky_relu(features: Any, alpha: Any = 0.2, name: str | None = None) -> Tensor:
    """`x` above 0, else `alpha * x` (Maas et al. 2013); the derivative at 0 is alpha.

    Args:
        features: a floating tensor.
        alpha: any number, or a tensor that broadcasts with the features.
        name: of the operation.
    """
    x = convert(features)
    with x.graph.name_scope(name or "LeakyRelu") as scope:
        one, slope = convert_pair(ones_like(x), alpha, "leaky_relu")
        chosen = emit(Select(), *broadcast_together((x > 0, one, slope)))
        return arithmetic.multiply(x, chosen, name=scope)


def elu(features: Any, name: str | None = None) -> Tensor:
    """`x`, or `exp(x) - 1` below 0 (Clevert et al. 2016); the derivative at 0 is 1."""
    x = convert(features)
    with x.graph.name_scope(name or "Elu") as scope:
        return emit(Select(), x < 0, _exponential_part(x), x, name=scope)


def _exponential_part(x: Tensor) -> Tensor:
    """`exp(x) - 1` below 0, else 0: what a choice leaves out must be finite, for its gradient."""
    return arithmetic.expm1(arithmetic.minimum(x, 0))


def selu(features: Any, name: str | None = None) -> Tensor:
    """Scaled `elu`, which keeps activations normalised (Klambauer et al. 2017).

    It is `scale * x`, or `scale * alpha * (exp(x) - 1)` below 0, with scale 1.0507 and alpha
    1.6733. The derivative at 0 is the scale.
    """
    x = convert(features)
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    with x.graph.name_scope(name or "Selu") as scope:
        shape = emit(Select(), x < 0, _exponential_part(x) * alpha, x)
        return arithmetic.multiply(shape, scale, name=scope)


def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Tensor:
    """`x` times the normal distribution function of x (Hendrycks and Gimpel 2016).

    Args:
        features: a floating tensor.
        approximate: whether to use `tanh` in place of the error function.
        name: of the operation.
    """
    x = convert(features)
    with x.graph.name_scope(name or "Gelu") as scope:
        if approximate:
            # Beyond 8 the tanh is 1, and the square would make the gradient infinite times 0.
            square = arithmetic.minimum(x * x, 64)
            inner = arithmetic.tanh((x + square * x * 0.044715) * math.sqrt(2 / math.pi))
        else:
            inner = arithmetic.erf(x * math.sqrt(0.5))
        return arithmetic.multiply(x * 0.5, inner + 1, name=scope)


def swish(features: Any, name: str | None = None) -> Tensor:
    """`x * sigmoid(x)` (Ramachandran et al. 2017)."""
    x = convert(features)
    with x.graph.name_scope(name or "swish") as scope:
        return arithmetic.multiply(x, sigmoid(x), name=scope)


def softplus(features: Any, name: str | None = None) -> Tensor:
    """`log(1 + exp(x))`."""
    return emit(Softplus(), convert(features), name=name)


def softsign(features: Any, name: str | None = None) -> Tensor:
    """`x / (1 + |x|)`."""
    x = convert(features)
    with x.graph.name_scope(name or "Softsign") as scope:
        return arithmetic.divide(x, abs(x) + 1, name=scope)


def sigmoid(x: Any, name: str | None = None) -> Tensor:
    """`1 / (1 + exp(-x))`."""
    return emit(Sigmoid(), convert(x), name=name)


def log_sigmoid(x: Any, name: str | None = None) -> Tensor:
    """`log(sigmoid(x))`, which cannot overflow."""
    x = convert(x)
    with x.graph.name_scope(name or "LogSigmoid") as scope:
        return arithmetic.negative(softplus(-x), name=scope)


def tanh(x: Any, name: str | None = None) -> Tensor:
    """The hyperbolic tangent."""
    return emit(Tanh(), convert(x), name=name)


def softmax(
    logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """`exp(z) / sum(exp(z))` along an axis.

    The largest element is subtracted first, so that nothing overflows.

    Args:
        logits: a floating tensor of rank 1 or more.
        axis: the axis that sums to 1; the last one if not given.
        name: of the operation.
        dim: TensorFlow's old name for `axis`.
    """
    z, along = _logits(logits, axis, dim)
    with z.graph.name_scope(name or "Softmax") as scope:
        powers = arithmetic.exp(shifted(z, along))
        return arithmetic.divide(powers, total(powers, along), name=scope)


def log_softmax(
    logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """`z - log(sum(exp(z)))` along an axis; see `softmax`.

    Args:
        logits: a floating tensor of rank 1 or more.
        axis: the axis; the last one if not given.
        name: of the operation.
        dim: TensorFlow's old name for `axis`.
    """
    z, along = _logits(logits, axis, dim)
    with z.graph.name_scope(name or "LogSoftmax") as scope:
        moved = shifted(z, along)
        logs = arithmetic.log(total(arithmetic.exp(moved), along))
        return arithmetic.subtract(moved, logs, name=scope)


def _logits(logits: Any, axis: int | None, dim: int | None) -> tuple[Tensor, int]:
    """The tensor and the axis, checked.

    Raises:
        DTypeError: if the logits are not floating.
    """
    z = convert(logits)
    check_kind(FLOATING, z.dtype)
    given = dim if axis is None else axis
    return z, -1 if given is None else given


def shifted(z: Tensor, axis: int) -> Tensor:
    """`z` less its maximum along the axis, which the gradient of a softmax does not depend on."""
    return z - stop_gradient(reduce.reduce_max(z, axis=axis, keepdims=True))


def total(x: Tensor, axis: int) -> Tensor:
    """The sum along an axis that stays, with extent 1."""
    return reduce.reduce_sum(x, axis=axis, keepdims=True)
