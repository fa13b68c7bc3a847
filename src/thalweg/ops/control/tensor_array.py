"""Arrays of tensors that are written one by one."""

from __future__ import annotations

from typing import Any

from thalweg.base import dtypes
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError, UnimplementedError
from thalweg.base.shapes import Shape, as_shape, is_known, known, merge
from thalweg.graph import Operation, Tensor
from thalweg.ops.arrays.create import convert_to_tensor, ones, zeros
from thalweg.ops.arrays.gather import Gather, GatherGrad
from thalweg.ops.arrays.join import concat, stack
from thalweg.ops.arrays.reshape import identity, reshape
from thalweg.ops.arrays.rows import WriteRow
from thalweg.ops.arrays.shape import size_along
from thalweg.ops.build import checking, constant_value, convert, emit
from thalweg.ops.control.control import no_op
from thalweg.ops.elementwise.comparison import greater
from thalweg.ops.elementwise.selection import where


class TensorArray:
    """An array of tensors of one shape, for use in loops.

    It is a value: `write` and its like return a new array, and change nothing. Inside it is one
    tensor, whose first axis is that of the elements; what was not written is 0. Gradients flow
    through it as through any tensor. An array that a `while_loop` carries and writes at the loop's
    counter costs no more than what is written.

    Args:
        dtype: of the elements.
        size: how many there are: an integer or a scalar tensor.
        dynamic_size: whether a write behind the end makes the array longer.
        clear_after_read: accepted for TensorFlow 1 and ignored: an element may be read many times.
        tensor_array_name: accepted for TensorFlow 1 and ignored.
        handle: accepted for TensorFlow 1; must be None.
        flow: the tensor of all elements, if there is one already.
        infer_shape: whether all elements must have one shape. They must in any case.
        element_shape: of the elements, as far as it is known.
        colocate_with_first_write_call: accepted for TensorFlow 1 and ignored.
        name: accepted for TensorFlow 1 and ignored.

    Raises:
        ValueError: without a size or a flow.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Any = None,
        flow: Any = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        if handle is not None or (size is None and flow is None):
            raise InvalidArgumentError("a TensorArray needs a size or a flow, and takes no handle")
        self._dtype = as_dtype(dtype)
        self._size, self._grows = size, bool(dynamic_size)
        self._value = None if flow is None else convert(flow, self._dtype)
        self._element: Shape = None if element_shape is None else as_shape(element_shape)

    @property
    def dtype(self) -> dtypes.DType:
        """The dtype of the elements."""
        return self._dtype

    @property
    def handle(self) -> Tensor:
        """What stands for the array in TensorFlow 1: here its flow."""
        return self.flow

    @property
    def flow(self) -> Tensor:
        """The tensor of all elements.

        Raises:
            ShapeError: if nothing was written yet, and the shape of the elements is not known.
        """
        return self._filled(self._element) if self._value is None else self._value

    @property
    def is_blank(self) -> bool:
        """Whether nothing was written, and the shape of the elements is not known."""
        return self._value is None and not is_known(self._element)

    def with_flow(self, flow: Tensor) -> TensorArray:
        """An array like this with another tensor of all elements."""
        made = TensorArray(self._dtype, self._size, self._grows, flow=flow)
        made._element = self._element
        return made

    def blank(self, element: Shape) -> Tensor:
        """The tensor of an array of such elements in which nothing was written."""
        return self._filled(element)

    def _filled(self, element: Shape) -> Tensor:
        if not is_known(element):
            raise ShapeError(
                "the shape of the elements of a TensorArray is not known: give element_shape, or "
                "write an element first"
            )
        return zeros([0 if self._size is None else self._size, *known(element)], self._dtype)

    # -- single elements

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with another element at an index.

        Raises:
            DTypeError, ShapeError: if the value is no element of the array.
            InvalidArgumentError: in a run, if the index is out of range.
        """
        row, at = convert(value, hint=self._dtype), convert(index, hint=dtypes.int32)
        if row.dtype != self._dtype:
            raise DTypeError(f"the elements are {self._dtype}, and the value is {row.dtype}")
        element = merge(self._element, row.static_shape)
        before = self._filled(element) if self._value is None else self._value
        if self._grows:
            before = self._grown(before, at)
        return self.with_flow(emit(WriteRow(), before, at, row, name=name))

    def _grown(self, value: Tensor, index: Tensor) -> Tensor:
        """The tensor of all elements, long enough for an index that is known."""
        place, shape = constant_value(index), value.static_shape
        if place is None or not is_known(shape):
            return value
        missing = int(place) + 1 - known(shape)[0]
        if missing <= 0:
            return value
        return concat([value, zeros([missing, *known(shape)[1:]], self._dtype)], 0)

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The element at an index.

        Raises:
            InvalidArgumentError: in a run, if the index is out of range.
        """
        return emit(Gather(), self.flow, convert(index, hint=dtypes.int32), name=name)

    # -- all of them

    def stack(self, name: str | None = None) -> Tensor:
        """All elements along a new first axis."""
        return identity(self.flow, name=name)

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """An array of the slices of a tensor along its first axis."""
        return self.with_flow(identity(convert(value, hint=self._dtype), name=name))

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """The elements at some indices along a new first axis."""
        return emit(Gather(), self.flow, convert(indices, hint=dtypes.int32), name=name)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with the slices of a tensor as its elements at some indices, each once."""
        rows, places = convert(value, hint=self._dtype), convert(indices, hint=dtypes.int32)
        with checking("scatter", value=rows):
            if rows.static_shape is None:
                raise ShapeError("the rank of the value must be known")
        element = merge(self._element, rows.static_shape[1:])
        before = self._filled(element) if self._value is None else self._value
        spread = emit(GatherGrad(), rows, places, before)
        column = zeros([size_along(before, (0,))])
        hits = emit(GatherGrad(), ones([size_along(places, (0,))]), places, column)
        return self.with_flow(where(greater(hits, 0.5), spread, before, name=name))

    def concat(self, name: str | None = None) -> Tensor:
        """The elements one after the other along their first axis."""
        value = self.flow
        shape = value.static_shape
        if shape is None or len(shape) < 2:
            raise ShapeError("the elements must have a known rank, of 1 or more")
        rest = [size_along(value, (n,)) for n in range(2, len(shape))]
        return reshape(value, stack([size_along(value, (0, 1)), *rest]), name=name)

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """An array of pieces of a tensor along its first axis.

        Args:
            value: the tensor.
            lengths: of the pieces: known integers, all equal.
            name: of the operation.

        Raises:
            UnimplementedError: if they are not known, or differ.
        """
        array = constant_value(convert_to_tensor(lengths))
        if array is None or len({int(n) for n in array.reshape(-1)}) > 1:
            raise UnimplementedError("the lengths of the pieces must be known, and all equal")
        pieces = convert(value, hint=self._dtype)
        rest = [size_along(pieces, (n,)) for n in range(1, len(pieces.shape))]
        each = int(array.reshape(-1)[0]) if array.size else 0
        return self.with_flow(reshape(pieces, stack([array.size, each, *rest]), name=name))

    def size(self, name: str | None = None) -> Tensor:
        """How many elements there are."""
        if self._value is None:
            return identity(convert(0 if self._size is None else self._size), name=name)
        return size_along(self._value, (0,), name=name)

    def identity(self) -> TensorArray:
        """The same array as a new value."""
        return self if self._value is None else self.with_flow(identity(self._value))

    def close(self, name: str | None = None) -> Operation:
        """Do nothing; in TensorFlow 1 it frees the memory."""
        return no_op(name)
