"""Trigonometric functions and their inverses as branch-free IR; see `elementary`."""

from __future__ import annotations

import itertools
import math

from thalweg.backends.native.llvm import polynomials
from thalweg.backends.native.llvm.elementary import (
    FORMATS,
    INF,
    NAN,
    elementary,
    flip_sign,
    format_of,
    keep_tiny,
    magnitude,
    odd_polynomial,
    polynomial,
)
from thalweg.backends.native.llvm.ssa import F64, I1, I64, SsaValue

FAR = 2.0**45  # from here on the argument is reduced by `_reduce_far`


def _reduce_trigonometric(x: SsaValue) -> tuple[SsaValue, SsaValue]:
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
    r, n = x.builder.out_of_line(name, _reduced, wide, r, shifted.bitcast("i64"), inlined=True)
    if is_float:
        return r.convert("fptrunc", "float"), n.convert("trunc", "i32")
    return r, n


def _reduced(x: SsaValue, r: SsaValue, n: SsaValue) -> list[SsaValue]:
    """`(r, n)`, which are replaced where x is far away; nothing is done for it where none is."""
    b, far = x.builder, magnitude(x) >= FAR
    kept = [(value, b.local(value.type)) for value in (r, n)]
    for value, place in kept:
        b.store(value, place)
    with b.when(far.any()):
        found = b.out_of_line(f"reduce_far.{x.type.mangled}", _reduce_far, x)
        for (value, place), better in zip(kept, found, strict=True):
            b.store(far.select(better, value), place)
    return [b.load(value.type, place) for value, place in kept]


def _reduce_far(x: SsaValue) -> list[SsaValue]:
    """`(r, n)` of doubles that are far away, one after the other."""
    b, name = x.builder, "reduce_far"
    if not x.type.lanes:
        return b.out_of_line(f"{name}.one", _payne_hanek, x)
    kinds = ("double", "double", "i64")
    given, *made = [b.array(element, x.type.lanes) for element in kinds]
    b.store(x, given)
    with b.loop(b.index(0), b.index(x.type.lanes)) as loop:
        at = [
            b.address(base, loop.index, element)
            for base, element in zip((given, *made), kinds, strict=True)
        ]
        for value, place in zip(
            b.out_of_line(f"{name}.one", _payne_hanek, b.load(F64, at[0])), at[1:], strict=True
        ):
            b.store(value, place)
    return [b.load(x.type.of(element), base) for base, element in zip(made, kinds[1:], strict=True)]


def _payne_hanek(x: SsaValue) -> list[SsaValue]:
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
    r = (magnitude(x) < INF).select(r, NAN)
    negative = bits < 0
    return [negative.select(-r, r), negative.select(-n, n)]


def _window(table: SsaValue, first: SsaValue) -> list[SsaValue]:
    """Three words of the table's bits from a place on."""
    b = table.builder
    word, shift = first.lshr(6), first & 63
    words = [b.load(I64, b.address(table, word + n, "i64")) for n in range(4)]
    return [_shifted_left(*pair, shift) for pair in itertools.pairwise(words)]


def _shifted_left(word: SsaValue, following: SsaValue, count: SsaValue) -> SsaValue:
    """A word moved to the left by up to 63 bits, which come in from the following one."""
    return (word << count) | following.lshr(1).lshr(63 - count)


def _high_product(x: SsaValue, y: SsaValue) -> SsaValue:
    """The upper 64 bits of a product of unsigned numbers."""
    wide = x.convert("zext", "i128") * y.convert("zext", "i128")
    return wide.lshr(64).convert("trunc", "i64")


def _times_half_pi(upper: SsaValue, lower: SsaValue) -> SsaValue:
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


def sin_cos_reduced(r: SsaValue) -> tuple[SsaValue, SsaValue]:
    """`(sin r, cos r)` for |r| <= pi / 4."""
    z = r * r
    sine = odd_polynomial(r, z, polynomials.SIN)
    return sine, z.fma(z.fma(polynomial(z, polynomials.COS), -0.5), 1)


