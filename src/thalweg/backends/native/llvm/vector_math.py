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

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from thalweg.backends.native.llvm import polynomials
from thalweg.backends.native.llvm.builder import F64, I1, I64, Number, Value
from thalweg.backends.native.llvm.polynomials import Table
from thalweg.base.record import Record

INF, NAN = math.inf, math.nan


class Bounds(NamedTuple):
    """The greatest error of a function in ULP, for float and for double."""

    single: float
    double: float


FUNCTIONS: dict[str, Callable[..., Value]] = {}
BOUNDS: dict[str, Bounds] = {}

Emitter = TypeVar("Emitter", bound=Callable[..., Value])


def elementary(single: float, double: float) -> Callable[[Emitter], Emitter]:
    """Enter a function into `FUNCTIONS` and its bounds into `BOUNDS`."""

    def enter(emit: Emitter) -> Emitter:
        FUNCTIONS[emit.__name__] = emit
        BOUNDS[emit.__name__] = Bounds(single, double)
        return emit

    return enter


# -- the formats


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


def _format(x: Value) -> Format:
    try:
        return FORMATS[x.type.element]
    except KeyError:
        raise TypeError(f"elementary functions are of float or double, not {x.type}") from None


# -- small pieces


def _horner(x: Value, coefficients: Sequence[float]) -> Value:
    """The polynomial with these coefficients, lowest power first."""
    *rest, last = coefficients
    result = x.builder.constant(x.type, last)
    for coefficient in reversed(rest):
        result = result.fma(x, coefficient)
    return result


def _polynomial(x: Value, table: Table) -> Value:
    return _horner(x, _format(x).pick(table))


def _polynomial_by_square(x: Value, table: Table) -> Value:
    """Even and odd powers in two chains: half the latency, and x^2 is needed anyway."""
    coefficients = _format(x).pick(table)
    square = x * x
    return _horner(square, coefficients[1::2]).fma(x, _horner(square, coefficients[::2]))


def _odd_polynomial(x: Value, z: Value, table: Table) -> Value:
    """`x + x z p(z)`, z being x^2."""
    return (x * z).fma(_polynomial(z, table), x)


def _abs(x: Value) -> Value:
    return x.math("fabs")


def _clamp(x: Value, low: float, high: float) -> Value:
    """NaN passes through."""
    return x.math("maximum", low).math("minimum", high)


def _keep_tiny(x: Value, y: Value) -> Value:
    """`y = f(x)` where f(x) = x + O(x^2): f(x) is x near zero, with its sign and all its bits."""
    return (_abs(x) < _format(x).negligible).select(x, y)


def _flip_sign(x: Value, bit: Value) -> Value:
    """Negate where the integer `bit` is 1 rather than 0."""
    f = _format(x)
    return (x.bitcast(f.integer) ^ (bit << (f.bits - 1))).bitcast(f.element)


def _to_float(n: Value, element: str) -> Value:
    """A small integer as a float; i64 goes through i32, which every machine can convert."""
    narrow = n.convert("trunc", "i32") if n.type.bits == 64 else n
    return narrow.convert("sitofp", element)


# -- the exponential and what follows from it


def _reduce_exp(x: Value) -> tuple[Value, Value]:
    """`(r, shifted)` with x = n ln 2 + r and |r| <= ln 2 / 2.

    The low bits of `shifted`, as an integer, are n plus twice the exponent bias.
    """
    f = _format(x)
    rounder = f.rounder + 2 * f.bias
    shifted = x.fma(math.log2(math.e), rounder)
    n = shifted - rounder
    ln2_high, ln2_low = f.pick(polynomials.LN2)
    return n.fma(-ln2_low, n.fma(-ln2_high, x)), shifted.bitcast(f.integer)


def _expm1_reduced(r: Value) -> Value:
    return (r * r).fma(_polynomial_by_square(r, polynomials.EXP), r)


def _scale(x: Value, shifted: Value) -> Value:
    """`x * 2^n` in two steps, so that only the last one can overflow or round a subnormal."""
    f = _format(x)
    half = shifted.lshr(1) << f.fraction  # the bits of 2^(n // 2)
    rest = (shifted << f.fraction) - half
    return x * half.bitcast(f.element) * rest.bitcast(f.element)


