"""Formulas computed one element at a time in Python: slow, and independent of the compiler."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.formula import (
    FUNCTIONS,
    Affine,
    Apply,
    Axis,
    Const,
    Expr,
    Formula,
    Position,
    Read,
    Reduce,
)

Array = np.ndarray[Any, Any]


def interpret(formula: Formula, inputs: Sequence[Array], dtype: np.dtype[Any]) -> Array:
    """The array that a formula says; what a read index scatters is added up in the axes' order.

    Where the last of it stays instead, nothing may be asked of the other elements, so they are -1.
    """
    result = np.zeros([int(d) for d in formula.shape], dtype)
    written = np.zeros(result.shape, int)
    scatters = any(isinstance(atom, Expr) for at in formula.store for atom, _ in at.terms)
    adds = scatters and not formula.replaces
    if formula.replaces:
        result -= 1
    for point in _points(formula.axes):
        place = tuple(_index(at, point, inputs) for at in formula.store)
        value = _value(formula.body, point, inputs)
        result[place] = result[place] + value if adds else value
        written[place] += 1
    assert scatters or (written == 1).all(), "a formula must write every element once"
    return result


def _points(axes: Iterable[Axis]) -> Iterable[dict[Axis, int]]:
    ordered = list(axes)
    for values in itertools.product(*(range(int(axis.extent)) for axis in ordered)):
        yield dict(zip(ordered, values, strict=True))


def _index(index: Affine, point: Mapping[Axis, int], inputs: Sequence[Array]) -> int:
    total = int(index.constant)
    for atom, factor in index.terms:
        value = point[atom] if isinstance(atom, Axis) else int(_value(atom, point, inputs))
        total += int(factor) * value
    return total


def _value(expr: Expr, point: Mapping[Axis, int], inputs: Sequence[Array]) -> Any:
    """The value as a NumPy scalar of the expression's dtype."""
    kind = expr.dtype.numpy.type
    match expr:
        case Const():
            return kind(expr.value)
        case Position():
            return kind(_index(expr.index, point, inputs))
        case Read():
            place = tuple(_index(at, point, inputs) for at in expr.index)
            shape = inputs[expr.source].shape
            assert len(place) == len(shape), f"{len(place)} indices for {shape}"
            assert all(0 <= p < d for p, d in zip(place, shape, strict=True)), (place, shape)
            return inputs[expr.source][place]
        case Reduce():
            return kind(_reduce(expr, point, inputs))
        case Apply():
            return kind(_apply(expr, point, inputs))
    raise AssertionError(expr)


def _reduce(expr: Reduce, point: Mapping[Axis, int], inputs: Sequence[Array]) -> Any:
    values = [_value(expr.body, {**point, **inner}, inputs) for inner in _points(expr.axes)]
    return COMBINERS[expr.combiner](np.array(values))


def _apply(expr: Apply, point: Mapping[Axis, int], inputs: Sequence[Array]) -> Any:
    if expr.function == "select":  # the branch that is not taken must not be read
        condition, then, other = expr.args
        return _value(then if _value(condition, point, inputs) else other, point, inputs)
    if expr.function in ("and", "or"):
        first = bool(_value(expr.args[0], point, inputs))
        decided = first == (expr.function == "or")
        return first if decided else _value(expr.args[1], point, inputs)
    args = [_value(arg, point, inputs) for arg in expr.args]
    if expr.function == "cast":
        return np.asarray(args[0]).astype(expr.dtype.numpy)[()]
    return FUNCTIONS[expr.function].evaluate(np, *args)


COMBINERS: dict[str, Callable[[Array], Any]] = {
    "sum": np.sum,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "any": np.any,
    "all": np.all,
    "argmax": np.argmax,
    "argmin": np.argmin,
}
