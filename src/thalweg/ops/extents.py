"""Extents and axes as users and tensors give them, made into plain numbers where they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from thalweg.base.dims import Dim, lift, replayed
from thalweg.base.errors import DTypeError, ShapeError, UnimplementedError
from thalweg.base.shapes import Shape, show, size
from thalweg.graph import Spec, Tensor
from thalweg.ops.arrays.constant import Constant, constant_of
from thalweg.ops.build import (
    INDEX,
    constant_value,
    convert,
    first_dtype,
    is_planned,
    planned_value,
    to_array,
)
from thalweg.ops.evaluation import outputs

_MOST_OPERATIONS = 64  # that the value of an argument is looked for behind


def known_value(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    """The value of a tensor, if it follows from a few constants, as `tf.rank(x) - 1` does."""
    found: dict[Tensor, np.ndarray[Any, Any]] = {}
    waiting, left = [tensor], _MOST_OPERATIONS
    while waiting and left:
        part = waiting[-1]
        op, constant = part.op, constant_value(part)
        missing = [x for x in op.inputs if x not in found]
        if constant is not None:
            found[part] = constant
        elif op.record.origin is not None or not op.record.effects.pure or op.record.bodies:
            return None
        elif missing:
            waiting.extend(missing)
            left -= 1
            continue
        else:
            kinds = [output.dtype for output in op.outputs]
            found.update(
                zip(
                    op.outputs,
                    outputs(op.record, [found[x] for x in op.inputs], kinds),
                    strict=True,
                )
            )
        waiting.pop()
    return found.get(tensor)


def axis_numbers(value: Any) -> tuple[int, ...]:
    """The axes that an argument names.

    Raises:
        DTypeError: if they are not integers.
        ShapeError: if they are in a tensor that only a run computes.
    """
    holds_tensors = first_dtype(value) is not None
    given = convert(value, hint=INDEX) if holds_tensors else value
    array = known_value(given) if holds_tensors else to_array(value)
    if array is None:
        raise ShapeError(
            f"an axis must follow from constants, and {given.name!r} is computed by the run: "
            "give a number, or choose with tf.cond between operations along different axes"
        )
    if not (array.dtype.kind in "iu" or array.size == 0):
        raise DTypeError(f"an axis must be an integer, not {value!r}")
    return tuple(int(v) for v in array.reshape(-1))


def static_constant(what: str, tensor: Tensor) -> Constant:
    """The record of a `static` input.

    Raises:
        ShapeError: if it depends on more than constants and shapes.
    """
    record = constant_of(tensor)
    if record is None:
        raise ShapeError(
            f"{what}: the value of {tensor.name!r} must follow from constants and shapes alone, "
            f"as every shape is fixed before a run starts\n  it was made at {tensor.op.source}"
        )
    return record


def planned_ints(what: str, tensor: Tensor) -> list[int]:
    """The integers of a `static` input, as `Dim`s if they may differ in the next run."""
    record = static_constant(what, tensor)
    if record.planned is None:
        return [int(v) for v in record.array.reshape(-1)]
    count = int(size(record.extents))
    numbers = [lift(_element, record.planned, n) for n in range(count)]
    return [n if n >= 0 else int(n) for n in numbers]


def planned_number(function: Callable[..., int], *tensors: Tensor) -> int:
    """What a pure function makes of constants; a `Dim` if it may differ in the next run."""
    return lift(function, *map(planned_value, tensors))


@replayed
def _element(array: np.ndarray[Any, Any], place: int) -> int:
    return int(array.reshape(-1)[place])


def static_ints(what: str, value: Any) -> tuple[int, ...]:
    """Integers that must be known when the graph is built."""
    if first_dtype(value) is not None:
        tensor = convert(value, hint=INDEX)
        found = known_value(tensor)
        array = static_constant(what, tensor).pinned if found is None else found
    else:
        array = to_array(value)
    if not (array.dtype.kind in "iu" or array.size == 0):
        raise DTypeError(f"{what} needs integers, not {value!r}")
    return tuple(int(v) for v in array.reshape(-1))


def computed_ints(what: str, value: Any) -> tuple[int, ...] | Tensor:
    """Integers that an op needs to be planned, in one row; their tensor if they are not known yet.

    Args:
        what: the op that needs them.
        value: a tensor, array or nested list, which may hold tensors.
    """
    if first_dtype(value) is None:
        return static_ints(what, value)
    tensor = convert(value, hint=INDEX)
    is_known = constant_of(tensor) is not None and not is_planned(tensor)
    return static_ints(what, tensor) if is_known else tensor


def check_ints(what: str, spec: Spec, rank: int) -> None:
    """Check that a tensor can hold an op's integers, along so many axes.

    Raises:
        DTypeError: if they are no integers.
        ShapeError: if it has other axes.
    """
    if not spec.dtype.is_integer:
        raise DTypeError(f"{what} must be integers, not {spec.dtype}")
    if spec.shape is not None and len(spec.shape) != rank:
        raise ShapeError(f"{what} must have rank {rank}, not {show(spec.shape)}")


def numbers_of(dims: Shape) -> tuple[int, ...]:
    """The dims, all of which are numbers (perhaps -1)."""
    assert dims is not None
    return tuple(d for d in dims if d is not None)


def as_position(value: Any) -> int:
    """An index as a number, which may be a `Dim`.

    Raises:
        DTypeError: if it is no integer.
        UnimplementedError: if it is a tensor that is not a constant.
    """
    if isinstance(value, Tensor):
        constant = constant_value(value)
        if constant is None:
            raise UnimplementedError(
                f"{value!r} cannot be an index here: use tf.slice or tf.gather"
            )
        value = constant.item()
    if isinstance(value, Dim):
        return value
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise DTypeError(f"an index must be an integer, a slice, None or '...', not {value!r}")
    return int(value.__index__())


def has_dim(extents: Iterable[int]) -> bool:
    """Whether any extent may differ in the next run."""
    return any(isinstance(d, Dim) for d in extents)


def unless_negative(dims: tuple[int | None, ...]) -> Shape:
    """The dims, where -1 stands for what is not known."""
    return tuple(None if d is not None and d < 0 else d for d in dims)


def computed_dims(dims: Shape, shape: Spec) -> Shape:
    """What is known of a shape that is computed by a tensor of this spec."""
    if not shape.dtype.is_integer:
        raise DTypeError(f"a shape must be integers, not {shape.dtype}")
    if shape.shape is not None and len(shape.shape) != 1:
        raise ShapeError(f"a shape must be a vector, not {show(shape.shape)}")
    if dims is not None:
        return dims
    rank = shape.shape[0] if shape.shape else None
    return None if rank is None else (None,) * rank


def planned_shape(what: str, dims: Shape, shape: Tensor) -> tuple[int, ...]:
    """A computed shape's extents: those known when the graph was built stay plain numbers."""
    values = planned_ints(what, shape)
    return tuple(
        v if d is None else d for v, d in zip(values, dims or [None] * len(values), strict=True)
    )