def _exp_reduced(r: Value, shifted: Value) -> Value:
    return _scale(_expm1_reduced(r) + 1, shifted)


def _expm1_over(x: Value, power: int) -> Value:
    """`expm1(x) / 2^power`; x must be in range, and of a size that 2^(n - power) is normal."""
    f = _format(x)
    r, shifted = _reduce_exp(x)
    bits = (shifted << f.fraction) - ((f.bias + power) << f.fraction)
    scale = bits.bitcast(f.element)  # 2^(n - power)
    return _expm1_reduced(r).fma(scale, scale - 0.5**power)


@elementary(single=1.05, double=1.05)
def exp(x: Value) -> Value:
    """e^x."""
    return _exp_reduced(*_reduce_exp(_clamp(x, *_format(x).exp_range)))


@elementary(single=1.75, double=2.0)
def expm1(x: Value) -> Value:
    """e^x - 1."""
    f = _format(x)
    return _keep_tiny(x, _expm1_over(_clamp(x, f.expm1_low, f.exp_range[1]), 1) * 2)


@elementary(single=2.5, double=2.75)
def tanh(x: Value) -> Value:
    """Hyperbolic tangent: h / (h + 1) with h = expm1(2 |x|) / 2."""
    a = _abs(x).math("minimum", _format(x).tanh_high)
    h = _expm1_over(a + a, 1)
    return (h / (h + 1)).math("copysign", x)


@elementary(single=2.5, double=2.5)
def sigmoid(x: Value) -> Value:
    """1 / (1 + e^-x), by e^-|x| so that it is accurate where it is small."""
    z = exp(-_abs(x))
    return (x < 0).select(z, x.builder.like(x, 1)) / (z + 1)


def _clamp_hyperbolic(x: Value) -> Value:
    """|x|, or a number of which sinh and cosh are infinite."""
    return _abs(x).math("minimum", _format(x).exp_range[1] + 0.5)


@elementary(single=2.5, double=2.5)
def sinh(x: Value) -> Value:
    """Hyperbolic sine: (h + h / (h + 1)) / 2 with h = expm1 |x|."""
    quarter = _expm1_over(_clamp_hyperbolic(x), 2)
    y = (quarter + quarter / quarter.fma(4, 1)) * 2
    return _keep_tiny(x, y.math("copysign", x))


@elementary(single=1.5, double=1.5)
def cosh(x: Value) -> Value:
    """Hyperbolic cosine: h + 1 / (4 h) with h = exp|x| / 2."""
    r, shifted = _reduce_exp(_clamp_hyperbolic(x))
    half = _exp_reduced(r, shifted - 1)
    return half + 0.25 / half


@elementary(single=1.9, double=1.9)
def erf(x: Value) -> Value:
    """Error function, as -expm1(log(erfc |x|)): that logarithm is smooth, hence one polynomial."""
    end = 4.0 if _format(x).element == "float" else 6.0
    t = _abs(x).math("minimum", end)
    w = t.fma(_polynomial_by_square(t, polynomials.ERF), t)
    return _expm1_over(-w, 0).math("copysign", x)


# -- logarithms


def _split(x: Value) -> tuple[Value, Value]:
    """`(e, m)`, floats, with x = 2^e m and m in [sqrt 1/2, sqrt 2); x must be positive, finite."""
    f = _format(x)
    subnormal = x < f.least_normal
    bits = subnormal.select(x * 2.0**f.fraction, x).bitcast(f.integer)
    root_half = (f.bias << f.fraction) - (1 << f.fraction) + round((2**0.5 - 1) * 2**f.fraction)
    e = (bits - root_half) >> f.fraction
    m = (bits - (e << f.fraction)).bitcast(f.element)
    e = _to_float(e, f.element)
    return subnormal.select(e - f.fraction, e), m


def _log_split(e: Value, m: Value, correction: Value | None = None) -> Value:
    """`log(2^e m)`, plus a small correction."""
    ln2_high, ln2_low = _format(m).pick(polynomials.LN2)
    f = m - 1
    square = f * f
    low = square * f.fma(_polynomial_by_square(f, polynomials.LOG), -0.5)
    low = e.fma(ln2_low, low)
    if correction is not None:
        low = low + correction
    return e.fma(ln2_high, f + low)


