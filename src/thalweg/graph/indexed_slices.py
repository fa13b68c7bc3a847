"""Slices of a large tensor that is zero elsewhere."""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple, TypeAlias

from thalweg.base.dtypes import DType
from thalweg.base.shapes import TensorShape
from thalweg.graph.graph import Graph
from thalweg.graph.node import Operation, Tensor
from thalweg.graph.operators import OPERATORS, Operators


class IndexedSlices(Operators):
    """Some slices of a large tensor along its first axis; the rest of it is zero.

    The gradient of `tf.gather` by what it takes slices of is such a thing. Where an index occurs
    several times, its slices add up. Anything that needs a tensor converts it to a dense one.

    Args:
        values: `[n, ...]`, the slices.
        indices: `[n]`, int32 or int64, where they belong.
        dense_shape: `[rank]`, the shape of the large tensor, if it is known.
    """

    __slots__ = ("_dense_shape", "_indices", "_is_part", "_used", "_values")

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self._used: Tensor | None = None
        self._is_part = False
        self._values, self._indices = _tensor(values, "values"), _tensor(indices, "indices")
        self._dense_shape = None if dense_shape is None else _tensor(dense_shape, "dense_shape")

    @property
    def values(self) -> Tensor:
        """The slices."""
        return self._values

    @property
    def indices(self) -> Tensor:
        """Where each slice belongs along the first axis."""
        return self._indices

    @property
    def dense_shape(self) -> Tensor | None:
        """The shape of the large tensor, if it is known."""
        return self._dense_shape

    @property
    def used(self) -> Tensor | None:
        """`[n]`, which of the slices count; None if all do. The values of the others are 0.

        Of a table that is cut in several, a lookup has a slice for each row number, also for those
        of the other parts. An update leaves these rows alone.
        """
        return self._used

    @property
    def is_part(self) -> bool:
        """Whether they are the gradient of a part such as `x[i]`: users get a dense tensor then."""
        return self._is_part

    @property
    def name(self) -> str:
        """The name of the slices."""
        return self._values.name

    @property
    def op(self) -> Operation:
        """The operation that makes the slices."""
        return self._values.op

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._values.dtype

    @property
    def graph(self) -> Graph:
        """The graph it belongs to."""
        return self._values.graph

    @property
    def device(self) -> str:
        """The device string of the slices."""
        return self._values.device

    @property
    def shape(self) -> TensorShape:
        """The static shape of the large tensor, as far as its slices tell."""
        slices = self._values.static_shape
        return TensorShape(None if slices is None else (None, *slices[1:]))

    def get_shape(self) -> TensorShape:
        """The static shape of the large tensor, as far as its slices tell."""
        return self.shape

    def with_values(self, values: Tensor) -> IndexedSlices:
        """Other slices at the same places."""
        same = copy(self)
        same._values = values
        return same

    def where_used(self, used: Tensor | None) -> IndexedSlices:
        """The same slices, of which only some count."""
        same = copy(self)
        same._used = used
        return same

    def of_part(self, is_part: bool = True) -> IndexedSlices:
        """The same slices, which users get as a dense tensor or not."""
        same = copy(self)
        same._is_part = is_part
        return same

    def _as_tensor(self) -> Tensor:
        dense: Tensor = OPERATORS["densify"](self)
        return dense

    def _as_graph_element(self) -> Tensor:
        return self._values

    def __neg__(self) -> Any:
        return self.with_values(-self._values)

    def __repr__(self) -> str:
        return f"<tf.IndexedSlices '{self.name}' indices={self._indices!r} values={self._values!r}>"


class IndexedSlicesValue(NamedTuple):
    """What a run returns for `IndexedSlices`."""

    values: Any
    indices: Any
    dense_shape: Any


Gradient: TypeAlias = Tensor | IndexedSlices


def _tensor(value: Any, what: str) -> Tensor:
    if not isinstance(value, Operators):
        raise TypeError(f"{what} must be a tensor, not {value!r}")
    return value._as_tensor()
