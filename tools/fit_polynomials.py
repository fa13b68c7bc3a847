"""Fit the polynomials of `elementary` functions and print them as a Python module.

    python tools/fit_polynomials.py > src/thalweg/backends/native/llvm/polynomials.py

Each is the minimax polynomial of its kernel under the weight that turns its error into the relative
error of the function computed, found by Remez's exchange algorithm (Remez 1934; Muller, Elementary
Functions, 3rd ed., chapter 3) at 60 digits, and then rounded to the format it is used in.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from mpmath import mp, mpf

mp.dps = 60

Function = Callable[[mpf], mpf]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """A kernel to be fitted: per format (float, double) an interval and a degree, -1 for none."""

    name: str
    meaning: str
    kernel: Function
    weight: Function
    intervals: tuple[Pair, Pair]
    degrees: tuple[int, int]


def in_square(odd: Function) -> Function:
    """`z -> odd(sqrt z)`: kernels of odd and even functions are polynomials in the square."""
    return lambda z: odd(mp.sqrt(z))


def log_erfc(t: mpf) -> mpf:
    return mp.log(mp.erfc(t))


def scaled_erfc(v: mpf) -> mpf:
    """`(1 + 2 t) exp(t^2) erfc(t)` of `v = (t - 2) / (t + 2)`: nearly 1, up to infinity."""
    t = 2 * (1 + v) / (1 - v)
    return (1 + 2 * t) * mp.exp(t * t) * mp.erfc(t)


def lgamma_over(zero: int) -> Function:
    """`s -> lgamma(zero + s) / s`; lgamma is 0 at 1 and 2."""
    return lambda s: mp.loggamma(zero + s).real / s if s else mp.digamma(zero)


DIGAMMA_ROOT = mp.findroot(mp.digamma, 1.46)


def digamma_over(s: mpf) -> mpf:
    """`digamma(3/2 + s)` over the distance from its root."""
    return mp.digamma(1.5 + s) / (1.5 + s - DIGAMMA_ROOT)


def in_inverse_square(rest: Function) -> Function:
    """`z -> rest(1 / sqrt z)`: what is left of an asymptotic series."""
    return lambda z: rest(1 / mp.sqrt(z))


def inverse(function: Function) -> Function:
    return lambda x: 1 / function(x)


HALF_LN2 = 0.3470  # ln 2 / 2, and a little for the rounding of the multiple of ln 2
WORDS = 20  # the last bit that a product needs is that of 2^-1211
QUARTER_PI = 0.79  # pi / 4, likewise
ROOT_HALF = (float(mp.sqrt(0.5)) - 1, float(mp.sqrt(2)) - 1)
NINTH = (0.0, 1 / 9)  # the inverse squares of what is at least 3
ERF_ENDS = (4.0, 6.0)  # erf rounds to 1 from 3.92 and 5.92 on

FITS = [
    Fit(
        "EXP",
        "expm1(r) = r + r^2 p(r)",
        lambda r: (mp.expm1(r) - r) / r**2,
        lambda r: r**2 / mp.expm1(r),
        ((-HALF_LN2, HALF_LN2),) * 2,
        (5, 10),
    ),
    Fit(
        "LOG",
        "log1p(f) = f - f^2 / 2 + f^3 p(f)",
        lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3,
        lambda f: f**3 / mp.log1p(f),
        (ROOT_HALF,) * 2,
        (7, 19),
    ),
    Fit(
        "LOG_TAIL",
        "2 atanh(s) = 2 s + 2/3 s^3 + s^5 p(s^2)",
        in_square(lambda s: (2 * mp.atanh(s) - 2 * s - 2 * s**3 / 3) / s**5),
        in_square(lambda s: s**5 / (2 * mp.atanh(s))),
        ((0, 0.02945),) * 2,
        (-1, 6),
    ),
    Fit(
        "SIN",
        "sin(r) = r + r^3 p(r^2)",
        in_square(lambda r: (mp.sin(r) - r) / r**3),
        in_square(lambda r: r**3 / mp.sin(r)),
        ((0, QUARTER_PI**2),) * 2,
        (2, 6),
    ),
    Fit(
        "COS",
        "cos(r) = 1 - r^2 / 2 + r^4 p(r^2)",
        in_square(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4),
        in_square(lambda r: r**4 / mp.cos(r)),
        ((0, QUARTER_PI**2),) * 2,
        (2, 5),
    ),
    Fit(
        "ERF",
        "-log(erfc(t)) = t + t p(t), the error being that of erf",
        lambda t: -log_erfc(t) / t - 1,
        lambda t: t * mp.erfc(t) / mp.erf(t),
        ((0, ERF_ENDS[0]), (0, ERF_ENDS[1])),
        (9, 24),
    ),
    Fit(
        "ERFC",
        "(1 + 2 t) exp(t^2) erfc(t) = p((t - 2) / (t + 2))",
        scaled_erfc,
        inverse(scaled_erfc),
        ((-1, 0.68), (-1, 0.87)),  # up to t = 10.5 and 28, where erfc is 0
        (11, 24),
    ),
    Fit(
        "LGAMMA_NEAR_1",
        "lgamma(1 + s) = s p(s)",
        lgamma_over(1),
        inverse(lgamma_over(1)),
        ((-0.3, 0.5),) * 2,
        (-1, 22),
    ),
    Fit(
        "LGAMMA_NEAR_2",
        "lgamma(2 + s) = s p(s)",
        lgamma_over(2),
        inverse(lgamma_over(2)),
        ((-0.5, 1),) * 2,
        (-1, 22),
    ),
    Fit(
        "LGAMMA_TAIL",
        "lgamma(x) = (x - 1/2) (log x - 1) + log(2 pi) / 2 - 1/2 + p(1 / x^2) / x",
        in_inverse_square(
            lambda x: x * (mp.loggamma(x) - (x - 0.5) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)
        ),
        lambda z: mpf(1),
        (NINTH,) * 2,
        (-1, 10),
    ),
    Fit(
        "DIGAMMA",
        "digamma(3/2 + s) = (3/2 + s - root) p(s)",
        digamma_over,
        inverse(digamma_over),
        ((-0.5, 0.5),) * 2,
        (-1, 22),
    ),
    Fit(
        "DIGAMMA_TAIL",
        "digamma(x) = log x - 1 / (2 x) - p(1 / x^2) / x^2",
        in_inverse_square(lambda x: x**2 * (mp.log(x) - 1 / (2 * x) - mp.digamma(x))),
        lambda z: mpf(1),
        (NINTH,) * 2,
        (-1, 10),
    ),
    Fit(
        "TRIGAMMA_TAIL",
        "trigamma(x) = 1 / x + 1 / (2 x^2) + p(1 / x^2) / x^3",
        in_inverse_square(lambda x: x**3 * (mp.psi(1, x) - 1 / x - 1 / (2 * x**2))),
        lambda z: mpf(1),
        (NINTH,) * 2,
        (-1, 11),
    ),
    Fit(
        "ATAN",
        "atan(t) = t + t^3 p(t^2)",
        in_square(lambda t: (mp.atan(t) - t) / t**3),
        in_square(lambda t: t**3 / mp.atan(t)),
        ((0, 1),) * 2,
        (8, 20),
    ),
    Fit(
        "ASIN",
        "asin(s) = s + s^3 p(s^2)",
        in_square(lambda s: (mp.asin(s) - s) / s**3),
        in_square(lambda s: s**3 / mp.asin(s)),
        ((0, 0.25),) * 2,
        (5, 12),
    ),
]


def remez(fit: Fit, interval: Pair, degree: int) -> tuple[list[mpf], mpf]:
    """Coefficients, lowest first, and the greatest weighted error on the interval."""
    low, high = map(mpf, interval)
    middle, half = (low + high) / 2, (high - low) / 2
    size = 40 * (degree + 2)
    grid = [middle - half * mp.cos(mp.pi * (k + 0.5) / size) for k in range(size)]
    values = [fit.kernel(x) for x in grid]
    weights = [abs(fit.weight(x)) for x in grid]
    chosen = [round((k + 0.5) * size / (degree + 2)) for k in range(degree + 2)]
    while True:
        rows = [
            [*(grid[i] ** j for j in range(degree + 1)), (-1) ** k / weights[i]]
            for k, i in enumerate(chosen)
        ]
        *coefficients, levelled = mp.lu_solve(
            mp.matrix(rows), mp.matrix([values[i] for i in chosen])
        )
        errors = [
            w * (v - mp.polyval(coefficients[::-1], x))
            for x, v, w in zip(grid, values, weights, strict=True)
        ]
        worst = max(map(abs, errors))
        if worst <= abs(levelled) * mpf("1.001"):
            return coefficients, worst
        chosen = extrema(errors, degree + 2)


def extrema(errors: list[mpf], count: int) -> list[int]:
    """The indices of `count` alternating extrema: the worst of each run of one sign."""
    runs: list[list[int]] = []
    for i, error in enumerate(errors):
        if runs and (error > 0) == (errors[runs[-1][0]] > 0):
            runs[-1].append(i)
        else:
            runs.append([i])
    peaks = [max(run, key=lambda i: abs(errors[i])) for run in runs]
    while len(peaks) > count:
        del peaks[0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1]
    if len(peaks) < count:
        raise ArithmeticError(f"only {len(peaks)} of {count} extrema: the error is not alternating")
    return peaks


def single(x: mpf) -> float:
    """The nearest number of float's format."""
    return float(struct.unpack("f", struct.pack("f", float(x)))[0])