def _sin_cos(x: SsaValue) -> tuple[SsaValue, SsaValue, SsaValue]:
    """`(sin r, cos r, n)` of the reduced argument."""
    r, n = _reduce_trigonometric(x)
    return *sin_cos_reduced(r), n


def _odd(n: SsaValue) -> SsaValue:
    return (n & 1).equals(1)


def _sin_quarters(x: SsaValue, quarters: int) -> SsaValue:
    """`sin(x + quarters * pi / 2)`."""
    sine, cosine, n = _sin_cos(x)
    n = n + quarters
    return flip_sign(_odd(n).select(cosine, sine), n.lshr(1))


@elementary(single=1.75, double=1.75)
def sin(x: SsaValue) -> SsaValue:
    """Sine; NaN of what is not finite."""
    return keep_tiny(x, _sin_quarters(x, 0))


@elementary(single=1.75, double=1.75)
def cos(x: SsaValue) -> SsaValue:
    """Cosine; NaN of what is not finite."""
    return _sin_quarters(x, 1)


@elementary(single=3.25, double=3.25)
def tan(x: SsaValue) -> SsaValue:
    """Tangent; NaN of what is not finite."""
    sine, cosine, n = _sin_cos(x)
    odd = _odd(n)
    y = odd.select(cosine, sine) / odd.select(-sine, cosine)
    return keep_tiny(x, y)


def _half_pi_minus(x: SsaValue) -> SsaValue:
    high, low, *_ = format_of(x).pick(polynomials.HALF_PI)
    return high - (x - low)


@elementary(single=1.5, double=1.75)
def atan(x: SsaValue) -> SsaValue:
    """Arc tangent."""
    a = magnitude(x)
    large = a > 1
    t = large.select(1 / a, a)
    y = odd_polynomial(t, t * t, polynomials.ATAN)
    return large.select(_half_pi_minus(y), y).math("copysign", x)


def _asin_reduced(a: SsaValue) -> tuple[SsaValue, SsaValue]:
    """`(y, large)`: asin(a) is y, and pi / 2 - 2 y where a > 1/2 is large; a >= 0."""
    large = a > 0.5
    z = large.select((1 - a) * 0.5, a * a)
    s = large.select(z.math("sqrt"), a)
    return odd_polynomial(s, z, polynomials.ASIN), large


@elementary(single=2.5, double=2.25)
def asin(x: SsaValue) -> SsaValue:
    """Arc sine."""
    y, large = _asin_reduced(magnitude(x))
    return large.select(_half_pi_minus(y + y), y).math("copysign", x)


@elementary(single=1.25, double=1.25)
def acos(x: SsaValue) -> SsaValue:
    """Arc cosine."""
    y, large = _asin_reduced(magnitude(x))
    outer = (x < 0).select(_half_pi_minus(y), y)
    return large.select(outer + outer, _half_pi_minus(y.math("copysign", x)))


@elementary(single=2.0, double=2.0)
def atan2(y: SsaValue, x: SsaValue) -> SsaValue:
    """The angle of the point (x, y): the arc tangent of a quotient up to 1, from the nearest axis.

    That axis is at 0, pi / 2 or pi, and the angle goes away from it or back.
    """
    a, b = magnitude(y), magnitude(x)
    low, high = a.math("minimum", b), a.math("maximum", b)
    q = low.equals(INF).select(x.builder.like(x, 1), high.equals(0).select(low, low / high))
    r = odd_polynomial(q, q * q, polynomials.ATAN)
    steep, left = a > b, x.bitcast(format_of(x).integer) < 0
    axis, rest = (
        steep.select(x.builder.like(x, part), left.select(x.builder.like(x, 2 * part), 0))
        for part in format_of(x).pick(polynomials.HALF_PI)[:2]
    )
    return (axis + ((steep ^ left).select(-r, r) + rest)).math("copysign", y)