def _log_limits(x: Value, y: Value) -> Value:
    """`y = log(x)` with the values at the ends: -inf at 0, NaN below, inf at inf."""
    at_most_zero = x.equals(0).select(x.builder.like(x, -INF), NAN)
    return (x > 0).select((x < INF).select(y, x), at_most_zero)


@elementary(single=1.0, double=1.0)
def log(x: Value) -> Value:
    """Natural logarithm."""
    return _log_limits(x, _log_split(*_split(x)))


@elementary(single=1.05, double=1.05)
def log1p(x: Value) -> Value:
    """log(1 + x), as log(u) + c / u with u the rounded sum and c what the rounding lost."""
    u = x + 1
    c = x - (u - 1)
    return _keep_tiny(x, _log_limits(u, _log_split(*_split(u), c / u)))


# -- powers


@elementary(single=1.5, double=1.5)
def rsqrt(x: Value) -> Value:
    """1 / sqrt(x)."""
    return 1 / x.math("sqrt")


class Pair(NamedTuple):
    """An unevaluated sum of two numbers, the second about an ULP of the first or less (Dekker)."""

    high: Value
    low: Value

    def plus(self, high: Value, low: Number) -> Pair:
        """Add a pair whose high part is the smaller one, or anything to zero."""
        total = self.high + high
        return Pair(total, (self.high - total + high) + (self.low + low))

    def times(self, high: Number, low: Number) -> Pair:
        """Multiply by a pair."""
        product = self.high * high
        error = self.high.fma(high, -product)
        return Pair(product, self.high.fma(low, self.low.fma(high, error)))


def _log_pair(x: Value) -> Pair:
    """The logarithm to some 65 bits, by 2 atanh((m - 1) / (m + 1)); x positive and finite."""
    f = _format(x)
    e, m = _split(x)
    s = _quotient_pair(m - 1, m + 1)
    square = s.times(s.high, s.low)
    cube = square.times(s.high, s.low)
    tail = cube.high * square.high * _polynomial(square.high, polynomials.LOG_TAIL)
    ln2_high, ln2_low = f.pick(polynomials.LN2)
    total = Pair(e * ln2_high, e * ln2_low)
    total = total.plus(s.high * 2, s.low * 2)
    total = total.plus(*cube.times(*f.pick(polynomials.TWO_THIRDS)))
    return total.plus(tail, 0)


def _quotient_pair(f: Value, d: Value) -> Pair:
    """`f / (2 + f)` as a pair, d being the rounded 2 + f."""
    reciprocal = 1 / d
    s = f * reciprocal
    lost = f - (d - 2)
    return Pair(s, reciprocal * s.fma(-lost, s.fma(-d, f)))


def _power_double(a: Value, y: Value) -> Value:
    """`a^y` for a >= 0, of doubles: the exponent needs ten bits more than a double has."""
    high, low = _log_pair(a)
    exponent = Pair(_log_limits(a, high), low).times(y, 0)
    in_range = _abs(exponent.high) < 800
    r, shifted = _reduce_exp(_clamp(exponent.high, *_format(a).exp_range))
    return _exp_reduced(r + in_range.select(exponent.low, 0.0), shifted)


def _power_float(a: Value, y: Value) -> Value:
    """`a^y` for a >= 0, of floats, through doubles."""
    wide = log(a.convert("fpext", "double")) * y.convert("fpext", "double")
    return exp(wide).convert("fptrunc", "float")


def _is_integer(x: Value) -> Value:
    return x.math("floor").equals(x)


@elementary(single=0.55, double=1.75)
def pow(x: Value, y: Value) -> Value:
    """x^y, with C's values at the many special points."""
    a = _abs(x)
    size = _power_float(a, y) if x.type.element == "float" else _power_double(a, y)
    integer = _is_integer(y)
    odd = integer & ~_is_integer(y * 0.5)
    negative = x.bitcast(_format(x).integer) < 0
    signed = (negative & odd).select(-size, size)
    real = integer | (x >= 0) | x.equals(-INF) | x.is_nan()
    one = x.equals(1) | y.fenced().equals(0) | (a.equals(1) & _abs(y).equals(INF))
    return one.select(x.builder.like(x, 1), real.select(signed, NAN))


# -- trigonometry

FAR = 2.0**45  # from here on the argument is reduced by `_reduce_far`


