"""Functions of one element at a time: arithmetic, elementary functions, comparisons, selection.

The records take inputs of one shape; the public functions broadcast first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError
from thalweg.formula import Const, Expr, Lowered, Operand, apply, pointwise, where
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor, graph_of
from thalweg.ops.build import convert, emit

Grads = Sequence[Tensor | None]

FLOATING = "floating"
NUMERIC = "numeric"
BOOLEAN = "bool"
INTEGER = "integer"
ANY = "any"
_KINDS: dict[str, Callable[[DType], bool]] = {
    ANY: lambda dtype: True,
    FLOATING: lambda dtype: dtype.is_floating,
    INTEGER: lambda dtype: dtype.is_integer,
    NUMERIC: lambda dtype: not dtype.is_bool,
    BOOLEAN: lambda dtype: dtype.is_bool,
}


def check_kind(kind: str, dtype: DType) -> None:
    """Check that a dtype is of the kind an op takes.

    Raises:
        DTypeError: if it is not.
    """
    if not _KINDS[kind](dtype):
        raise DTypeError(f"takes {kind} tensors, not {dtype}")


class Pointwise(Op):
    """What pointwise ops share: one shape and dtype for all inputs, one scalar function."""

    function: ClassVar[str]
    kind: ClassVar[str] = NUMERIC
    result: ClassVar[DType | None] = None

    def infer(self, *inputs: Spec) -> Spec:
        first = inputs[0]
        shape = first.shape
        for other in inputs[1:]:
            if other.dtype != first.dtype:
                raise DTypeError(f"the inputs are {first.dtype} and {other.dtype}")
            shape = shapes.merge(shape, other.shape)
        check_kind(self.kind, first.dtype)
        return Spec(shape, self.result or first.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda *args: apply(self.function, *args), *inputs)

    @classmethod
    def of(cls, *inputs: Tensor, name: str | None = None) -> Tensor:
        """The op applied to tensors of one shape: what gradients use, as nothing need broadcast."""
        return emit(cls(), *inputs, name=name)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        wrong = {BOOLEAN: np.float32, ANY: None}.get(cls.kind, np.bool_)
        arity = len(next(iter(cls.samples())).inputs)
        if wrong is not None:
            yield Sample(cls(), (np.ones(2, wrong),) * arity, f"takes {cls.kind} tensors, not")
        if arity == 2:
            good: np.ndarray[Any, Any] = np.ones(
                (2, 3), np.bool_ if cls.kind == BOOLEAN else np.int32
            )
            if cls.kind == FLOATING:
                good = good.astype(np.float32)
            yield Sample(cls(), (good, good[:1]), "shapes [2, 3] and [1, 3] are not compatible")


def _numbers(*numbers: float) -> np.ndarray[Any, Any]:
    return np.array(numbers, np.float32)


_MIXED = _numbers(-2.5, -1.0, -0.3, 0.2, 0.9, 1.7, 30.0).reshape(7, 1) * _numbers(1.0, 0.71, 1.13)
_POSITIVE = np.abs(_MIXED)
_OTHER = _numbers(1.5, -0.6, 2.0, -3.1, 0.4, 0.75, -1.2).reshape(7, 1) * _numbers(1.0, 0.9, 1.4)


class Unary(Pointwise):
    """A function of one argument."""

    domain: ClassVar[np.ndarray[Any, Any]] = _MIXED
    smooth: ClassVar[bool] = True

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (cls.domain,), differentiable=cls.smooth)
        yield Sample(cls(), (cls.domain.reshape(-1)[5],), differentiable=cls.smooth)


class Neg(Unary):
    """`-x`."""

    type: ClassVar[str] = "Neg"
    function: ClassVar[str] = "neg"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.negative(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Neg.of(dy)]


class Abs(Unary):
    """`|x|`; the gradient at 0 is 0."""

    type: ClassVar[str] = "Abs"
    function: ClassVar[str] = "abs"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.abs(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Sign.of(node.inputs[0]))]


class ZerosLike(Unary):
    """0 in the shape and of the dtype of x, whatever its values are."""

    type: ClassVar[str] = "ZerosLike"
    kind: ClassVar[str] = ANY
    shape_only: ClassVar[tuple[int, ...]] = (0,)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.zeros(x.shape, x.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: Const(0, x.dtype), *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_numbers(1, -2, np.nan, np.inf),), exact=True, differentiable=False)


class Sign(Unary):
    """-1, 0 or 1, or NaN for NaN; no gradient flows through it."""

    type: ClassVar[str] = "Sign"
    function: ClassVar[str] = "sign"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.sign(x) + xp.asarray(0, x.dtype)  # some NumPy types have a sign of -0

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [ZerosLike.of(dy)]


class Rounding(Unary):
    """Functions that are flat almost everywhere: no gradient flows through them."""

    kind: ClassVar[str] = FLOATING

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]


class Floor(Rounding):
    """The largest integer not above x."""

    type: ClassVar[str] = "Floor"
    function: ClassVar[str] = "floor"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.floor(x)


class Ceil(Rounding):
    """The smallest integer not below x."""

    type: ClassVar[str] = "Ceil"
    function: ClassVar[str] = "ceil"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.ceil(x)


class Round(Rounding):
    """The nearest integer, halves to even."""

    type: ClassVar[str] = "Round"
    function: ClassVar[str] = "round"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.round(x)


class Elementary(Unary):
    """A smooth function of floating-point numbers."""

    kind: ClassVar[str] = FLOATING


class Exp(Elementary):
    """e to the x."""

    type: ClassVar[str] = "Exp"
    function: ClassVar[str] = "exp"
    domain: ClassVar[np.ndarray[Any, Any]] = np.minimum(_MIXED, 3)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.exp(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, node.outputs[0])]


class Expm1(Elementary):
    """`exp(x) - 1`, accurate near 0."""

    type: ClassVar[str] = "Expm1"
    function: ClassVar[str] = "expm1"
    domain: ClassVar[np.ndarray[Any, Any]] = np.minimum(_MIXED, 3)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.expm1(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Exp.of(node.inputs[0]))]


class Log(Elementary):
    """The natural logarithm."""

    type: ClassVar[str] = "Log"
    function: ClassVar[str] = "log"
    domain: ClassVar[np.ndarray[Any, Any]] = _POSITIVE

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.log(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [LogGrad.of(dy, node.inputs[0])]


class Log1p(Elementary):
    """`log(1 + x)`, accurate near 0."""

    type: ClassVar[str] = "Log1p"
    function: ClassVar[str] = "log1p"
    domain: ClassVar[np.ndarray[Any, Any]] = _POSITIVE

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.log1p(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Div.of(dy, node.inputs[0] + 1)]


class Sqrt(Elementary):
    """The square root."""

    type: ClassVar[str] = "Sqrt"
    function: ClassVar[str] = "sqrt"
    domain: ClassVar[np.ndarray[Any, Any]] = _POSITIVE

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.sqrt(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Div.of(dy * 0.5, node.outputs[0])]


class Rsqrt(Elementary):
    """`1 / sqrt(x)`."""

    type: ClassVar[str] = "Rsqrt"
    function: ClassVar[str] = "rsqrt"
    domain: ClassVar[np.ndarray[Any, Any]] = _POSITIVE

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.asarray(1 / xp.sqrt(x), x.dtype)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Div.of(node.outputs[0] * -0.5, node.inputs[0]))]


class Square(Unary):
    """`x * x`."""

    type: ClassVar[str] = "Square"
    function: ClassVar[str] = "square"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.square(x)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: x * x, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, node.inputs[0] * 2)]


class Reciprocal(Elementary):
    """`1 / x`."""

    type: ClassVar[str] = "Reciprocal"
    function: ClassVar[str] = "reciprocal"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.reciprocal(x)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: apply("div", 1, x), *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Neg.of(Mul.of(dy, Square.of(node.outputs[0])))]


class Tanh(Elementary):
    """The hyperbolic tangent."""

    type: ClassVar[str] = "Tanh"
    function: ClassVar[str] = "tanh"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.tanh(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, 1 - Square.of(node.outputs[0]))]


class Sigmoid(Elementary):
    """`1 / (1 + exp(-x))`."""

    type: ClassVar[str] = "Sigmoid"
    function: ClassVar[str] = "sigmoid"

    def evaluate(self, xp: Any, x: Any) -> Any:
        small = xp.exp(-xp.abs(x))
        return xp.asarray(xp.where(x >= 0, 1 / (1 + small), small / (1 + small)), x.dtype)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        y = node.outputs[0]
        return [Mul.of(dy, Mul.of(y, 1 - y))]


class Softplus(Elementary):
    """`log(1 + exp(x))`, as `max(x, 0) + log1p(exp(-|x|))`, which cannot overflow."""

    type: ClassVar[str] = "Softplus"
    function: ClassVar[str] = "softplus"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.asarray(xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x))), x.dtype)

    def lower(self, *inputs: Operand) -> Lowered:
        def formula(x: Expr) -> Expr:
            return apply("max", x, 0) + apply("log1p", apply("exp", -apply("abs", x)))

        return pointwise(formula, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Sigmoid.of(node.inputs[0]))]


class Erf(Elementary):
    """The error function. Source of the reference values: `math.erf`."""

    type: ClassVar[str] = "Erf"
    function: ClassVar[str] = "erf"

    def evaluate(self, xp: Any, x: Any) -> Any:
        import math

        return xp.vectorize(math.erf, otypes=[x.dtype])(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        slope = Exp.of(Neg.of(Square.of(node.inputs[0]))) * 1.1283791670955126  # 2 / sqrt(pi)
        return [Mul.of(dy, slope)]


class Sin(Elementary):
    """The sine, in radians."""

    type: ClassVar[str] = "Sin"
    function: ClassVar[str] = "sin"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.sin(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Cos.of(node.inputs[0]))]


class Cos(Elementary):
    """The cosine, in radians."""

    type: ClassVar[str] = "Cos"
    function: ClassVar[str] = "cos"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.cos(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Neg.of(Mul.of(dy, Sin.of(node.inputs[0])))]


class Relu(Unary):
    """`max(x, 0)`; the gradient at 0 is 0."""

    type: ClassVar[str] = "Relu"
    function: ClassVar[str] = "relu"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return _larger(xp, x, xp.zeros_like(x))

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: apply("max", x, 0), *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        y = node.outputs[0]
        return [Select.of(y > 0, dy, ZerosLike.of(dy))]


class Binary(Pointwise):
    """A function of two arguments."""

    left: ClassVar[np.ndarray[Any, Any]] = _MIXED
    right: ClassVar[np.ndarray[Any, Any]] = _OTHER
    smooth: ClassVar[bool] = True

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (cls.left, cls.right), differentiable=cls.smooth)


class Add(Binary):
    """`x + y`."""

    type: ClassVar[str] = "Add"
    function: ClassVar[str] = "add"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.add(x, y)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [dy, dy]


class Sub(Binary):
    """`x - y`."""

    type: ClassVar[str] = "Sub"
    function: ClassVar[str] = "sub"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.subtract(x, y)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [dy, Neg.of(dy)]


class Mul(Binary):
    """`x * y`."""

    type: ClassVar[str] = "Mul"
    function: ClassVar[str] = "mul"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.multiply(x, y)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, y = node.inputs
        return [Mul.of(dy, y), Mul.of(dy, x)]


class Div(Binary):
    """`x / y` of floating-point numbers."""

    type: ClassVar[str] = "RealDiv"
    function: ClassVar[str] = "div"
    kind: ClassVar[str] = FLOATING

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.divide(x, y)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        y = node.inputs[1]
        return [Div.of(dy, y), Neg.of(Mul.of(dy, Div.of(node.outputs[0], y)))]


class LogGrad(Binary):
    """`dy / x`, the gradient of a logarithm: a plan may compute it from what x was made from."""

    type: ClassVar[str] = "LogGrad"
    function: ClassVar[str] = "div"
    kind: ClassVar[str] = FLOATING

    def evaluate(self, xp: Any, dy: Any, x: Any) -> Any:
        return xp.divide(dy, x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x = node.inputs[1]
        return [LogGrad.of(dy, x), Neg.of(LogGrad.of(Mul.of(dy, node.outputs[0]), x))]


class Flat(Binary):
    """Functions of two arguments that no gradient flows through."""

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None, None]


class FloorDiv(Flat):
    """`floor(x / y)`; integer division by zero gives 0."""

    type: ClassVar[str] = "FloorDiv"
    function: ClassVar[str] = "floordiv"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.floor_divide(x, y)


class FloorMod(Binary):
    """`x - floor(x / y) * y`, Python's `%`; integer modulo by zero gives 0."""

    type: ClassVar[str] = "FloorMod"
    function: ClassVar[str] = "floormod"
    left: ClassVar[np.ndarray[Any, Any]] = _MIXED + np.float32(0.137)  # away from the jumps

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.remainder(x, y)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, y = node.inputs
        return [dy, Neg.of(Mul.of(dy, FloorDiv.of(x, y)))]


