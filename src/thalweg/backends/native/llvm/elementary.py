"""Elementary functions as branch-free IR on float or double, scalar or of any vector width.

LLVM has no vector mathematics library of its own to call, so each function is arithmetic: a range
reduction, a polynomial in fused multiply-adds, and a reconstruction by integer operations on the
exponent. The same instructions are written for every machine and every width, so results are the
same bits on all of them (a machine without FMA gets there through the C library, slowly).

Zeros with their signs, infinities, NaN, subnormals, overflow and underflow come out as C has them.
The bounds at each function are in units in the last place of the exact result, and are tested.

Methods: Cody and Waite, Software Manual for the Elementary Functions (1980), for the reductions;
Muller, Elementary Functions, 3rd ed. (2016), for the polynomials; Dekker, Numer. Math. 18 (1971),
for the two-part arithmetic of pow. Coefficients: tools/fit_polynomials.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from thalweg.backends.native.llvm.polynomials import Table
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.base.record import Record

INF, NAN = math.inf, math.nan


class Bounds(NamedTuple):
    """The greatest error of a function in ULP, for float and for double."""

    single: float
    double: float


FUNCTIONS: dict[str, Callable[..., SsaValue]] = {}


BOUNDS: dict[str, Bounds] = {}


Emitter = TypeVar("Emitter", bound=Callable[..., SsaValue])


def elementary(single: float, double: float) -> Callable[[Emitter], Emitter]:
    """Enter a function into `FUNCTIONS` and its bounds into `BOUNDS`."""

    def enter(emit: Emitter) -> Emitter:
        FUNCTIONS[emit.__name__] = emit
        BOUNDS[emit.__name__] = Bounds(single, double)
        return emit

    return enter


class Format(Record):
    """What the functions need to know of a floating-point format."""

    element: str
    integer: str
    bits: int
    fraction: int  # bits of the significand that are stored
    exp_range: tuple[float, float]  # exp is 0 below it and inf above it
    expm1_low: float  # expm1 is -1 below it
    tanh_high: float  # tanh is 1 above it

    @property
    def bias(self) -> int:
        return (1 << (self.bits - self.fraction - 2)) - 1

    @property
    def rounder(self) -> float:
        """Adding this leaves an integer in the low bits of the significand, 1.5 * 2^fraction."""
        return 1.5 * 2.0**self.fraction

    @property
    def least_normal(self) -> float:
        return 2.0 ** (1 - self.bias)

    @property
    def negligible(self) -> float:
        """Relative to 1; what is under it does not change 1 + x or 1 - x."""
        return 2.0 ** -(self.fraction + 2)

    def pick(self, table: Table) -> tuple[float, ...]:
        return table.single if self.element == "float" else table.double


FORMATS = {
    "float": Format("float", "i32", 32, 23, (-104.0, 89.0), -20.0, 10.0),
    "double": Format("double", "i64", 64, 52, (-746.0, 710.0), -40.0, 20.0),
}


def format_of(x: SsaValue) -> Format:
    """The format of a number.

    Raises:
        TypeError: if it is neither a float nor a double.
    """
    try:
        return FORMATS[x.type.element]
    except KeyError:
        raise TypeError(f"elementary functions are of float or double, not {x.type}") from None


def horner(x: SsaValue, coefficients: Sequence[float]) -> SsaValue:
    """The polynomial with these coefficients, lowest power first."""
    *rest, last = coefficients
    result = x.builder.constant(x.type, last)
    for coefficient in reversed(rest):
        result = result.fma(x, coefficient)
    return result


def polynomial(x: SsaValue, table: Table) -> SsaValue:
    """The polynomial with the coefficients for the format of x."""
    return horner(x, format_of(x).pick(table))


def polynomial_by_square(x: SsaValue, table: Table) -> SsaValue:
    """Even and odd powers in two chains: half the latency, and x^2 is needed anyway."""
    coefficients = format_of(x).pick(table)
    square = x * x
    return horner(square, coefficients[1::2]).fma(x, horner(square, coefficients[::2]))


def odd_polynomial(x: SsaValue, z: SsaValue, table: Table) -> SsaValue:
    """`x + x z p(z)`, z being x^2."""
    return (x * z).fma(polynomial(z, table), x)


def magnitude(x: SsaValue) -> SsaValue:
    """|x|."""
    return x.math("fabs")


def clamp(x: SsaValue, low: float, high: float) -> SsaValue:
    """NaN passes through."""
    return x.math("maximum", low).math("minimum", high)


def keep_tiny(x: SsaValue, y: SsaValue) -> SsaValue:
    """`y = f(x)` where f(x) = x + O(x^2): f(x) is x near zero, with its sign and all its bits."""
    return (magnitude(x) < format_of(x).negligible).select(x, y)


def flip_sign(x: SsaValue, bit: SsaValue) -> SsaValue:
    """Negate where the integer `bit` is 1 rather than 0."""
    f = format_of(x)
    return (x.bitcast(f.integer) ^ (bit << (f.bits - 1))).bitcast(f.element)


def to_float(n: SsaValue, element: str) -> SsaValue:
    """A small integer as a float; i64 goes through i32, which every machine can convert."""
    narrow = n.convert("trunc", "i32") if n.type.bits == 64 else n
    return narrow.convert("sitofp", element)