def spelled(x: mpf, double: bool) -> str:
    """A literal that reads back to the same number of the format."""
    if double:
        return repr(float(x))
    return next(s for d in range(6, 18) if single(mpf(s := f"{single(x):.{d}g}")) == single(x))


def parts(x: mpf, bits: list[int], double: bool) -> list[str]:
    """`x` as a sum of numbers, the first of them truncated to so many bits, the last rounded."""
    out = []
    for width in bits:
        scale = mpf(2) ** (width - 1 - mp.floor(mp.log(abs(x), 2)))
        head = mp.nint(x * scale) / scale
        out.append(spelled(head, double))
        x -= head
    return [*out, spelled(x, double)]


def table(name: str, comment: list[str], rows: tuple[list[str], list[str]]) -> None:
    print()
    for line in comment:
        print(f"# {line}")
    print(f"{name} = Table(")
    for field, numbers in zip(("single", "double"), rows, strict=True):
        if not numbers:
            print(f"    {field}=(),")
            continue
        print(f"    {field}=(")
        for number in numbers:
            print(f"        {number},")
        print("    ),")
    print(")")


def two_over_pi() -> None:
    print("\n# The bits of 2 / pi behind 64 zeros, in words, as many as the largest double needs")
    print("TWO_OVER_PI = (")
    bits = 64 * (WORDS - 1)
    with mp.workprec(bits + 64):
        number = int(mp.floor(mp.ldexp(2 / mp.pi, bits)))
    for place in reversed(range(WORDS)):
        print(f"    0x{number >> 64 * place & 0xFFFFFFFFFFFFFFFF:016X},")
    print(")")