class Pow(Binary):
    """x to the power y. For floating-point numbers; integers go through repeated products."""

    type: ClassVar[str] = "Pow"
    function: ClassVar[str] = "pow"
    kind: ClassVar[str] = FLOATING
    left: ClassVar[np.ndarray[Any, Any]] = _POSITIVE

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        # For an exponent of 1/2 that all elements share, NumPy takes the square root.
        unlike = (y == 0.5) & ((x == 0) | (x == -xp.inf))
        return xp.power(xp.where(unlike, xp.abs(x), x), y)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        x, y = node.inputs
        # x to the power of 0 is flat: for y = 0 any exponent will do that is finite at x = 0, so
        # that y times the power is 0, and likewise in derivatives of this.
        less = Select.of(Equal.of(y, y * 0), y * 0, y - 1)
        by_x = Mul.of(dy, Mul.of(y, Pow.of(x, less)))
        # The derivative by the exponent is taken as 0 where the base is not positive.
        positive = x > 0
        log = Log.of(Select.of(positive, x, x * 0 + 1))
        return [by_x, Mul.of(dy, Mul.of(node.outputs[0], log))]


class Maximum(Binary):
    """The larger; the gradient goes to x where they are equal. NaN if either is; 0 before -0."""

    type: ClassVar[str] = "Maximum"
    function: ClassVar[str] = "max"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return _larger(xp, x, y)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return _by_choice(node, dy, GreaterEqual.of(*node.inputs))


