"""Tensors as messages, and the numbers of their element types."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DataLossError, DTypeError
from thalweg.base.shapes import Shape
from thalweg.protos.message import (
    Message,
    Repeated,
    boolean,
    doubles,
    floats,
    int32,
    int64,
    integers,
    message,
    messages,
    raw,
    raws,
    text,
)

__all__ = [
    "DATA_TYPES",
    "TensorProto",
    "TensorShapeProto",
    "make_ndarray",
    "make_tensor_proto",
    "shape_proto",
]

Array = np.ndarray[Any, Any]

# The numbers of the element types: TensorFlow's types.proto.
DATA_TYPES = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "string": 7,
    "int64": 9, "bool": 10, "bfloat16": 14, "uint16": 17, "float16": 19,
}  # fmt: skip
_NAMES = {number: name for name, number in DATA_TYPES.items()}


class TensorShapeProto(Message):
    """The shape of a tensor; -1 stands for an extent that is not known."""

    class Dim(Message):
        """One dimension."""

        size: int = int64(1)
        name: str = text(2)

    dim: Repeated[Dim] = messages(2, Dim)
    unknown_rank: bool = boolean(3)


class TensorProto(Message):
    """A tensor: its bytes, or a list of values of which the last stands for all that follow."""

    dtype: int = int32(1)
    tensor_shape: TensorShapeProto = message(2, TensorShapeProto)
    tensor_content: bytes = raw(4)
    float_val: list[float] = floats(5)
    double_val: list[float] = doubles(6)
    int_val: list[int] = integers(7)
    string_val: list[bytes] = raws(8)
    int64_val: list[int] = integers(10)
    bool_val: list[int] = integers(11)
    half_val: list[int] = integers(13)

    LISTS: ClassVar[dict[str, str]] = {
        "float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val",
        "string": "string_val", "float16": "half_val", "bfloat16": "half_val",
    }  # fmt: skip


def shape_proto(shape: Shape) -> TensorShapeProto:
    """A static shape as a message."""
    if shape is None:
        return TensorShapeProto(unknown_rank=True)
    made = TensorShapeProto()
    for extent in shape:
        made.dim.add(size=-1 if extent is None else extent)
    return made


def make_tensor_proto(values: Any, dtype: Any = None, shape: Sequence[int] | None = None) -> Any:
    """A tensor as a message.

    Args:
        values: an array, or a number, text or nested list.
        dtype: the element type; that of the values by default, with float32 for Python's floats and
            int32 for its integers.
        shape: what the values are reshaped to.

    Raises:
        DTypeError: if there is no such element type.
    """
    array = _array(values, dtype)
    if shape is not None:
        array = array.reshape(shape)
    kind = as_dtype(array.dtype)
    made = TensorProto(dtype=DATA_TYPES[kind.name], tensor_shape=shape_proto(array.shape))
    if kind.is_string:
        made.string_val = [_encoded(item) for item in array.flat]
    elif array.ndim == 0 and kind.name == "float32":
        made.float_val = [float(array)]  # as TensorBoard's loaders expect a scalar
    else:
        made.tensor_content = np.ascontiguousarray(array).tobytes()
    return made


def _array(values: Any, dtype: Any) -> Array:
    if dtype is not None:
        return np.asarray(values, as_dtype(dtype).numpy)
    array = np.asarray(values)
    if array.dtype.kind in "US":
        return np.asarray(values, object)
    if not isinstance(values, np.ndarray | np.generic):
        narrow = {"float64": np.float32, "int64": np.int32}.get(array.dtype.name, array.dtype)
        return array.astype(narrow)
    return array


def _encoded(item: Any) -> bytes:
    if not isinstance(item, str | bytes):
        raise DTypeError(f"{item!r} is not a string")
    return item.encode() if isinstance(item, str) else item


def make_ndarray(tensor: TensorProto) -> Array:
    """The array of a message. One that repeats a single value takes no memory, and is read-only.

    Raises:
        DataLossError: if the values do not fit the shape, or there is no such element type.
    """
    name = _NAMES.get(tensor.dtype)
    if name is None:
        raise DataLossError(f"a tensor has the unknown element type {tensor.dtype}")
    kind, shape = as_dtype(name), _extents(tensor.tensor_shape)
    if tensor.tensor_content:
        if kind.is_string or len(tensor.tensor_content) != math.prod(shape) * kind.size:
            found = f"{len(tensor.tensor_content)} bytes"
            raise DataLossError(f"a tensor {kind}{list(shape)} has {found}")
        return np.frombuffer(tensor.tensor_content, kind.numpy).reshape(shape)
    return _spread(_listed(tensor, kind), shape)


def _extents(shape: TensorShapeProto) -> tuple[int, ...]:
    extents = tuple(dim.size for dim in shape.dim)
    if shape.unknown_rank or len(extents) > 64 or min(extents, default=0) < 0:
        raise DataLossError("the shape of a tensor with values must be known")
    return extents


def _listed(tensor: TensorProto, kind: DType) -> Array:
    """The values that a message lists."""
    values = getattr(tensor, TensorProto.LISTS.get(kind.name, "int_val"))
    if kind.name in ("float16", "bfloat16"):
        return np.asarray(values, np.uint16).view(kind.numpy)
    try:
        made = np.empty(len(values), kind.numpy)
        made[:] = values
    except (OverflowError, ValueError) as error:
        raise DataLossError(f"a tensor of {kind} has the values of another: {error}") from None
    return made


def _spread(values: Array, shape: tuple[int, ...]) -> Array:
    """The values in a shape; the last one stands for those that are missing."""
    size = math.prod(shape)
    if len(values) == size:
        return values.reshape(shape)
    if len(values) > size:
        raise DataLossError(f"a tensor of {size} elements has {len(values)} values")
    if len(values) <= 1:
        last = values[0] if len(values) else np.zeros((), values.dtype)[()]
        return np.broadcast_to(np.asarray(last, values.dtype), shape)
    if size > 1 << 27:  # elements: more than any list would hold
        raise DataLossError(f"a tensor of {size} elements has {len(values)} values")
    return np.concatenate([values, np.full(size - len(values), values[-1])]).reshape(shape)
