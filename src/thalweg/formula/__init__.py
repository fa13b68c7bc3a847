"""Formulas: what an operation computes, written over index variables.

    matmul:  y[m, n] = sum over k of a[m, k] * b[k, n]

A formula has output axes and a body. The body is an expression tree over reads of the operands,
whose indices are affine in the axes (or, for gathers, read from an operand too). The style is that
of Halide (Ragan-Kelley et al. 2013) and TVM's tensor expressions (Chen et al. 2018).

    gather:  y[i, d]     = x[r[i], d]
    scatter: y[r[i], d] += x[i, d]
    update:  y[r[i], d]  = x[i, d]       in the memory of y, whose other rows stay as they are

An index that is read must lie inside, whatever the data: a `Check` says so.

    Expr = Const | Read(operand, index) | Position(index) | Apply(function, args)
         | Reduce(combiner, axes, body) | Combination(row, table, terms)
"""

from thalweg.formula.expressions import (
    Apply,
    Combination,
    Const,
    Expr,
    Position,
    Read,
    Reduce,
    apply,
    cast,
    constant,
    expressions,
    inside,
    is_of_indices,
    reduce,
    sum_over,
    walk,
    where,
)
from thalweg.formula.formulas import (
    Alias,
    Check,
    FiniteCheck,
    Formula,
    Lowered,
    Operand,
    Steps,
    pointwise,
)
from thalweg.formula.functions import FUNCTIONS
from thalweg.formula.indices import (
    Affine,
    Axis,
    Index,
    affine,
    axes,
    combination,
    is_identity,
    iterations,
)
from thalweg.formula.rewriting import Replace, Rewrite

__all__ = [
    "FUNCTIONS",
    "Affine",
    "Alias",
    "Apply",
    "Axis",
    "Check",
    "Combination",
    "Const",
    "Expr",
    "FiniteCheck",
    "Formula",
    "Index",
    "Lowered",
    "Operand",
    "Position",
    "Read",
    "Reduce",
    "Replace",
    "Rewrite",
    "Steps",
    "affine",
    "apply",
    "axes",
    "cast",
    "combination",
    "constant",
    "expressions",
    "inside",
    "is_identity",
    "is_of_indices",
    "iterations",
    "pointwise",
    "reduce",
    "sum_over",
    "walk",
    "where",
]
