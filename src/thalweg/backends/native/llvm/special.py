"""Special functions of mathematics as branch-free IR; see `elementary`.

Those of the gamma family are computed in double for floats, too. Where they cancel, on both sides
of their zeros below 0, the bounds are in units of the numbers that cancel.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from thalweg.backends.native.llvm import polynomials
from thalweg.backends.native.llvm.elementary import (
    INF,
    NAN,
    clamp,
    elementary,
    format_of,
    magnitude,
    polynomial,
    polynomial_by_square,
)
from thalweg.backends.native.llvm.ssa import SsaValue
from thalweg.backends.native.llvm.trigonometry import sin_cos_reduced
from thalweg.backends.native.llvm.vector_math import (
    expm1_over,
    expm1_reduced,
    log,
    reduce_exp,
    scale,
)


@elementary(single=1.9, double=1.9)
def erf(x: SsaValue) -> SsaValue:
    """Error function, as -expm1(log(erfc |x|)): that logarithm is smooth, hence one polynomial."""
    end = 4.0 if format_of(x).element == "float" else 6.0
    t = magnitude(x).math("minimum", end)
    w = t.fma(polynomial_by_square(t, polynomials.ERF), t)
    return expm1_over(-w, 0).math("copysign", x)


@elementary(single=4.5, double=4.5)
def erfc(x: SsaValue) -> SsaValue:
    """1 - erf(x), as e^-x^2 p / (1 + 2 |x|) with p nearly 1; x^2 counts with what rounding loses.

    (Shepherd and Laframboise, Chebyshev Approximation of (1 + 2x) exp(x^2) erfc(x), Mathematics of
    Computation 36, 1981.)
    """
    f = format_of(x)
    t = magnitude(x).math("minimum", 10.5 if f.element == "float" else 28.0)
    p = polynomial((t - 2) / (t + 2), polynomials.ERFC) / t.fma(2, 1)
    square = t * t
    lost = t.fma(t, -square)
    r, shifted = reduce_exp(clamp(-square, *f.exp_range))
    y = scale((expm1_reduced(r - lost) + 1) * p, shifted)
    return (x < 0).select(2 - y, y)


# -- the gamma family


def _in_double(emit: Callable[[SsaValue], SsaValue]) -> Callable[[SsaValue], SsaValue]:
    """The function, computed in double for floats."""

    def widened(x: SsaValue) -> SsaValue:
        if format_of(x).element == "double":
            return emit(x)
        return emit(x.convert("fpext", "double")).convert("fptrunc", "float")

    widened.__name__, widened.__doc__ = emit.__name__, emit.__doc__
    return widened


def _sin_cos_pi(a: SsaValue) -> tuple[SsaValue, SsaValue, SsaValue]:
    """`(|sin(pi a)|, |cos(pi a)|, f)` with f the distance from the nearest integer, signed."""
    f = a - a.math("roundeven")
    g = magnitude(f)
    near = g <= 0.25
    sine, cosine = sin_cos_reduced(near.select(g, 0.5 - g) * math.pi)
    return near.select(sine, cosine), near.select(cosine, sine), f


def _choose_polynomial(
    first: SsaValue, s: SsaValue, tables: tuple[polynomials.Table, ...]
) -> SsaValue:
    """The first of two polynomials of one degree where the condition holds, else the second."""
    *rest, last = zip(*(table.double for table in tables), strict=True)
    b = s.builder

    def coefficient(pair: tuple[float, ...]) -> SsaValue:
        return first.select(b.like(s, pair[0]), pair[1])

    result = coefficient(last)
    for pair in reversed(rest):
        result = result.fma(s, coefficient(pair))
    return result


def _lgamma_small(a: SsaValue, log_a: SsaValue) -> SsaValue:
    """`lgamma(a)` below 3: by the zeros at 1 and 2, and by lgamma(1 + a) where a is small."""
    low = a < 0.7
    y = low.select(a + 1, a)
    first = y < 1.5
    s = first.select(y - 1, y - 2)
    tables = polynomials.LGAMMA_NEAR_1, polynomials.LGAMMA_NEAR_2
    return s * _choose_polynomial(first, s, tables) + low.select(-log_a, 0.0)


def _lgamma_large(a: SsaValue, log_a: SsaValue) -> SsaValue:
    """`lgamma(a)` from 3 on: Stirling's series, whose rest is a polynomial."""
    z = 1 / a
    rest = z.fma(polynomial(z * z, polynomials.LGAMMA_TAIL), (math.log(2 * math.pi) - 1) / 2)
    return (a - 0.5).fma(log_a - 1, rest)


@elementary(single=0.75, double=6.0)
@_in_double
def lgamma(x: SsaValue) -> SsaValue:
    """Log |gamma(x)|; below 0 by reflection, log(pi / (|x| sin(pi |x|))) - lgamma |x|."""
    a = magnitude(x)
    log_a = log(a)
    y = (a < 3).select(_lgamma_small(a, log_a), _lgamma_large(a, log_a))
    sine, _, _ = _sin_cos_pi(a)
    reflected = -log(sine / math.pi) - log_a - y
    pole = (x < 0) & sine.equals(0)
    return (pole | a.equals(INF)).select(x.builder.like(x, INF), (x < 0).select(reflected, y))


@elementary(single=0.75, double=6.0)
@_in_double
def digamma(x: SsaValue) -> SsaValue:
    """The derivative of lgamma; below 0, digamma |x| + 1 / |x| + pi cot(pi |x|).

    NaN at the negative integers, and an infinity at 0.
    """
    a = magnitude(x)
    low, high = a < 1, a >= 2
    y = low.select(a + 1, high.select(a - 1, a))  # in [1, 2), for a below 3
    root, rest = polynomials.DIGAMMA_ROOT.double
    near = ((y - root) - rest) * polynomial(y - 1.5, polynomials.DIGAMMA)
    small = near + high.select(1 / y, 0.0)
    z = 1 / a
    large = log(a) - z * z.fma(polynomial(z * z, polynomials.DIGAMMA_TAIL), 0.5)
    positive = (a < 3).select(small, large)  # of 1 + a, where a is below 1
    sine, cosine, f = _sin_cos_pi(a)
    cotangent = f.equals(0).select(x.builder.like(x, NAN), (cosine / sine).math("copysign", f))
    reflected = positive + (~low).select(z, 0.0) + cotangent * math.pi
    return (x < 0).select(reflected, positive - low.select(1 / x, 0.0))


@elementary(single=0.75, double=6.0)
@_in_double
def trigamma(x: SsaValue) -> SsaValue:
    """The derivative of digamma; by reflection below 0, where (pi / sin(pi x))^2 is the sum."""
    a = magnitude(x)
    low = a < 3
    z = 1 / low.select(a + 3, a)
    tail = z.fma(z.fma(polynomial(z * z, polynomials.TRIGAMMA_TAIL), 0.5), 1) * z
    first, second, third = (_inverse_square(a + n) for n in range(3))
    above = tail + low.select(second + third, 0.0)
    sine, _, _ = _sin_cos_pi(a)
    pole = math.pi / sine
    reflected = pole * pole - (above - (~low).select(first, 0.0))
    return (x < 0).select(reflected, above + low.select(first, 0.0))


def _inverse_square(x: SsaValue) -> SsaValue:
    y = 1 / x
    return y * y
