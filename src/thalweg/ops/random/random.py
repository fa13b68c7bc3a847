"""Tensors of random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.base.record import Record
from thalweg.base.shapes import known
from thalweg.graph import Tensor, default_graph
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.arrays.shape import known_dims
from thalweg.ops.build import constant_like, convert, emit
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.conversion import Cast, cast
from thalweg.ops.random.distributions import (
    DISTRIBUTIONS,
    RandomNormal,
    RandomOfShape,
    RandomUniform,
    RandomUniformRest,
    TruncatedNormal,
)
from thalweg.ops.random.philox import Key
from thalweg.ops.random.seeds import make_key, run_counter


def _random(
    kind: str,
    shape: Any,
    dtype: DType,
    seed: int | None,
    name: str | None,
    key: Key | None = None,
) -> Tensor:
    """Standard random numbers; half precision is drawn as float32. A key stands for a seed."""
    drawn = dtypes.float64 if dtype == dtypes.float64 else dtypes.float32
    dims, computed = known_dims(shape)
    if any(extent is not None and extent < 0 for extent in dims or ()):
        raise ShapeError(f"the shape of a random tensor must be known: {shape!r}")
    graph = default_graph() if computed is None else computed.graph
    key, counter = key or make_key(graph, seed), run_counter(graph)
    label = name if drawn == dtype else None
    if computed is None:
        made = emit(DISTRIBUTIONS[kind](known(dims), drawn, key), counter, name=label)
    else:
        made = emit(RandomOfShape(kind, drawn, key, dims), computed, counter, name=label)
    return made if drawn == dtype else emit(Cast(dtype), made, name=name)


def _floating(dtype: Any) -> DType:
    kind = as_dtype(dtype)
    if not kind.is_floating:
        raise DTypeError(f"normally distributed numbers are floating, not {kind}")
    return kind


class _Draw(Record):
    """What a public function asks for: a distribution, and where its numbers go."""

    kind: str
    shape: Any
    dtype: DType
    seed: int | None

    def scaled(self, scale: Any, offset: Any, name: str | None) -> Tensor:
        """`z * scale + offset` without what changes nothing; the last operation has the name."""
        scaling, moving = not _is_number(scale, 1), not _is_number(offset, 0)
        z = _random(
            self.kind, self.shape, self.dtype, self.seed, None if scaling or moving else name
        )
        if scaling:
            z = arithmetic.multiply(z, scale, name=None if moving else name)
        return arithmetic.add(z, offset, name=name) if moving else z


def _is_number(value: Any, number: float) -> bool:
    return isinstance(value, int | float) and value == number


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers.

    Args:
        shape: a list of integers, or an integer tensor.
        mean: a number, or a tensor that broadcasts with the shape.
        stddev: the standard deviation, likewise.
        dtype: a floating type.
        seed: of this operation; see `set_random_seed`.
        name: of the operation.

    Raises:
        DTypeError: if the type is not floating.
        ShapeError: if the shape is not made of non-negative integers.
    """
    kind = _floating(dtype)
    with default_graph().name_scope(name or "random_normal") as scope:
        return _Draw(RandomNormal.type, shape, kind, seed).scaled(stddev, mean, scope)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Normally distributed numbers, none further from the mean than two standard deviations.

    Args:
        shape: a list of integers, or an integer tensor.
        mean: a number, or a tensor that broadcasts with the shape.
        stddev: the standard deviation before truncation, likewise.
        dtype: a floating type.
        seed: of this operation; see `set_random_seed`.
        name: of the operation.

    Raises:
        DTypeError: if the type is not floating.
        ShapeError: if the shape is not made of non-negative integers.
    """
    kind = _floating(dtype)
    with default_graph().name_scope(name or "truncated_normal") as scope:
        return _Draw(TruncatedNormal.type, shape, kind, seed).scaled(stddev, mean, scope)


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Uniformly distributed numbers in `[minval, maxval)`.

    Integers have all their bits drawn, over any range. Floating bounds may be equal, and all
    numbers are then the same.

    Args:
        shape: a list of integers, or an integer tensor.
        minval: the lower bound, a number or a tensor.
        maxval: the upper bound, itself never drawn unless it is the lower one; 1 if not given,
            which integers must be. For all of a type's integers it is one more than the largest.
        dtype: a floating type, or int32 or int64.
        seed: of this operation; see `set_random_seed`.
        name: of the operation.

    Raises:
        DTypeError: if the type is bool.
        InvalidArgumentError: if integers have no upper bound, or one that is not above the lower,
            or bounds are numbers and not the type's. Bounds that are tensors are not compared.
        ShapeError: if the shape is not made of non-negative integers.
    """
    kind = as_dtype(dtype)
    if kind.is_bool:
        raise DTypeError("random numbers cannot be bool; compare random_uniform(...) with 0.5")
    if maxval is None:
        if kind.is_integer:
            raise InvalidArgumentError(f"random_uniform of {kind} needs maxval")
        maxval = 1
    minval, maxval = (b.item() if isinstance(b, np.generic) else b for b in (minval, maxval))
    _check_bounds(minval, maxval, kind)
    with default_graph().name_scope(name or "random_uniform") as scope:
        if kind.is_integer:
            return _uniform_integers(shape, minval, maxval, kind, seed, scope)
        draw = _Draw(RandomUniform.type, shape, kind, seed)
        if _is_number(minval, 0) and _is_number(maxval, 1) and kind.size > 2:
            return draw.scaled(1, 0, scope)
        if not _are_numbers(minval, maxval):
            high, low = convert(maxval, hint=kind), convert(minval, hint=kind)
            drawn = draw.scaled(arithmetic.subtract(high, low), low, None)
            return arithmetic.where(drawn < high, drawn, low + zeros_like(drawn), name=scope)
        # Rounding may reach the upper bound.
        below = _largest_below(maxval, minval, kind)
        return arithmetic.minimum(_between(draw, minval, maxval), below, name=scope)