def _larger(xp: Any, x: Any, y: Any) -> Any:
    return xp.where((x == 0) & (y == 0), x + y, xp.maximum(x, y))


class Minimum(Binary):
    """The smaller; the gradient goes to x where they are equal. NaN if either is; -0 before 0."""

    type: ClassVar[str] = "Minimum"
    function: ClassVar[str] = "min"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.where((x == 0) & (y == 0), -(-x - y), xp.minimum(x, y))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return _by_choice(node, dy, LessEqual.of(*node.inputs))


def _by_choice(node: Operation, dy: Tensor, first: Tensor) -> Grads:
    zero = ZerosLike.of(dy)
    return [Select.of(first, dy, zero), Select.of(first, zero, dy)]


class SquaredDifference(Binary):
    """`(x - y) ** 2`."""

    type: ClassVar[str] = "SquaredDifference"
    function: ClassVar[str] = "squared_difference"

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
    function: ClassVar[str] = "squared_deviation"

    def evaluate(self, xp: Any, x: Any, mean: Any) -> Any:
        return xp.square(x - mean)

    def expand(self, *inputs: Tensor) -> Tensor | None:
        return Square.of(Sub.of(*inputs))

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [Mul.of(dy, Sub.of(*node.inputs) * 2), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (cls.left, cls.right), differentiable=False)


