"""What an operation computes, by its record and NumPy: for constants and the reference backend.

Compiled code takes a number too small for a normal exponent for 0 of the same sign, as operand and
as result, and so does this. Float16's are exempt: they are normal numbers of float32, in which
float16 is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import InvalidArgumentError
from thalweg.formula import Operand
from thalweg.graph import Body, Op, Operation, Origin, failed

Array = np.ndarray[Any, Any]

_SMALLEST_NORMAL = {"float32": 2.0**-126, "bfloat16": 2.0**-126, "float64": 2.0**-1022}


def outputs(op: Op, inputs: Sequence[Array], kinds: Sequence[DType]) -> list[Array]:
    """The outputs of an operation.

    Args:
        op: what it computes.
        inputs: its operands.
        kinds: the dtypes of the outputs.

    Raises:
        InvalidArgumentError: if an operand does not pass the operation's checks.
    """
    read = [x if n in op.shape_only else flushed(x) for n, x in enumerate(inputs)]
    with np.errstate(all="ignore"):
        return [flushed(array) for array in checked_outputs(op, read, kinds)]


def checked_outputs(op: Op, inputs: Sequence[Array], kinds: Sequence[DType]) -> list[Array]:
    """The same with the numbers as they are, however small.

    Raises:
        InvalidArgumentError: if an operand does not pass the operation's checks.
    """
    _check(op, inputs)
    made = op.evaluate(np, *inputs)
    arrays = made if isinstance(made, tuple) else (made,)
    return [np.asarray(a, k.numpy) for a, k in zip(arrays, kinds, strict=True)]


def evaluate_body(xp: Any, body: Body, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a body, operation by operation.

    Args:
        xp: an array module.
        body: what to compute.
        inputs: an array for each of its inputs.

    Raises:
        InvalidArgumentError: if an operation fails, with its name and line.
    """
    values = dict(zip(body.inputs, inputs, strict=True))
    for op in body.operations:
        if op.record.origin is not Origin.FEED:
            taken = [values[tensor] for tensor in op.inputs]
            values.update(zip(op.outputs, _computed(xp, op, taken), strict=True))
    return [values[tensor] for tensor in body.outputs]


def _computed(xp: Any, op: Operation, inputs: Sequence[Any]) -> Sequence[Any]:
    """An operation's outputs; those of NumPy as `outputs` has them."""
    if xp is not np:
        made = op.record.evaluate(xp, *inputs)
        return made if isinstance(made, tuple) else (made,)
    try:
        return outputs(op.record, inputs, [tensor.dtype for tensor in op.outputs])
    except MemoryError:
        raise
    except Exception as error:
        raise failed(op, error) from error


def _check(op: Op, inputs: Sequence[Array]) -> None:
    """Complain of the first element that is out of range."""
    if type(op).checks is Op.checks:
        return  # almost all have none
    operands = [Operand(n, x.shape, as_dtype(x.dtype)) for n, x in enumerate(inputs)]
    for check in op.checks(*operands):
        codes = check.codes(np, inputs[check.operand])
        outside = np.argwhere((codes < 0) | (codes >= check.limit))
        if len(outside):
            place = tuple(outside[0])
            raise InvalidArgumentError(check.problem(place, int(codes[place])))


def flushed(array: Array) -> Array:
    """The array with 0 in place of subnormal numbers; the array itself if it has none."""
    smallest = _SMALLEST_NORMAL.get(array.dtype.name)
    if smallest is None:
        return array
    with np.errstate(all="ignore"):
        subnormal = (np.abs(array) < smallest) & (array != 0)
        return np.where(subnormal, array * 0, array) if subnormal.any() else array
