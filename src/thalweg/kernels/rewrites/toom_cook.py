"""The matrices of minimal filtering: `results` values of a filter with few multiplications.

    y = A' ((G w) * (B' x))        x has results + taps - 1 values, w as many as there are taps

The matrices are those of Toom and Cook (Winograd, Arithmetic Complexity of Computations, 1980; for
networks, Lavin & Gray 2016): polynomials are evaluated at some points, multiplied there, and
interpolated. Larger tiles would save more, but their coefficients grow, and rounding with them. The
points are chosen for small errors (Barabasz et al. 2020): with six of them, the error of a result
is 1.5 to 2.5 times that of the plain sum in float32, in the mean, and 2.5 to 5.5 times for the
gradient by a filter; with four it is no larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache

from thalweg.base.record import Record

Matrix = tuple[tuple[float, ...], ...]

# The points by their number; the last one is infinity. All coefficients for the image are exact.
POINTS = {4: ("0", "1", "-1"), 6: ("0", "3/4", "-3/4", "3/2", "-3/2")}


class Filtering(Record):
    """Matrices such that `A' ((G w) * (B' x))` are `results` values of x filtered with w."""

    a: Matrix
    b: Matrix
    g: Matrix


@cache
def filtering(results: int, taps: int) -> Filtering:
    """Toom and Cook's matrices, transposed as they are used: a is [results, n], b is [n, n].

    With p(z) the product of (z - point), and e its derivative there: a and g evaluate powers of
    the points, g divided by e; b has the coefficients of p(z) / (z - point). The last point is
    infinity, where only the highest power counts, and p itself belongs to it.
    """
    n = results + taps - 1
    points = [Fraction(point) for point in POINTS[n]]
    last = n - 1

    def powers(count: int) -> list[list[Fraction]]:
        rows = [[point**k for k in range(count)] for point in points]
        return [*rows, [Fraction(int(k == count - 1)) for k in range(count)]]

    b = [_coefficients([x for x in points if x != point], n) for point in points]
    b.append(_coefficients(points, n))
    scale = [_product([point - x for x in points if x != point]) for point in points]
    g = [[v / scale[k] if k < last else v for v in row] for k, row in enumerate(powers(taps))]
    a = [list(column) for column in zip(*powers(results), strict=True)]
    return Filtering(*(_floats(matrix) for matrix in (a, b, g)))


def _coefficients(roots: Sequence[Fraction], count: int) -> list[Fraction]:
    """Of the polynomial with these roots, the lowest power first."""
    made = [Fraction(1)]
    for root in roots:
        shifted, scaled = [Fraction(0), *made], [*(-root * c for c in made), Fraction(0)]
        made = [x + y for x, y in zip(shifted, scaled, strict=True)]
    return made + [Fraction(0)] * (count - len(made))


def _product(numbers: Sequence[Fraction]) -> Fraction:
    total = Fraction(1)
    for number in numbers:
        total *= number
    return total


def _floats(matrix: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(tuple(map(float, row)) for row in matrix)
