"""The gamma family of Python's floats, which neither Python nor NumPy has in full."""

from __future__ import annotations

import math

_FROM = 10  # where the series are as good as a float
# Bernoulli's numbers B2, B4 and so on.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def lgamma(x: float) -> float:
    """The logarithm of |gamma(x)|; infinity where gamma has a pole, or if it is too large."""
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


def digamma(x: float) -> float:
    """The derivative of lgamma: NaN at the negative integers, an infinity at 0.

    Its error is some 1e-15, absolute where it is below 1. (Abramowitz and Stegun, 6.3.)
    """
    if x == 0:
        return math.copysign(math.inf, -x)
    if x == -math.inf or (x < 0 and x.is_integer()):
        return math.nan
    if x < 0:
        return digamma(1 - x) - math.pi / math.tan(math.pi * (x - round(x)))
    if not math.isfinite(x):
        return x
    steps = max(0, math.ceil(_FROM - x))
    y = x + steps
    z = 1 / y / y
    series = [-b / (2 * n) * z**n for n, b in enumerate(_BERNOULLI, 1)]
    return math.fsum([math.log(y), -0.5 / y, *series, *(-1 / (x + n) for n in range(steps))])


def trigamma(x: float) -> float:
    """The derivative of digamma: infinity where gamma has a pole.

    (Abramowitz and Stegun, 6.4.)
    """
    if x in (0, math.inf) or (x < 0 and x.is_integer()):
        return math.inf if x < 1 else 0.0
    if not math.isfinite(x):
        return math.nan
    if x < 0:
        pole = math.pi / math.sin(math.pi * (x - round(x)))
        return pole * pole - trigamma(1 - x)
    steps = max(0, math.ceil(_FROM - x))
    y = x + steps
    z = 1 / y / y
    series = [b / y * z**n for n, b in enumerate(_BERNOULLI, 1)]
    parts = (1 / (x + n) / (x + n) for n in range(steps))
    return math.fsum([1 / y, z / 2, *series, *parts])