def print_fit(fit: Fit) -> None:
    rows: list[list[str]] = []
    comment = [fit.meaning]
    for double in (False, True):
        degree, interval = fit.degrees[double], fit.intervals[double]
        if degree < 0:
            rows.append([])
            continue
        coefficients, error = remez(fit, interval, degree)
        rows.append([spelled(c, double) for c in coefficients])
        name = "double" if double else "single"
        where = f"[{interval[0]:.6g}, {interval[1]:.6g}]"
        comment.append(f"{name}: on {where}, relative error 2^{float(mp.log(error, 2)):.1f}")
    table(fit.name, comment, (rows[0], rows[1]))


HEADER = '''"""Coefficients of the elementary polynomials, lowest power first; split constants.

Written by tools/fit_polynomials.py, which says how; change that and not this.
"""

from __future__ import annotations

from typing import NamedTuple


class Table(NamedTuple):
    """Numbers for the two formats."""

    single: tuple[float, ...]
    double: tuple[float, ...]
'''


def main() -> None:
    """Print the module."""
    print(HEADER)
    split = ["a sum of two; a multiple of the first by an exponent is exact"]
    ln2 = mp.log(2)
    table("LN2", [f"ln 2 as {split[0]}"], (parts(ln2, [15], False), parts(ln2, [41], True)))
    half_pi = mp.pi / 2
    table(
        "HALF_PI",
        ["pi / 2 as a sum of numbers of the format"],
        (parts(half_pi, [24], False), parts(half_pi, [53, 53], True)),
    )
    two_over_pi()
    table("TWO_THIRDS", ["2 / 3 likewise"], ([], parts(mpf(2) / 3, [53], True)))
    root = ["the root of digamma, as a sum of two"]
    table("DIGAMMA_ROOT", root, ([], parts(DIGAMMA_ROOT, [53], True)))
    for fit in FITS:
        print_fit(fit)


if __name__ == "__main__":
    main()
