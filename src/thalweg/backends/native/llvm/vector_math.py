"""Exponentials, hyperbolic functions, logarithms and powers as branch-free IR; see `elementary`."""

from __future__ import annotations

import math
from typing import NamedTuple

from thalweg.backends.native.llvm import polynomials
from thalweg.backends.native.llvm.elementary import (
    INF,
    NAN,
    clamp,
    elementary,
    format_of,
    keep_tiny,
    magnitude,
    polynomial,
    polynomial_by_square,
    to_float,
)
from thalweg.backends.native.llvm.ssa import Number, SsaValue


def reduce_exp(x: SsaValue) -> tuple[SsaValue, SsaValue]:
    """`(r, shifted)` with x = n ln 2 + r and |r| <= ln 2 / 2.

    The low bits of `shifted`, as an integer, are n plus twice the exponent bias.
    """
    f = format_of(x)
    rounder = f.rounder + 2 * f.bias
    shifted = x.fma(math.log2(math.e), rounder)
    n = shifted - rounder
    ln2_high, ln2_low = f.pick(polynomials.LN2)
    return n.fma(-ln2_low, n.fma(-ln2_high, x)), shifted.bitcast(f.integer)


def expm1_reduced(r: SsaValue) -> SsaValue:
    """`expm1(r)` for |r| <= ln 2 / 2."""
    return (r * r).fma(polynomial_by_square(r, polynomials.EXP), r)


def scale(x: SsaValue, shifted: SsaValue) -> SsaValue:
    """`x * 2^n` in two steps, so that only the last one can overflow or round a subnormal."""
    f = format_of(x)
    half = shifted.lshr(1) << f.fraction  # the bits of 2^(n // 2)
    rest = (shifted << f.fraction) - half
    return x * half.bitcast(f.element) * rest.bitcast(f.element)


def exp_reduced(r: SsaValue, shifted: SsaValue) -> SsaValue:
    """`exp(x)`, of what `reduce_exp` makes of x."""
    return scale(expm1_reduced(r) + 1, shifted)


def expm1_over(x: SsaValue, power: int) -> SsaValue:
    """`expm1(x) / 2^power`; x must be in range, and of a size that 2^(n - power) is normal."""
    f = format_of(x)
    r, shifted = reduce_exp(x)
    bits = (shifted << f.fraction) - ((f.bias + power) << f.fraction)
    factor = bits.bitcast(f.element)  # 2^(n - power)
    return expm1_reduced(r).fma(factor, factor - 0.5**power)


@elementary(single=1.05, double=1.05)
def exp(x: SsaValue) -> SsaValue:
    """e^x."""
    return exp_reduced(*reduce_exp(clamp(x, *format_of(x).exp_range)))


@elementary(single=1.75, double=2.0)
def expm1(x: SsaValue) -> SsaValue:
    """e^x - 1."""
    f = format_of(x)
    return keep_tiny(x, expm1_over(clamp(x, f.expm1_low, f.exp_range[1]), 1) * 2)


@elementary(single=2.5, double=2.75)
def tanh(x: SsaValue) -> SsaValue:
    """Hyperbolic tangent: h / (h + 1) with h = expm1(2 |x|) / 2."""
    a = magnitude(x).math("minimum", format_of(x).tanh_high)
    h = expm1_over(a + a, 1)
    return (h / (h + 1)).math("copysign", x)


@elementary(single=2.5, double=2.5)
def sigmoid(x: SsaValue) -> SsaValue:
    """1 / (1 + e^-x), by e^-|x| so that it is accurate where it is small."""
    z = exp(-magnitude(x))
    return (x < 0).select(z, x.builder.like(x, 1)) / (z + 1)


def _clamp_hyperbolic(x: SsaValue) -> SsaValue:
    """|x|, or a number of which sinh and cosh are infinite."""
    return magnitude(x).math("minimum", format_of(x).exp_range[1] + 0.5)


