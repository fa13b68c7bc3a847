"""Conditions on tensors under their own names: composites of `Assert`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.base.errors import InvalidArgumentError, ShapeError
from thalweg.base.shapes import show
from thalweg.graph import Operation, Tensor
from thalweg.ops.arrays.shape import rank as rank_of
from thalweg.ops.build import INDEX, constant_value, convert, convert_pair, scope
from thalweg.ops.control.control import no_op
from thalweg.ops.elementwise.comparison import equal, greater, greater_equal, less, less_equal
from thalweg.ops.host.assertion import Assert_
from thalweg.ops.host.values import summary
from thalweg.ops.reduction.reduce import reduce_all

__all__ = [
    "assert_equal",
    "assert_greater",
    "assert_greater_equal",
    "assert_less",
    "assert_less_equal",
    "assert_negative",
    "assert_non_negative",
    "assert_non_positive",
    "assert_positive",
    "assert_rank",
    "assert_rank_at_least",
]

Data = Sequence[Any] | None
Comparison = Callable[[Any, Any], Tensor]

# What the signs mean: for tensors, and for what is known already.
_COMPARISONS: dict[str, tuple[Comparison, Callable[..., Any]]] = {
    "==": (equal, np.equal),
    "<": (less, np.less),
    "<=": (less_equal, np.less_equal),
    ">": (greater, np.greater),
    ">=": (greater_equal, np.greater_equal),
}


def _assert_all(
    what: str,
    condition: str,
    operands: tuple[Any, Any],
    data: Data,
    summarize: int | None,
    message: str | None,
    name: str | None,
) -> Operation:
    """An operation that fails unless a condition such as `x < y` holds for all elements."""
    with scope(name, what, *operands) as full:
        x, y = convert_pair(*operands, what)
        _, sign, other = condition.split()
        compare, compare_arrays = _COMPARISONS[sign]
        title = f"Condition {condition} did not hold element-wise:"
        values = constant_value(x), constant_value(y)
        if all(v is not None for v in values) and not np.all(compare_arrays(*values)):
            raise InvalidArgumentError(" ".join(filter(None, [message, title, _known(*values)])))
        shown = [message or "", title, f"x ({x.name}) =", x]
        shown += [f"y ({y.name}) =", y] if other == "y" else []
        chosen = shown if data is None else data
        return Assert_(reduce_all(compare(x, y)), chosen, summarize, name=full)


def _known(x: Any, y: Any) -> str:
    return f"x is {summary(x)}, y is {summary(y)}"


def _assert_rank(
    sign: str,
    x: Any,
    rank: Any,
    data: Data,
    summarize: int | None,
    message: str | None,
    name: str | None,
) -> Operation:
    """An operation that fails unless the rank compares in a way; an error if it never can."""
    what = "assert_rank" if sign == "==" else "assert_rank_at_least"
    with scope(name, what, x, rank) as full:
        tensor, wanted = convert(x), convert(rank, hint=INDEX)
        compare, compare_arrays = _COMPARISONS[sign]
        text = "must have rank" if sign == "==" else "must have at least rank"
        shape, number = tensor.static_shape, constant_value(wanted)
        if shape is not None and number is not None:
            if not compare_arrays(len(shape), number):
                problem = f"x {text} {int(number)}, but it is {show(shape)}"
                raise ShapeError(" ".join(filter(None, [message, problem])))
            return no_op(full)
        found = rank_of(tensor)
        shown = [message or "", f"Tensor {tensor.name} {text}", wanted, "Received rank:", found]
        chosen = shown if data is None else data
        return Assert_(compare(found, wanted), chosen, summarize, name=full)


# -- the public functions


def assert_equal(
    x: Any,
    y: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x == y` holds for all elements.

    Args:
        x: numbers or strings.
        y: the same, of a shape that broadcasts with that of x.
        data: what an error shows in place of x and y.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x and y are constants for which it does not hold; in a run, if it
            does not hold then.
    """
    return _assert_all("assert_equal", "x == y", (x, y), data, summarize, message, name)


