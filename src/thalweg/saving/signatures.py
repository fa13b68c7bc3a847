"""Signatures: what a model is called with, and what it answers, by names of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thalweg.base.dtypes import NAMES, DType, as_dtype, float32
from thalweg.base.errors import DataLossError
from thalweg.base.record import Record, field
from thalweg.base.shapes import Shape, TensorShape
from thalweg.graph import Tensor
from thalweg.saving.plain import Plain


class TensorInfo(Record, frozen=False):
    """What a signature says of a tensor.

    Attributes:
        name: in the graph, such as "x:0".
        dtype: of its elements.
        tensor_shape: as far as it is known.
    """

    name: str = ""
    dtype: DType = float32
    tensor_shape: TensorShape = field(default_factory=lambda: TensorShape(None))

    def to_plain(self) -> dict[str, Plain]:
        """As plain data."""
        shape = self.tensor_shape
        return {
            "name": self.name,
            "dtype": as_dtype(self.dtype).name,
            "shape": None if shape.ndims is None else shape.as_list(),
        }

    @classmethod
    def of_plain(cls, value: Plain) -> TensorInfo:
        """From plain data.

        Raises:
            DataLossError: if it is something else.
        """
        name, dtype, shape = fields_of(value, name=str, dtype=str, shape=(list, type(None)))
        if dtype not in NAMES:
            raise DataLossError(f"there is no element type {dtype!r}")
        return cls(name, as_dtype(dtype), TensorShape(shape_of(shape)))


class SignatureDef(Record, frozen=False):
    """What a model is called with, and what it answers.

    Attributes:
        inputs: what is fed, by the names that callers use.
        outputs: what is fetched, likewise.
        method_name: what kind of call it is, such as `tf.saved_model.signature_constants
            .PREDICT_METHOD_NAME`.
    """

    inputs: dict[str, TensorInfo] = field(default_factory=dict)
    outputs: dict[str, TensorInfo] = field(default_factory=dict)
    method_name: str = ""

    def to_plain(self) -> dict[str, Plain]:
        """As plain data."""
        return {
            "inputs": {name: info.to_plain() for name, info in self.inputs.items()},
            "outputs": {name: info.to_plain() for name, info in self.outputs.items()},
            "method_name": self.method_name,
        }

    @classmethod
    def of_plain(cls, value: Plain) -> SignatureDef:
        """From plain data.

        Raises:
            DataLossError: if it is something else.
        """
        inputs, outputs, method = fields_of(value, inputs=dict, outputs=dict, method_name=str)
        return cls(_infos(inputs), _infos(outputs), method)


def _infos(value: Mapping[str, Plain]) -> dict[str, TensorInfo]:
    return {name: TensorInfo.of_plain(info) for name, info in value.items()}


def tensor_info(tensor: Any) -> TensorInfo:
    """What a signature says of a tensor, or of a variable's value.

    Raises:
        TypeError: if it is neither.
    """
    found = tensor._as_tensor() if hasattr(tensor, "_as_tensor") else tensor
    if not isinstance(found, Tensor):
        raise TypeError(f"{tensor!r} is not a tensor")
    return TensorInfo(found.name, found.dtype, found.shape)


# -- reading plain data


def fields_of(value: Plain, **kinds: Any) -> list[Plain]:
    """The values of an object with just these keys, each of its type or one of its types.

    Raises:
        DataLossError: if it has others, or they are of other types.
    """
    if not isinstance(value, dict) or value.keys() != kinds.keys():
        raise DataLossError(f"{_short(value)} is not an object with {', '.join(kinds)}")
    for name, kind in kinds.items():
        if not isinstance(value[name], kind) or (kind is int and isinstance(value[name], bool)):
            raise DataLossError(f"{name!r} is a {type(value[name]).__name__}")
    return [value[name] for name in kinds]


def shape_of(dims: Plain) -> Shape:
    """A shape from a list of extents, or from None.

    Raises:
        DataLossError: if it is something else.
    """
    if dims is None:
        return None
    if not isinstance(dims, list) or not all(map(_is_extent, dims)):
        raise DataLossError(f"{_short(dims)} is not a shape")
    return tuple(dims)


def _is_extent(n: Plain) -> bool:
    return n is None or (type(n) is int and 0 <= n < 2**63)


def _short(value: Plain) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