@elementary(single=2.5, double=2.5)
def sinh(x: SsaValue) -> SsaValue:
    """Hyperbolic sine: (h + h / (h + 1)) / 2 with h = expm1 |x|."""
    quarter = expm1_over(_clamp_hyperbolic(x), 2)
    y = (quarter + quarter / quarter.fma(4, 1)) * 2
    return keep_tiny(x, y.math("copysign", x))


@elementary(single=1.5, double=1.5)
def cosh(x: SsaValue) -> SsaValue:
    """Hyperbolic cosine: h + 1 / (4 h) with h = exp|x| / 2."""
    r, shifted = reduce_exp(_clamp_hyperbolic(x))
    half = exp_reduced(r, shifted - 1)
    return half + 0.25 / half


def split_exponent(x: SsaValue) -> tuple[SsaValue, SsaValue]:
    """`(e, m)`, floats, with x = 2^e m and m in [sqrt 1/2, sqrt 2); x must be positive, finite."""
    f = format_of(x)
    subnormal = x < f.least_normal
    bits = subnormal.select(x * 2.0**f.fraction, x).bitcast(f.integer)
    root_half = (f.bias << f.fraction) - (1 << f.fraction) + round((2**0.5 - 1) * 2**f.fraction)
    e = (bits - root_half) >> f.fraction
    m = (bits - (e << f.fraction)).bitcast(f.element)
    e = to_float(e, f.element)
    return subnormal.select(e - f.fraction, e), m


def log_split(e: SsaValue, m: SsaValue, correction: SsaValue | None = None) -> SsaValue:
    """`log(2^e m)`, plus a small correction."""
    ln2_high, ln2_low = format_of(m).pick(polynomials.LN2)
    f = m - 1
    square = f * f
    low = square * f.fma(polynomial_by_square(f, polynomials.LOG), -0.5)
    low = e.fma(ln2_low, low)
    if correction is not None:
        low = low + correction
    return e.fma(ln2_high, f + low)


def log_limits(x: SsaValue, y: SsaValue) -> SsaValue:
    """`y = log(x)` with the values at the ends: -inf at 0, NaN below, inf at inf."""
    at_most_zero = x.equals(0).select(x.builder.like(x, -INF), NAN)
    return (x > 0).select((x < INF).select(y, x), at_most_zero)


@elementary(single=1.0, double=1.0)
def log(x: SsaValue) -> SsaValue:
    """Natural logarithm."""
    return log_limits(x, log_split(*split_exponent(x)))


@elementary(single=1.05, double=1.05)
def log1p(x: SsaValue) -> SsaValue:
    """log(1 + x), as log(u) + c / u with u the rounded sum and c what the rounding lost."""
    u = x + 1
    c = x - (u - 1)
    return keep_tiny(x, log_limits(u, log_split(*split_exponent(u), c / u)))


def _log_of_sum(t: SsaValue, large: SsaValue, a: SsaValue) -> SsaValue:
    """`log(1 + t)`, and `log(2 a)` where a is large, finite."""
    u = t + 1
    lost = t - (u - 1)
    e, m = split_exponent(large.select(a, u))
    return log_split(large.select(e + 1, e), m, (~large).select(lost / u, 0.0))