class Comparison(Flat):
    """Comparisons give bool and no gradient."""

    result: ClassVar[DType | None] = dtypes.bool_

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        other = np.where(_MIXED > 0, _MIXED, _OTHER)
        yield Sample(cls(), (_MIXED, other), exact=True)


class Equal(Comparison):
    """`x == y`."""

    type: ClassVar[str] = "Equal"
    function: ClassVar[str] = "eq"
    kind: ClassVar[str] = ANY

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.equal(x, y)


class NotEqual(Comparison):
    """`x != y`."""

    type: ClassVar[str] = "NotEqual"
    function: ClassVar[str] = "ne"
    kind: ClassVar[str] = ANY

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.not_equal(x, y)


class Less(Comparison):
    """`x < y`."""

    type: ClassVar[str] = "Less"
    function: ClassVar[str] = "lt"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.less(x, y)


class LessEqual(Comparison):
    """`x <= y`."""

    type: ClassVar[str] = "LessEqual"
    function: ClassVar[str] = "le"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.less_equal(x, y)


class Greater(Comparison):
    """`x > y`."""

    type: ClassVar[str] = "Greater"
    function: ClassVar[str] = "gt"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.greater(x, y)


class GreaterEqual(Comparison):
    """`x >= y`."""

    type: ClassVar[str] = "GreaterEqual"
    function: ClassVar[str] = "ge"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.greater_equal(x, y)


class Logical(Flat):
    """Functions of two truth values."""

    kind: ClassVar[str] = BOOLEAN

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        values = np.array([True, True, False, False]), np.array([True, False, True, False])
        yield Sample(cls(), values, exact=True)


class LogicalAnd(Logical):
    """Both."""

    type: ClassVar[str] = "LogicalAnd"
    function: ClassVar[str] = "and"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.logical_and(x, y)


class LogicalOr(Logical):
    """At least one."""

    type: ClassVar[str] = "LogicalOr"
    function: ClassVar[str] = "or"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.logical_or(x, y)


class LogicalXor(Logical):
    """Exactly one."""

    type: ClassVar[str] = "LogicalXor"
    function: ClassVar[str] = "ne"

    def evaluate(self, xp: Any, x: Any, y: Any) -> Any:
        return xp.logical_xor(x, y)