def assert_less(
    x: Any,
    y: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x < y` holds for all elements.

    Args:
        x: numbers.
        y: the same, of a shape that broadcasts with that of x.
        data: what an error shows in place of x and y.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x and y are constants for which it does not hold; in a run, if it
            does not hold then.
    """
    return _assert_all("assert_less", "x < y", (x, y), data, summarize, message, name)


def assert_less_equal(
    x: Any,
    y: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x <= y` holds for all elements.

    Args:
        x: numbers.
        y: the same, of a shape that broadcasts with that of x.
        data: what an error shows in place of x and y.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x and y are constants for which it does not hold; in a run, if it
            does not hold then.
    """
    return _assert_all("assert_less_equal", "x <= y", (x, y), data, summarize, message, name)


def assert_greater(
    x: Any,
    y: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x > y` holds for all elements.

    Args:
        x: numbers.
        y: the same, of a shape that broadcasts with that of x.
        data: what an error shows in place of x and y.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x and y are constants for which it does not hold; in a run, if it
            does not hold then.
    """
    return _assert_all("assert_greater", "x > y", (x, y), data, summarize, message, name)


def assert_greater_equal(
    x: Any,
    y: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x >= y` holds for all elements.

    Args:
        x: numbers.
        y: the same, of a shape that broadcasts with that of x.
        data: what an error shows in place of x and y.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x and y are constants for which it does not hold; in a run, if it
            does not hold then.
    """
    return _assert_all("assert_greater_equal", "x >= y", (x, y), data, summarize, message, name)


def assert_positive(
    x: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x > 0` holds for all elements.

    Args:
        x: numbers.
        data: what an error shows in place of x.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x is a constant for which it does not hold; in a run, if it does
            not hold then.
    """
    return _assert_all("assert_positive", "x > 0", (x, 0), data, summarize, message, name)


def assert_negative(
    x: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x < 0` holds for all elements.

    Args:
        x: numbers.
        data: what an error shows in place of x.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x is a constant for which it does not hold; in a run, if it does
            not hold then.
    """
    return _assert_all("assert_negative", "x < 0", (x, 0), data, summarize, message, name)


def assert_non_negative(
    x: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x >= 0` holds for all elements.

    Args:
        x: numbers.
        data: what an error shows in place of x.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x is a constant for which it does not hold; in a run, if it does
            not hold then.
    """
    return _assert_all("assert_non_negative", "x >= 0", (x, 0), data, summarize, message, name)


def assert_non_positive(
    x: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless `x <= 0` holds for all elements.

    Args:
        x: numbers.
        data: what an error shows in place of x.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        InvalidArgumentError: if x is a constant for which it does not hold; in a run, if it does
            not hold then.
    """
    return _assert_all("assert_non_positive", "x <= 0", (x, 0), data, summarize, message, name)


def assert_rank(
    x: Any,
    rank: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless a tensor has a certain rank.

    Args:
        x: a tensor.
        rank: an integer, or a scalar tensor.
        data: what an error shows in place of x.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        ShapeError: if the ranks are known when the graph is built, and do not fit.
        InvalidArgumentError: in a run, if they do not fit then.
    """
    return _assert_rank("==", x, rank, data, summarize, message, name)


def assert_rank_at_least(
    x: Any,
    rank: Any,
    data: Data = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Operation:
    """An operation that fails unless a tensor has a certain rank or more.

    Args:
        x: a tensor.
        rank: an integer, or a scalar tensor.
        data: what an error shows in place of x.
        summarize: how many elements of each tensor it shows; 3 by default, all if it is -1.
        message: what it says first.
        name: of the operation.

    Raises:
        ShapeError: if the ranks are known when the graph is built, and do not fit.
        InvalidArgumentError: in a run, if they do not fit then.
    """
    return _assert_rank(">=", x, rank, data, summarize, message, name)