def _swamps_one(a: SsaValue) -> SsaValue:
    """Where a is so large that 1 + a^2 is a^2."""
    return a > 2.0 ** (format_of(a).fraction // 2 + 2)


@elementary(single=2.5, double=2.5)
def asinh(x: SsaValue) -> SsaValue:
    """Inverse hyperbolic sine: log(1 + t) with t = |x| + x^2 / (1 + sqrt(1 + x^2))."""
    a = magnitude(x)
    square = a * a
    t = a + square / ((square + 1).math("sqrt") + 1)
    y = _log_of_sum(t, _swamps_one(a), a)
    return keep_tiny(x, (a < INF).select(y, a).math("copysign", x))


@elementary(single=2.5, double=2.5)
def acosh(x: SsaValue) -> SsaValue:
    """Inverse hyperbolic cosine: log(1 + t + sqrt(t^2 + 2 t)) with t = x - 1; NaN below 1."""
    t = x - 1
    y = _log_of_sum(t + t.fma(t, t + t).math("sqrt"), _swamps_one(x), x)
    return (x >= 1).select((x < INF).select(y, x), NAN)


@elementary(single=2.5, double=2.5)
def atanh(x: SsaValue) -> SsaValue:
    """Inverse hyperbolic tangent: log(1 + 2 |x| / (1 - |x|)) / 2."""
    a = magnitude(x)
    y = log1p((a + a) / (1 - a)) * 0.5
    return keep_tiny(x, y.math("copysign", x))


@elementary(single=1.5, double=1.5)
def rsqrt(x: SsaValue) -> SsaValue:
    """1 / sqrt(x)."""
    return 1 / x.math("sqrt")


class DoubleDouble(NamedTuple):
    """An unevaluated sum of two numbers, the second about an ULP of the first or less (Dekker)."""

    high: SsaValue
    low: SsaValue

    def plus(self, high: SsaValue, low: Number) -> DoubleDouble:
        """Add a pair whose high part is the smaller one, or anything to zero."""
        total = self.high + high
        return DoubleDouble(total, (self.high - total + high) + (self.low + low))

    def times(self, high: Number, low: Number) -> DoubleDouble:
        """Multiply by a pair."""
        product = self.high * high
        error = self.high.fma(high, -product)
        return DoubleDouble(product, self.high.fma(low, self.low.fma(high, error)))


def _log_pair(x: SsaValue) -> DoubleDouble:
    """The logarithm to some 65 bits, by 2 atanh((m - 1) / (m + 1)); x positive and finite."""
    f = format_of(x)
    e, m = split_exponent(x)
    s = _quotient_pair(m - 1, m + 1)
    square = s.times(s.high, s.low)
    cube = square.times(s.high, s.low)
    tail = cube.high * square.high * polynomial(square.high, polynomials.LOG_TAIL)
    ln2_high, ln2_low = f.pick(polynomials.LN2)
    total = DoubleDouble(e * ln2_high, e * ln2_low)
    total = total.plus(s.high * 2, s.low * 2)
    total = total.plus(*cube.times(*f.pick(polynomials.TWO_THIRDS)))
    return total.plus(tail, 0)


def _quotient_pair(f: SsaValue, d: SsaValue) -> DoubleDouble:
    """`f / (2 + f)` as a pair, d being the rounded 2 + f."""
    reciprocal = 1 / d
    s = f * reciprocal
    lost = f - (d - 2)
    return DoubleDouble(s, reciprocal * s.fma(-lost, s.fma(-d, f)))


def _power_double(a: SsaValue, y: SsaValue) -> SsaValue:
    """`a^y` for a >= 0, of doubles: the exponent needs ten bits more than a double has."""
    high, low = _log_pair(a)
    exponent = DoubleDouble(log_limits(a, high), low).times(y, 0)
    in_range = magnitude(exponent.high) < 800
    r, shifted = reduce_exp(clamp(exponent.high, *format_of(a).exp_range))
    return exp_reduced(r + in_range.select(exponent.low, 0.0), shifted)


def _power_float(a: SsaValue, y: SsaValue) -> SsaValue:
    """`a^y` for a >= 0, of floats, through doubles."""
    wide = log(a.convert("fpext", "double")) * y.convert("fpext", "double")
    return exp(wide).convert("fptrunc", "float")


def _is_integer(x: SsaValue) -> SsaValue:
    return x.math("floor").equals(x)


@elementary(single=0.55, double=1.75)
def pow(x: SsaValue, y: SsaValue) -> SsaValue:
    """x^y, with C's values at the many special points."""
    a = magnitude(x)
    size = _power_float(a, y) if x.type.element == "float" else _power_double(a, y)
    integer = _is_integer(y)
    odd = integer & ~_is_integer(y * 0.5)
    negative = x.bitcast(format_of(x).integer) < 0
    signed = (negative & odd).select(-size, size)
    real = integer | (x >= 0) | x.equals(-INF) | x.is_nan()
    one = x.equals(1) | y.fenced().equals(0) | (a.equals(1) & magnitude(y).equals(INF))
    return one.select(x.builder.like(x, 1), real.select(signed, NAN))
