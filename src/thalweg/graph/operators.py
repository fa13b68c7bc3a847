"""Python's operators on tensors, and on what stands for a tensor, such as a variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.graph.node import Tensor

# What each operator does: the graph cannot import the ops, which fill this in.
OPERATORS: dict[str, Callable[..., Any]] = {}


class Operators:
    """Operators that build operations."""

    __slots__ = ()
    __array_priority__ = 100  # so that `array * tensor` asks the tensor

    def _as_tensor(self) -> Tensor:
        """The tensor that it stands for."""
        raise NotImplementedError

    def __neg__(self) -> Tensor:
        return _operator("neg", self._as_tensor())

    def __abs__(self) -> Tensor:
        return _operator("abs", self._as_tensor())

    def __invert__(self) -> Tensor:
        return _operator("invert", self._as_tensor())

    def __getitem__(self, key: Any) -> Tensor:
        return _operator("getitem", self._as_tensor(), key)

    def __add__(self, other: Any) -> Tensor:
        return _operator("add", self._as_tensor(), other)

    def __radd__(self, other: Any) -> Tensor:
        return _operator("add", other, self._as_tensor())

    def __sub__(self, other: Any) -> Tensor:
        return _operator("sub", self._as_tensor(), other)

    def __rsub__(self, other: Any) -> Tensor:
        return _operator("sub", other, self._as_tensor())

    def __mul__(self, other: Any) -> Tensor:
        return _operator("mul", self._as_tensor(), other)

    def __rmul__(self, other: Any) -> Tensor:
        return _operator("mul", other, self._as_tensor())

    def __truediv__(self, other: Any) -> Tensor:
        return _operator("truediv", self._as_tensor(), other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _operator("truediv", other, self._as_tensor())

    def __floordiv__(self, other: Any) -> Tensor:
        return _operator("floordiv", self._as_tensor(), other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return _operator("floordiv", other, self._as_tensor())

    def __mod__(self, other: Any) -> Tensor:
        return _operator("mod", self._as_tensor(), other)

    def __rmod__(self, other: Any) -> Tensor:
        return _operator("mod", other, self._as_tensor())

    def __pow__(self, other: Any) -> Tensor:
        return _operator("pow", self._as_tensor(), other)

    def __rpow__(self, other: Any) -> Tensor:
        return _operator("pow", other, self._as_tensor())

    def __matmul__(self, other: Any) -> Tensor:
        return _operator("matmul", self._as_tensor(), other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _operator("matmul", other, self._as_tensor())

    def __lt__(self, other: Any) -> Tensor:
        return _operator("lt", self._as_tensor(), other)

    def __le__(self, other: Any) -> Tensor:
        return _operator("le", self._as_tensor(), other)

    def __gt__(self, other: Any) -> Tensor:
        return _operator("gt", self._as_tensor(), other)

    def __ge__(self, other: Any) -> Tensor:
        return _operator("ge", self._as_tensor(), other)

    def __and__(self, other: Any) -> Tensor:
        return _operator("and", self._as_tensor(), other)

    def __rand__(self, other: Any) -> Tensor:
        return _operator("and", other, self._as_tensor())

    def __or__(self, other: Any) -> Tensor:
        return _operator("or", self._as_tensor(), other)

    def __ror__(self, other: Any) -> Tensor:
        return _operator("or", other, self._as_tensor())

    def __xor__(self, other: Any) -> Tensor:
        return _operator("xor", self._as_tensor(), other)

    def __rxor__(self, other: Any) -> Tensor:
        return _operator("xor", other, self._as_tensor())


def _operator(name: str, *args: Any) -> Tensor:
    result: Tensor = OPERATORS[name](*args)
    return result