class LogicalNot(Pointwise):
    """Not x."""

    type: ClassVar[str] = "LogicalNot"
    function: ClassVar[str] = "not"
    kind: ClassVar[str] = BOOLEAN

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.logical_not(x)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.array([True, False]),), exact=True)


class FloatTest(Unary):
    """Questions about a floating-point number."""

    kind: ClassVar[str] = FLOATING
    result: ClassVar[DType | None] = dtypes.bool_

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_numbers(0, 1, np.inf, -np.inf, np.nan),), exact=True)


class IsNan(FloatTest):
    """Whether x is not a number."""

    type: ClassVar[str] = "IsNan"
    function: ClassVar[str] = "isnan"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.isnan(x)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: apply("ne", x, x), *inputs)


class IsFinite(FloatTest):
    """Whether x is neither infinite nor NaN."""

    type: ClassVar[str] = "IsFinite"
    function: ClassVar[str] = "isfinite"

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.isfinite(x)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: apply("eq", x - x, 0), *inputs)


class Select(Op):
    """`x` where the condition holds, else `y`."""

    type: ClassVar[str] = "Select"

    def infer(self, condition: Spec, x: Spec, y: Spec) -> Spec:
        check_kind(BOOLEAN, condition.dtype)
        if x.dtype != y.dtype:
            raise DTypeError(f"the branches are {x.dtype} and {y.dtype}")
        return Spec(shapes.merge(condition.shape, shapes.merge(x.shape, y.shape)), x.dtype)

    def evaluate(self, xp: Any, condition: Any, x: Any, y: Any) -> Any:
        return xp.where(condition, x, y)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(where, *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        condition, zero = node.inputs[0], ZerosLike.of(dy)
        return [None, Select.of(condition, dy, zero), Select.of(condition, zero, dy)]

    @classmethod
    def of(cls, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return emit(cls(), condition, x, y)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_MIXED > 0.5, _MIXED, _OTHER))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (_MIXED, _MIXED, _MIXED), "takes bool tensors, not float32")
        yield Sample(cls(), (_MIXED > 0, _MIXED, _MIXED > 0), "the branches are float32 and bool")


class Cast(Op):
    """Conversion to another dtype: towards zero from floats to integers, `x != 0` to bool.

    A float that no int64 (for other integers, no int32) can hold, or NaN, becomes the least of
    these, as on x86 in TensorFlow and NumPy. Narrower integers take the low bits of the int32, and
    integers wrap around.
    """

    type: ClassVar[str] = "Cast"
    dtype: DType

    def infer(self, x: Spec) -> Spec:
        return Spec(x.shape, self.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        if as_dtype(x.dtype).is_floating and self.dtype.is_integer:
            wide, limit = (xp.int64, 2.0**63) if self.dtype.size == 8 else (xp.int32, 2.0**31)
            x = xp.asarray(x, xp.float32) if x.dtype.itemsize == 2 else x
            x = xp.asarray(xp.where((x >= -limit) & (x < limit), x, -limit), wide)
        return xp.asarray(x, self.dtype.numpy)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: cast_expr(x, self.dtype), *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        source = node.inputs[0].dtype
        return [emit(Cast(source), dy) if source.is_floating else None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        whole = np.array([[-3, 0, 2], [100, 1, 7]])
        for dtype in (dtypes.float32, dtypes.int32, dtypes.int64, dtypes.bool_):
            yield Sample(cls(dtype), (whole.astype(np.int32),), exact=True)
            yield Sample(
                cls(dtype), (whole.astype(np.float32) * 0.75,), exact=True, differentiable=False
            )
        yield Sample(cls(dtypes.float32), (np.array([0, 7, 255], np.uint8),), exact=True)
        yield Sample(cls(dtypes.uint8), (_numbers(0, 7.9, 255),), exact=True, differentiable=False)
        yield Sample(cls(dtypes.float32), (np.array([True, False]),), exact=True)
        yield Sample(
            cls(dtypes.float16), (_numbers(1.5, 1 / 3, 1e-7),), exact=True, differentiable=False
        )
        yield Sample(
            cls(dtypes.bfloat16), (_numbers(1.5, 1 / 3, 1e-7),), exact=True, differentiable=False
        )


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """Convert to another dtype, as NumPy's `astype` does; see `Cast` for what does not fit.

    Args:
        x: a tensor or anything that converts to one.
        dtype: a dtype, its name, or a NumPy dtype.
        name: of the operation.
    """
    tensor, kind = convert(x), as_dtype(dtype)
    return tensor if tensor.dtype == kind else emit(Cast(kind), tensor, name=name)


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
