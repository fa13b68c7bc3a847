"""Plain data: what JSON can hold, and arrays.

An array stands in JSON as an object of its own:

    {"array": {"dtype": "float32", "shape": [2], "data": [0.5, 1.0]}}

`data` has the elements in order if they are few, or else their bytes in base64. In place of it
there may be `tensor`, the name of an array in another file.
"""

from __future__ import annotations

import binascii
import json
import math
from collections.abc import Mapping, MutableMapping
from typing import Any, TypeAlias

import numpy as np

from thalweg.base.dtypes import NAMES, DType, as_dtype
from thalweg.base.errors import DataLossError, DTypeError
from thalweg.base.text import text_array

Array = np.ndarray[Any, Any]
Plain: TypeAlias = Any  # None, bool, int, float, str, Array, or lists and dicts of them by str

MOST_SHOWN = 16  # elements that are written as numbers, for people to read
MOST_INLINE = 1024  # bytes of an array that has its place in the JSON, if there is another file
MOST_VALUES = 1 << 24  # in one JSON text: each may take a hundred bytes of memory


def dump(value: Plain, tensors: MutableMapping[str, Array] | None = None) -> str:
    """Plain data as JSON.

    Args:
        value: floats must be finite.
        tensors: takes arrays that are large and no strings, under new names.
    """

    def array_as_json(array: Any) -> Plain:
        if not isinstance(array, np.ndarray):
            raise TypeError(f"a {type(array).__name__} is no plain data")
        return {"array": _described(array, tensors)}

    return json.dumps(value, default=array_as_json, allow_nan=False)


def load(data: bytes | str, tensors: Mapping[str, Array] | None = None) -> Plain:
    """Plain data from JSON.

    Args:
        data: any bytes or text.
        tensors: the arrays that are named and not written out.

    Raises:
        DataLossError: it is not JSON, a key is twice in an object, or an array is not what it says.
    """
    separators = (b",", b"[", b"{") if isinstance(data, bytes) else (",", "[", "{")
    if sum(map(data.count, separators)) > MOST_VALUES:  # type: ignore[arg-type]
        raise DataLossError(f"more than {MOST_VALUES:,} values")
    try:
        text = data.decode() if isinstance(data, bytes) else data
        return json.loads(
            text,
            object_pairs_hook=lambda pairs: _object(pairs, tensors or {}),
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataLossError):
            raise
        raise DataLossError(f"not JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise DataLossError(f"not JSON: {name}")


def _object(pairs: list[tuple[str, Plain]], tensors: Mapping[str, Array]) -> Plain:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise DataLossError("a key is twice in an object")
    inner = made.get("array")
    if len(made) == 1 and isinstance(inner, dict) and inner.keys() in _ARRAY_KEYS:
        return _array(inner, tensors)
    return made


_ARRAY_KEYS = ({"dtype", "shape", "data"}, {"dtype", "shape", "tensor"})


# -- arrays


def _described(array: Array, tensors: MutableMapping[str, Array] | None) -> dict[str, Plain]:
    dtype = as_dtype(array.dtype)
    head = {"dtype": dtype.name, "shape": list(array.shape)}
    if tensors is None or array.nbytes <= MOST_INLINE or dtype.is_string:
        return {**head, "data": _data(array, dtype)}
    name = f"constant_{len(tensors)}"
    tensors[name] = array
    return {**head, "tensor": name}


def _data(array: Array, dtype: DType) -> Plain:
    if dtype.is_string:
        return [item.decode(errors="surrogateescape") for item in array.flat]
    numbers = array.astype(np.float64) if dtype.is_floating else array
    if array.size <= MOST_SHOWN and (not dtype.is_floating or np.isfinite(numbers).all()):
        return numbers.ravel().tolist()
    return binascii.b2a_base64(np.ascontiguousarray(array).tobytes(), newline=False).decode()


def _array(described: Mapping[str, Plain], tensors: Mapping[str, Array]) -> Array:
    name, shape = described["dtype"], described["shape"]
    if not isinstance(name, str) or name not in NAMES:
        raise DataLossError(f"an array of {name!r}")
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise DataLossError(f"an array of the shape {shape!r}")
    dtype = as_dtype(name)
    made = _named(described, tensors) if "tensor" in described else _listed(described, dtype)
    if made.dtype != dtype.numpy or made.size != math.prod(shape) or len(shape) > 32:
        raise DataLossError(f"{made.size} elements of {made.dtype} for {name}{shape}")
    return made.reshape(shape)


def _named(described: Mapping[str, Plain], tensors: Mapping[str, Array]) -> Array:
    name = described["tensor"]
    if not isinstance(name, str) or name not in tensors:
        raise DataLossError(f"there is no array {name!r}")
    return tensors[name]


def _listed(described: Mapping[str, Plain], dtype: DType) -> Array:
    """The elements of an array, along one axis."""
    data = described["data"]
    if isinstance(data, list):
        return _of_elements(data, dtype)
    if not isinstance(data, str) or dtype.is_string:
        raise DataLossError(f"the data of an array of {dtype} are neither elements nor bytes")
    try:
        content = binascii.a2b_base64(data, strict_mode=True)
        made = np.frombuffer(content, dtype.numpy)
    except ValueError as error:
        raise DataLossError(f"the data of an array of {dtype}: {error}") from None
    if dtype.is_bool and made.view(np.uint8).max(initial=0) > 1:
        raise DataLossError("a bool that is neither 0 nor 1")
    return made


def _of_elements(data: list[Plain], dtype: DType) -> Array:
    if not set(map(type, data)) <= _element_types(dtype):
        raise DataLossError(f"elements that are not {dtype}")
    try:
        if dtype.is_string:
            return text_array([item.encode(errors="surrogateescape") for item in data])
        if dtype.is_floating:
            with np.errstate(over="raise"):
                return np.array(data, np.float64).astype(dtype.numpy)
        return np.array(data, dtype.numpy)
    except (ArithmeticError, DTypeError, ValueError) as error:
        raise DataLossError(f"elements that are not {dtype}: {error}") from None


def _element_types(dtype: DType) -> set[type]:
    if dtype.is_string:
        return {str}
    if dtype.is_floating:
        return {int, float}
    return {bool} if dtype.is_bool else {int}