def _reduce_trigonometric(x: Value) -> tuple[Value, Value]:
    """`(r, n)` with x = n pi / 2 + r and |r| <= pi / 4, n modulo 4; in doubles for floats too.

    The product of n and the first part of pi / 2 cancels exactly, so two parts are enough for the
    24 bits of a float and three for a double.
    """
    is_float = x.type.element == "float"
    wide = x.convert("fpext", "double") if is_float else x
    rounder = FORMATS["double"].rounder
    shifted = wide.fma(2 / math.pi, rounder)
    n, r = shifted - rounder, wide
    for part in polynomials.HALF_PI.double[: 2 if is_float else 3]:
        r = n.fma(-part, r)
    name = f"reduced.{wide.type.mangled}"
    r, n = x.builder.apart(name, _reduced, wide, r, shifted.bitcast("i64"), inlined=True)
    if is_float:
        return r.convert("fptrunc", "float"), n.convert("trunc", "i32")
    return r, n


def _reduced(x: Value, r: Value, n: Value) -> list[Value]:
    """`(r, n)`, which are replaced where x is far away; nothing is done for it where none is."""
    b, far = x.builder, _abs(x) >= FAR
    kept = [(value, b.local(value.type)) for value in (r, n)]
    for value, place in kept:
        b.store(value, place)
    with b.when(far.any()):
        found = b.apart(f"reduce_far.{x.type.mangled}", _reduce_far, x)
        for (value, place), better in zip(kept, found, strict=True):
            b.store(far.select(better, value), place)
    return [b.load(value.type, place) for value, place in kept]


def _reduce_far(x: Value) -> list[Value]:
    """`(r, n)` of doubles that are far away, one after the other."""
    b, name = x.builder, "reduce_far"
    if not x.type.lanes:
        return b.apart(f"{name}.one", _payne_hanek, x)
    kinds = ("double", "double", "i64")
    given, *made = [b.array(element, x.type.lanes) for element in kinds]
    b.store(x, given)
    with b.loop(b.index(0), b.index(x.type.lanes)) as loop:
        at = [
            b.address(base, loop.index, element)
            for base, element in zip((given, *made), kinds, strict=True)
        ]
        for value, place in zip(
            b.apart(f"{name}.one", _payne_hanek, b.load(F64, at[0])), at[1:], strict=True
        ):
            b.store(value, place)
    return [b.load(x.type.of(element), base) for base, element in zip(made, kinds[1:], strict=True)]


def _payne_hanek(x: Value) -> list[Value]:
    """`(r, n)` of one double of at least `FAR`, to all its bits; r is NaN for what is not finite.

    x is an integer m times a power of two. Of m times 2 / pi only what is modulo 4 counts, so only
    the bits of 2 / pi from a certain place on; and of these, 192 are enough that the product has
    more than 53 right bits in front of and behind the binary point, as no double is closer to a
    multiple of pi / 2 than 2^-61 of it (Payne and Hanek, Radian Reduction for Trigonometric
    Functions, SIGNUM Newsletter 18, 1983; Muller, chapter 11).
    """
    b, f = x.builder, FORMATS["double"]
    bits = x.bitcast(f.integer)
    m = (bits & ((1 << f.fraction) - 1)) | (1 << f.fraction)
    exponent = (bits.lshr(f.fraction) & 0x7FF) - (f.bias + f.fraction)
    first = (exponent + 62).math("smax", 0)  # the bit whose product with 2^exponent is 2
    high, middle, low = _window(b.table("two_over_pi", "i64", polynomials.TWO_OVER_PI), first)
    # Two bits in front of the binary point, and then the fraction, in two words.
    product = m * middle
    lower = product + _high_product(m, low)
    carry = lower.compare("", "ult", product).convert("zext", "i64")
    upper = m * high + _high_product(m, middle) + carry
    n = upper.lshr(62) + (upper.lshr(61) & 1)
    r = _times_half_pi(_shifted_left(upper, lower, b.index(2)), lower << 2)
    r = (_abs(x) < INF).select(r, NAN)
    negative = bits < 0
    return [negative.select(-r, r), negative.select(-n, n)]


def _window(table: Value, first: Value) -> list[Value]:
    """Three words of the table's bits from a place on."""
    b = table.builder
    word, shift = first.lshr(6), first & 63
    words = [b.load(I64, b.address(table, word + n, "i64")) for n in range(4)]
    return [_shifted_left(*pair, shift) for pair in itertools.pairwise(words)]


