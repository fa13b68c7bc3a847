"""The scalar functions that formulas apply: everything about each, in one table.

A function has a value for all arguments (perhaps NaN), and to compute it has no effect, so code may
evaluate any of them before it is known whether the value is needed. How a function is computed in
native code is the business of the backend, whose table has the same names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.formula import gamma

Meaning = Callable[..., Any]

FLOATING = "floating"
NUMERIC = "numeric"
BOOLEAN = "bool"
INTEGER = "integer"
ANY = "any"
KINDS: dict[str, Callable[[DType], bool]] = {
    ANY: lambda dtype: True,
    FLOATING: lambda dtype: dtype.is_floating,
    INTEGER: lambda dtype: dtype.is_integer,
    NUMERIC: lambda dtype: dtype.is_floating or dtype.is_integer,
    BOOLEAN: lambda dtype: dtype.is_bool,
}


class Function(Record, eq=False):
    """A function of single elements.

    Attributes:
        name: as formulas have it.
        arity: how many arguments it takes.
        kind: of dtypes that it is defined for; its arguments are of one dtype, but for the
            condition of a choice.
        meaning: what it computes, in array-API terms: it takes an array module and the arguments,
            NumPy arrays or scalars. None if that depends on more than the arguments.
        work: roughly how many instructions one evaluation takes.
        flops: how many floating-point operations it counts for, if it is of such numbers.
        exact: whether the result is a number of half precision if the arguments are.
        is_free: whether evaluating it anew costs nothing worth keeping a result for.
        result: the dtype of the result, if it is not that of the last argument.
        range: between which numbers the result lies, unless it is NaN.
    """

    name: str
    arity: int
    kind: str
    meaning: Meaning | None
    work: int = 1
    flops: int = 1
    exact: bool = False
    is_free: bool = False
    result: DType | None = None
    range: tuple[float, float] = (-math.inf, math.inf)

    def evaluate(self, xp: Any, *args: Any) -> Any:
        """The function of arrays."""
        if self.meaning is None:
            raise NotImplementedError(f"{self.name} is not a function of its arguments alone")
        return self.meaning(xp, *args)


def named(name: str) -> Meaning:
    """The function that the array module has under a name."""
    return lambda xp, *args: getattr(xp, name)(*args)


def by_element(function: Callable[..., float]) -> Meaning:
    """A function of Python's floats, of every element."""
    return lambda xp, *args: xp.vectorize(function, otypes=[args[0].dtype])(*args)


def _larger(xp: Any, x: Any, y: Any) -> Any:
    return xp.where((x == 0) & (y == 0), x + y, xp.maximum(x, y))


def _smaller(xp: Any, x: Any, y: Any) -> Any:
    return xp.where((x == 0) & (y == 0), -(-x - y), xp.minimum(x, y))


def _sign(xp: Any, x: Any) -> Any:
    return xp.sign(x) + xp.asarray(0, x.dtype)  # some NumPy types have a sign of -0


def _rsqrt(xp: Any, x: Any) -> Any:
    return xp.asarray(1 / xp.sqrt(x), x.dtype)


def _sigmoid(xp: Any, x: Any) -> Any:
    small = xp.exp(-xp.abs(x))
    return xp.asarray(xp.where(x >= 0, 1 / (1 + small), small / (1 + small)), x.dtype)


def _pow(xp: Any, x: Any, y: Any) -> Any:
    # For an exponent of 1/2 that all elements share, NumPy takes the square root.
    unlike = (y == 0.5) & ((x == 0) | (x == -xp.inf))
    return xp.power(xp.where(unlike, xp.abs(x), x), y)


def _comparison(name: str, numpy_name: str, kind: str = NUMERIC) -> Function:
    return Function(name, 2, kind, named(numpy_name), exact=True, result=dtypes.bool_)


_POSITIVE = (0.0, math.inf)
_UNIT = (-1.0, 1.0)

