"""Element types: TensorFlow's names over NumPy's dtypes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from thalweg.base.errors import DTypeError


class DType:
    """An element type, such as `float32`. Compares equal to its name and to its NumPy dtype."""

    __slots__ = ("_numpy", "name")

    def __init__(self, name: str, numpy_type: np.dtype[Any] | None = None) -> None:
        self.name = name
        self._numpy = numpy_type

    @property
    def as_numpy_dtype(self) -> Any:
        """The NumPy scalar type, as in `np.zeros(3, dtype.as_numpy_dtype)`."""
        return self.numpy.type

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype."""
        if self._numpy is None:
            self._numpy = _bfloat16()
        return self._numpy

    @property
    def base_dtype(self) -> DType:
        """Itself: there are no reference types here."""
        return self

    @property
    def is_floating(self) -> bool:
        """Whether it is a floating-point type."""
        return self.name in _FLOATING

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer type; bool is not."""
        return self.name in _INTEGER

    @property
    def is_bool(self) -> bool:
        """Whether it is bool."""
        return self.name == "bool"

    @property
    def is_string(self) -> bool:
        """Whether it is the type of strings."""
        return self.name == "string"

    @property
    def is_unsigned(self) -> bool:
        """Whether it is an integer type without a sign."""
        return self.name.startswith("uint")

    @property
    def size(self) -> int:
        """Bytes of one element; those of a reference for strings."""
        return _BYTES[self.name]

    @property
    def min(self) -> Any:
        """The smallest finite value."""
        return self._limits().min

    @property
    def max(self) -> Any:
        """The largest finite value."""
        return self._limits().max

    @property
    def smallest_normal(self) -> float:
        """Of a floating type, the least positive number with all its digits."""
        return float(self._limits().smallest_normal)

    def _limits(self) -> Any:
        if self.name == "bfloat16":
            import ml_dtypes

            return ml_dtypes.finfo(self.numpy)  # type: ignore[no-untyped-call]
        return np.finfo(self.numpy) if self.is_floating else np.iinfo(self.numpy)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self.name == other.name
        try:
            return self.name == as_dtype(other).name
        except TypeError:
            return NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)


_FLOATING = frozenset({"float16", "bfloat16", "float32", "float64"})
_INTEGER = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16"})
_BYTES = {
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8,
    "int8": 1, "int16": 2, "int32": 4, "int64": 8,
    "uint8": 1, "uint16": 2, "bool": 1, "string": 8,
}  # fmt: skip


def _bfloat16() -> np.dtype[Any]:
    import ml_dtypes  # only when it is used: most programs never need it

    made: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return made


float16 = DType("float16", np.dtype(np.float16))
bfloat16 = DType("bfloat16")
float32 = DType("float32", np.dtype(np.float32))
float64 = DType("float64", np.dtype(np.float64))
int8 = DType("int8", np.dtype(np.int8))
int16 = DType("int16", np.dtype(np.int16))
int32 = DType("int32", np.dtype(np.int32))
int64 = DType("int64", np.dtype(np.int64))
uint8 = DType("uint8", np.dtype(np.uint8))
uint16 = DType("uint16", np.dtype(np.uint16))
bool_ = DType("bool", np.dtype(np.bool_))
string = DType("string", np.dtype(np.object_))

ALL = (float16, bfloat16, float32, float64, int8, int16, int32, int64, uint8, uint16, bool_, string)
_BY_NAME = {dtype.name: dtype for dtype in ALL}
NAMES = frozenset(_BY_NAME)
_ALIASES = {"float": float32, "double": float64, "half": float16, "int": int32}
_PYTHON: dict[Any, DType] = {float: float32, int: int32, bool: bool_, str: string, bytes: string}


@lru_cache(maxsize=256)
def as_dtype(value: Any) -> DType:
    """The `DType` of a dtype, a name ("float32", "float"), a NumPy dtype or a Python type.

    Raises:
        DTypeError: if there is no such element type here.
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, str) and (value in _BY_NAME or value in _ALIASES):
        return _BY_NAME.get(value) or _ALIASES[value]
    if isinstance(value, type) and value in _PYTHON:
        return _PYTHON[value]
    name = _numpy_name(value)
    if name not in _BY_NAME:
        known = ", ".join(_BY_NAME)
        raise DTypeError(f"{value!r} is not an element type; there are {known}")
    return _BY_NAME[name]


def _numpy_name(value: Any) -> str:
    """The name of the element type that is kept as a NumPy dtype; nothing if it is none."""
    try:
        found = np.dtype(value)
    except TypeError:
        return ""
    if found.kind != "O":
        return "string" if found.kind in "US" else found.name
    # NumPy takes any class that it does not know for one of objects
    return "string" if value is np.object_ or isinstance(value, np.dtype) else ""