def _shifted_left(word: Value, following: Value, count: Value) -> Value:
    """A word moved to the left by up to 63 bits, which come in from the following one."""
    return (word << count) | following.lshr(1).lshr(63 - count)


def _high_product(x: Value, y: Value) -> Value:
    """The upper 64 bits of a product of unsigned numbers."""
    wide = x.convert("zext", "i128") * y.convert("zext", "i128")
    return wide.lshr(64).convert("trunc", "i64")


def _times_half_pi(upper: Value, lower: Value) -> Value:
    """A fraction of two words, signed, times pi / 2."""
    b, f = upper.builder, FORMATS["double"]
    negative = upper < 0
    upper, lower = (negative.select(~word, word) for word in (upper, lower))
    zeros = b.call("llvm.ctlz.i64", I64, upper, b.constant(I1, 0)).math("umin", 63)
    word = _shifted_left(upper, lower, zeros)
    head, tail = (part.convert("uitofp", f.element) for part in (word & -2048, word & 2047))
    high, low, *_ = polynomials.HALF_PI.double
    product = head * high
    rest = head.fma(high, -product) + head.fma(low, tail * high)
    scale = ((f.bias - 64 - zeros) << f.fraction).bitcast(f.element)
    size = (product + rest) * scale
    return negative.select(-size, size)


def _sin_cos(x: Value) -> tuple[Value, Value, Value]:
    """`(sin r, cos r, n)` of the reduced argument."""
    r, n = _reduce_trigonometric(x)
    z = r * r
    sine = _odd_polynomial(r, z, polynomials.SIN)
    cosine = z.fma(z.fma(_polynomial(z, polynomials.COS), -0.5), 1)
    return sine, cosine, n


def _odd(n: Value) -> Value:
    return (n & 1).equals(1)


def _sin_quarters(x: Value, quarters: int) -> Value:
    """`sin(x + quarters * pi / 2)`."""
    sine, cosine, n = _sin_cos(x)
    n = n + quarters
    return _flip_sign(_odd(n).select(cosine, sine), n.lshr(1))


@elementary(single=1.75, double=1.75)
def sin(x: Value) -> Value:
    """Sine; NaN of what is not finite."""
    return _keep_tiny(x, _sin_quarters(x, 0))


@elementary(single=1.75, double=1.75)
def cos(x: Value) -> Value:
    """Cosine; NaN of what is not finite."""
    return _sin_quarters(x, 1)


@elementary(single=3.25, double=3.25)
def tan(x: Value) -> Value:
    """Tangent; NaN of what is not finite."""
    sine, cosine, n = _sin_cos(x)
    odd = _odd(n)
    y = odd.select(cosine, sine) / odd.select(-sine, cosine)
    return _keep_tiny(x, y)


def _half_pi_minus(x: Value) -> Value:
    high, low, *_ = _format(x).pick(polynomials.HALF_PI)
    return high - (x - low)


@elementary(single=1.5, double=1.75)
def atan(x: Value) -> Value:
    """Arc tangent."""
    a = _abs(x)
    large = a > 1
    t = large.select(1 / a, a)
    y = _odd_polynomial(t, t * t, polynomials.ATAN)
    return large.select(_half_pi_minus(y), y).math("copysign", x)


def _asin_reduced(a: Value) -> tuple[Value, Value]:
    """`(y, large)`: asin(a) is y, and pi / 2 - 2 y where a > 1/2 is large; a >= 0."""
    large = a > 0.5
    z = large.select((1 - a) * 0.5, a * a)
    s = large.select(z.math("sqrt"), a)
    return _odd_polynomial(s, z, polynomials.ASIN), large


@elementary(single=2.5, double=2.25)
def asin(x: Value) -> Value:
    """Arc sine."""
    y, large = _asin_reduced(_abs(x))
    return large.select(_half_pi_minus(y + y), y).math("copysign", x)


@elementary(single=1.25, double=1.25)
def acos(x: Value) -> Value:
    """Arc cosine."""
    y, large = _asin_reduced(_abs(x))
    outer = (x < 0).select(_half_pi_minus(y), y)
    return large.select(outer + outer, _half_pi_minus(y.math("copysign", x)))