_TABLE = (
    # Arithmetic
    Function("add", 2, NUMERIC, named("add")),
    Function("sub", 2, NUMERIC, named("subtract")),
    Function("mul", 2, NUMERIC, named("multiply")),
    Function("div", 2, FLOATING, named("divide"), work=4),
    Function("floordiv", 2, NUMERIC, named("floor_divide"), work=20),
    Function("floormod", 2, NUMERIC, named("remainder"), work=20),
    Function("neg", 1, NUMERIC, named("negative"), exact=True),
    Function("abs", 1, NUMERIC, named("abs"), exact=True, range=_POSITIVE),
    Function("sign", 1, NUMERIC, _sign, exact=True, range=_UNIT),
    Function("max", 2, NUMERIC, _larger, exact=True),
    Function("min", 2, NUMERIC, _smaller, exact=True),
    # Rounding
    Function("floor", 1, FLOATING, named("floor"), exact=True),
    Function("ceil", 1, FLOATING, named("ceil"), exact=True),
    Function("round", 1, FLOATING, named("round"), exact=True),
    # Exponentials, logarithms and powers
    Function("exp", 1, FLOATING, named("exp"), work=8, range=_POSITIVE),
    Function("expm1", 1, FLOATING, named("expm1"), work=10, range=(-1, math.inf)),
    Function("log", 1, FLOATING, named("log"), work=10),
    Function("log1p", 1, FLOATING, named("log1p"), work=12),
    Function("sqrt", 1, FLOATING, named("sqrt"), work=4, range=_POSITIVE),
    Function("rsqrt", 1, FLOATING, _rsqrt, work=5),
    Function("pow", 2, FLOATING, _pow, work=40),
    Function("tanh", 1, FLOATING, named("tanh"), work=10, range=_UNIT),
    Function("sinh", 1, FLOATING, named("sinh"), work=12),
    Function("cosh", 1, FLOATING, named("cosh"), work=12, range=(1, math.inf)),
    Function("asinh", 1, FLOATING, named("arcsinh"), work=20),
    Function("acosh", 1, FLOATING, named("arccosh"), work=20, range=_POSITIVE),
    Function("atanh", 1, FLOATING, named("arctanh"), work=20),
    Function("sigmoid", 1, FLOATING, _sigmoid, work=10, range=(0, 1)),
    # Special functions
    Function("erf", 1, FLOATING, by_element(math.erf), work=12, range=_UNIT),
    Function("erfc", 1, FLOATING, by_element(math.erfc), work=24, range=(0, 2)),
    Function("lgamma", 1, FLOATING, by_element(gamma.lgamma), work=80),
    Function("digamma", 1, FLOATING, by_element(gamma.digamma), work=80),
    Function("trigamma", 1, FLOATING, by_element(gamma.trigamma), work=60),
    # Trigonometry
    Function("sin", 1, FLOATING, named("sin"), work=12, range=_UNIT),
    Function("cos", 1, FLOATING, named("cos"), work=12, range=_UNIT),
    Function("tan", 1, FLOATING, named("tan"), work=16),
    Function("asin", 1, FLOATING, named("arcsin"), work=14, range=(-math.pi / 2, math.pi / 2)),
    Function("acos", 1, FLOATING, named("arccos"), work=14, range=(0, math.pi)),
    Function("atan", 1, FLOATING, named("arctan"), work=16, range=(-math.pi / 2, math.pi / 2)),
    Function("atan2", 2, FLOATING, named("arctan2"), work=20, range=(-math.pi, math.pi)),
    # Comparisons, logic and choices
    _comparison("lt", "less"),
    _comparison("le", "less_equal"),
    _comparison("gt", "greater"),
    _comparison("ge", "greater_equal"),
    _comparison("eq", "equal", ANY),
    _comparison("ne", "not_equal", ANY),
    Function("and", 2, BOOLEAN, named("logical_and"), flops=0),
    Function("or", 2, BOOLEAN, named("logical_or"), flops=0),
    Function("not", 1, BOOLEAN, named("logical_not"), flops=0),
    Function("select", 3, ANY, named("where"), flops=0, exact=True),
    # What depends on more than the arguments: on the dtype of the result.
    Function("cast", 1, ANY, None, flops=0, is_free=True),
    Function("random_unit", 5, INTEGER, None, work=40, flops=0, range=(0, 1)),
)

FUNCTIONS: dict[str, Function] = {function.name: function for function in _TABLE}
