"""The arithmetic of formulas, counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from thalweg.base.record import Record
from thalweg.base.shapes import size
from thalweg.formula.expressions import Apply, Expr
from thalweg.formula.formulas import Alias, Formula, Lowered, Operand, Steps
from thalweg.formula.functions import FUNCTIONS
from thalweg.formula.indices import iterations

__all__ = ["Arithmetic", "arithmetic", "bytes_read", "flops_of"]


class Arithmetic(Record):
    """Floating-point operations: all of them, and how many of these are multiplications.

    A multiplication and an addition count one each, as does a call of an elementary function.
    """

    flops: int = 0
    multiplications: int = 0

    def __add__(self, other: Arithmetic) -> Arithmetic:
        return Arithmetic(self.flops + other.flops, self.multiplications + other.multiplications)

    def times(self, count: int) -> Arithmetic:
        """That of doing it so often."""
        return Arithmetic(self.flops * count, self.multiplications * count)


def arithmetic(lowered: Lowered) -> Arithmetic:
    """What it takes to compute an output from its formula, padding included."""
    match lowered:
        case Alias():
            return Arithmetic()
        case Steps(before, last):
            formulas = [*[formula for formula, _ in before], last]
            return sum(map(_of_formula, formulas), Arithmetic())
        case Formula():
            return _of_formula(lowered)


def flops_of(exprs: Iterable[Expr]) -> int:
    """Floating-point operations of the functions that are applied, each once."""
    return sum(FUNCTIONS[e.function].flops for e in exprs if isinstance(e, Apply) and _is_float(e))


def bytes_read(lowered: Lowered, operands: Sequence[Operand]) -> int:
    """Bytes of the operands' elements that a formula reads, each counted once."""
    match lowered:
        case Alias():
            return 0
        case Steps(before, last):
            return max(bytes_read(f, operands) for f in (*[f for f, _ in before], last))
    repeats = {id(e): iterations(r.axes) for r in lowered.body.reductions for e in r.body.every}
    points, counts = iterations(lowered.axes), dict[int, int]()
    for read in lowered.body.reads:
        counts[read.source] = counts.get(read.source, 0) + points * repeats.get(id(read), 1)
    sizes = [(size(o.shape), o.dtype.size) for o in operands]
    known = [(count, *sizes[n]) for n, count in counts.items() if n < len(sizes)]
    return sum(min(count, whole) * element for count, whole, element in known)


def _of_formula(formula: Formula) -> Arithmetic:
    """That of all points."""
    return _of_point(formula.body).times(iterations(formula.axes))


def _of_point(expr: Expr) -> Arithmetic:
    """That of one point; what a reduction combines counts once for each of its iterations."""
    inside = {id(e) for r in expr.reductions for e in r.body.every}
    total = _applied([e for e in expr.every if id(e) not in inside])
    for reduce in expr.reductions:
        if id(reduce) not in inside:
            combined = Arithmetic(1, int(reduce.combiner == "prod"))
            total += (_of_point(reduce.body) + combined).times(iterations(reduce.axes))
    return total


def _applied(exprs: Sequence[Expr]) -> Arithmetic:
    products = [e for e in exprs if isinstance(e, Apply) and e.function == "mul" and _is_float(e)]
    return Arithmetic(flops_of(exprs), len(products))


def _is_float(expr: Apply) -> bool:
    return expr.dtype.is_floating or any(a.dtype.is_floating for a in expr.args)
