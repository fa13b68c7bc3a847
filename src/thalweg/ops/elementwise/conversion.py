"""Conversion to another dtype."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.formula import Lowered, Operand, pointwise
from thalweg.formula import cast as cast_expr
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import convert, emit
from thalweg.ops.elementwise.pointwise import Grads, numbers

__all__ = ["cast", "to_bfloat16", "to_double", "to_float", "to_int32", "to_int64"]


class Cast(Op):
    """Conversion to another dtype: towards zero from floats to integers, `x != 0` to bool.

    A float that no int64 (for other integers, no int32) can hold, or NaN, becomes the least of
    these, as on x86 in TensorFlow and NumPy. Narrower integers take the low bits of the int32, and
    integers wrap around.
    """

    type: ClassVar[str] = "Cast"
    dtype: DType

    def infer(self, x: Spec) -> Spec:
        return Spec(x.shape, self.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        if as_dtype(x.dtype).is_floating and self.dtype.is_integer:
            wide, limit = (xp.int64, 2.0**63) if self.dtype.size == 8 else (xp.int32, 2.0**31)
            x = xp.asarray(x, xp.float32) if x.dtype.itemsize == 2 else x
            x = xp.asarray(xp.where((x >= -limit) & (x < limit), x, -limit), wide)
        return xp.asarray(x, self.dtype.numpy)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda x: cast_expr(x, self.dtype), *inputs)

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        source = node.inputs[0].dtype
        return [emit(Cast(source), dy) if source.is_floating else None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        whole = np.array([[-3, 0, 2], [100, 1, 7]])
        for dtype in (dtypes.float32, dtypes.int32, dtypes.int64, dtypes.bool_):
            yield Sample(cls(dtype), (whole.astype(np.int32),), exact=True)
            yield Sample(
                cls(dtype), (whole.astype(np.float32) * 0.75,), exact=True, differentiable=False
            )
        yield Sample(cls(dtypes.float32), (np.array([0, 7, 255], np.uint8),), exact=True)
        yield Sample(cls(dtypes.uint8), (numbers(0, 7.9, 255),), exact=True, differentiable=False)
        yield Sample(cls(dtypes.float32), (np.array([True, False]),), exact=True)
        yield Sample(
            cls(dtypes.float16), (numbers(1.5, 1 / 3, 1e-7),), exact=True, differentiable=False
        )
        yield Sample(
            cls(dtypes.bfloat16), (numbers(1.5, 1 / 3, 1e-7),), exact=True, differentiable=False
        )


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """Convert to another dtype, as NumPy's `astype` does; see `Cast` for what does not fit.

    Args:
        x: a tensor or anything that converts to one.
        dtype: a dtype, its name, or a NumPy dtype.
        name: of the operation.
    """
    tensor, kind = convert(x), as_dtype(dtype)
    return tensor if tensor.dtype == kind else emit(Cast(kind), tensor, name=name)


def to_float(x: Any, name: str | None = None) -> Tensor:
    """Convert to float32."""
    return cast(x, dtypes.float32, name)


def to_double(x: Any, name: str | None = None) -> Tensor:
    """Convert to float64."""
    return cast(x, dtypes.float64, name)


def to_int32(x: Any, name: str | None = None) -> Tensor:
    """Convert to int32."""
    return cast(x, dtypes.int32, name)


def to_int64(x: Any, name: str | None = None) -> Tensor:
    """Convert to int64."""
    return cast(x, dtypes.int64, name)


def to_bfloat16(x: Any, name: str | None = None) -> Tensor:
    """Convert to bfloat16."""
    return cast(x, dtypes.bfloat16, name)