def _between(draw: _Draw, low: float, high: float) -> Tensor:
    """Numbers from one bound to another, whose difference may be too large for the dtype."""
    with np.errstate(over="ignore"):
        fits = np.isfinite(np.array(high - low, draw.dtype.numpy))
    if fits:
        return draw.scaled(high - low, low, None)
    return draw.scaled(high / 2 - low / 2, low / 2, None) * 2


def _largest_below(maxval: float, minval: float, dtype: DType) -> np.ndarray[Any, Any]:
    """The normal number before the upper bound, unless that is the lower one, too."""
    high, low = np.array(maxval, dtype.numpy), np.array(minval, dtype.numpy)
    below = np.asarray(np.nextafter(high, low))
    least = dtype.smallest_normal
    return np.array(-least, dtype.numpy) if -least < float(below) < 0 else below


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _check_bounds(minval: Any, maxval: Any, dtype: DType) -> None:
    if not _are_numbers(minval, maxval):
        return
    if minval > maxval or (dtype.is_integer and minval == maxval):
        raise InvalidArgumentError(f"random_uniform: minval {minval} is not below maxval {maxval}")
    if dtype.is_integer and (minval < dtype.min or maxval > int(dtype.max) + 1):
        raise InvalidArgumentError(
            f"random_uniform: minval {minval} and maxval {maxval} are not a range of {dtype}"
        )


def _uniform_integers(
    shape: Any, minval: Any, maxval: Any, dtype: DType, seed: int | None, name: str
) -> Tensor:
    """`minval + floor(w * (maxval - minval))`, with a w in [0, 1).

    It has 53 bits, or 83 where the range is wide. All is computed modulo 2**64, so that no range is
    too wide.
    """
    if _are_numbers(minval, maxval):
        count: Any = int(maxval) - int(minval)
        wide, low = count > _EXACT, constant_like(default_graph(), np.int64(minval))
    else:
        high, low = (cast(convert(b, hint=dtype), dtypes.int64) for b in (maxval, minval))
        count, wide = arithmetic.subtract(high, low), dtype.size == dtypes.int64.size
    u = _random(RandomUniform.type, shape, dtypes.float64, seed, None)
    if wide:
        key = u.op.record.key  # type: ignore[attr-defined]
        rest = _random(RandomUniformRest.type, shape, dtypes.float64, None, None, key)
        offset = _scaled_exactly(u, rest, count)
    else:
        factor = cast(count, dtypes.float64) if isinstance(count, Tensor) else float(count)
        offset = cast(arithmetic.multiply(u, factor), dtypes.int64)
    made = arithmetic.add(offset, low, name=name if dtype == dtypes.int64 else None)
    return made if dtype == dtypes.int64 else emit(Cast(dtype), made, name=name)


_EXACT = 2**53  # ranges up to this are as fine as a float64's numbers in [0, 1)


_DIGIT = 30  # bits: products of digits, and sums of some, fit an int64


def _scaled_exactly(u: Tensor, rest: Tensor, count: Any) -> Tensor:
    """`floor(w * count)` modulo 2**64: w has the 53 bits of u, and 30 of the rest behind them.

    Both are written in digits, and multiplied as by hand.
    """
    scaled, more = u * 2.0**_DIGIT, rest * 2.0**7
    first, seven = cast(scaled, dtypes.int64), cast(more, dtypes.int64)
    left = (scaled - cast(first, dtypes.float64)) * 2.0 ** (_DIGIT - 7)
    second = cast(left, dtypes.int64) * 2**7 + seven
    third = cast((more - cast(seven, dtypes.float64)) * 2.0**_DIGIT, dtypes.int64)
    base = 2**_DIGIT
    low, middle, high = count % base, count // base % base, count // base**2
    if isinstance(count, Tensor):
        high = high % 16  # of 2**63 and more the sign is a digit
    carry: Tensor = third * low // base
    carry = (third * middle + second * low + carry) // base
    carry = (third * high + second * middle + first * low + carry) // base
    offset: Tensor = carry + second * high + first * middle + first * high * base
    return offset
