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

from thalweg.backends.native.llvm import exponentials, trigonometry

FUNCTIONS = {**exponentials.elementary.functions, **trigonometry.elementary.functions}
BOUNDS = {**exponentials.elementary.bounds, **trigonometry.elementary.bounds}
