"""Making nodes: values become tensors, and shapes are broadcast explicitly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dims import Node, lift_array, pin_shape
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.record import Record
from thalweg.base.shapes import Shape, is_known, known
from thalweg.base.text import is_text, text_array
from thalweg.graph import Graph, Op, Tensor, default_graph, graph_of, located
from thalweg.graph.operators import OPERATORS, Operators
from thalweg.ops.arrays.constant import Constant, constant_of
from thalweg.ops.evaluation import outputs


def emit(record: Op, *inputs: Tensor, name: str | None = None) -> Tensor:
    """Add a node to the inputs' graph and return its first output."""
    return graph_of(inputs).add(record, inputs, name).outputs[0]


def convert(
    value: Any, dtype: DType | None = None, name: str | None = None, hint: DType | None = None
) -> Tensor:
    """A tensor for a tensor, variable, array, number or nested list.

    Args:
        value: what to convert; a list may hold tensors, which are then stacked.
        dtype: the type that it must have.
        name: of the constant, if one is made.
        hint: the type to prefer where the value leaves it open.

    Raises:
        DTypeError: if a tensor has another type, or the value cannot be of the type.
    """
    if hasattr(value, "_as_tensor"):
        value = value._as_tensor()
    if isinstance(value, Tensor):
        if dtype is not None and value.dtype != dtype:
            raise DTypeError(f"{value.name!r} is {value.dtype}, where {dtype} is needed")
        return graph_of([value]).capture(value)
    if isinstance(value, list | tuple) and _holds_tensor(value):
        return _stack(value, dtype or hint)
    array = to_array(value, dtype or hint)
    return default_graph().add(Constant.of(array), (), name or "Const").outputs[0]


@contextmanager
def scope(name: str | None, default: str, *values: Any) -> Iterator[str]:
    """A name scope in the graph of the tensors among the values; its last op takes the name.

    Yields:
        the name for the last operation, which makes it exactly what the user asked for.
    """
    tensors = [v for v in values if isinstance(v, Tensor)]
    graph = graph_of(tensors[:1])
    if graph is default_graph():
        with graph.name_scope(name or default) as full:
            yield full
    else:
        with graph.as_default(), graph.name_scope(name or default) as full:
            yield full


def constant_value(tensor: Tensor) -> np.ndarray[Any, Any] | None:
    """The value of a tensor that is a constant, else None; it decides about the plan."""
    record = constant_of(tensor)
    return None if record is None else record.pinned


def is_planned(tensor: Tensor) -> bool:
    """Whether a tensor is a constant that came from shapes which may differ in the next run."""
    record = constant_of(tensor)
    return record is not None and record.planned is not None


def constant_like(graph: Graph, array: Any, name: str | None = None) -> Tensor:
    """A constant in a given graph."""
    return graph.add(Constant.of(np.asarray(array)), (), name).outputs[0]


def computed_constant(
    graph: Graph,
    function: Callable[..., np.ndarray[Any, Any]],
    arguments: Iterable[Tensor | int | Node | np.ndarray[Any, Any]],
    name: str | None = None,
    shape: Shape = None,
) -> Tensor:
    """What a pure function makes of constants and extents; it may vary as they may.

    Args:
        graph: that the constant is made in.
        function: hashable.
        arguments: tensors stand for the arrays of their constants.
        name: of the constant.
        shape: of the result, as far as it is known beforehand.
    """
    items = [planned_value(a) if isinstance(a, Tensor) else a for a in arguments]
    array, planned = lift_array(function, *items)
    if not is_known(shape):
        shape = array.shape
        if planned is not None:
            pin_shape(planned)
    return graph.add(Constant.of(array, planned, known(shape)), (), name).outputs[0]


class Evaluation(Record):
    """An output of an operation, as a function of its inputs."""

    op: Op
    number: int
    dtypes: tuple[DType, ...]

    def __call__(self, *inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.array(outputs(self.op, inputs, self.dtypes)[self.number])


def planned_value(tensor: Tensor) -> np.ndarray[Any, Any] | Node:
    """The array of a constant, or its node if it may differ in the next run."""
    record = constant_of(tensor)
    assert record is not None
    return record.array if record.planned is None else record.planned


def to_array(value: Any, dtype: DType | None = None) -> np.ndarray[Any, Any]:
    """An array of its own for a number, string, list or array.

    Python floats are float32, ints int32, strings bytes in UTF-8.

    Nothing that is done to the value afterwards changes it.

    Integers that do not fit int32 are int64.

    Raises:
        DTypeError: if it is not made of numbers or strings, would lose its fraction as an integer,
            or does not fit an integer type.
    """
    array = np.asarray(value)
    if (dtype is not None and dtype.is_string) or (dtype is None and is_text(array)):
        return text_array(value)
    if array.dtype.kind in "OUS":
        raise DTypeError(f"{value!r} is not a number or a regular array of numbers")
    plain = not isinstance(value, np.ndarray | np.generic)
    if dtype is None:
        default = _DEFAULTS.get(array.dtype.name, array.dtype)
        if not plain:
            return _known(array)
        return array.astype(default) if _fits(array, default) else array
    if array.dtype.kind == "f" and dtype.is_integer and plain:
        raise DTypeError(f"{value!r} cannot be converted to {dtype}: use tf.cast")
    if not _fits(array, dtype.numpy):
        raise DTypeError(f"{value!r} does not fit {dtype}")
    return array.astype(dtype.numpy)


def _fits(array: np.ndarray[Any, Any], target: np.dtype[Any]) -> bool:
    """Whether integers keep their values as integers of another type."""
    if array.dtype.kind not in "iu" or target.kind not in "iu" or not array.size:
        return True
    if np.can_cast(array.dtype, target, "safe"):
        return True
    limits = np.iinfo(target)
    return limits.min <= int(array.min()) and int(array.max()) <= limits.max


_DEFAULTS = {"float64": np.dtype(np.float32), "int64": np.dtype(np.int32)}


def _known(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(as_dtype(array.dtype).numpy)


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_tensor, value))
    return isinstance(value, Operators)


def first_dtype(value: Any) -> DType | None:
    """The dtype of the first tensor or variable in a value or nested list."""
    if isinstance(value, list | tuple):
        return next((kind for v in value if (kind := first_dtype(v)) is not None), None)
    is_tensor = isinstance(value, Operators)
    return value.dtype if is_tensor else None


def _stack(values: Sequence[Any], dtype: DType | None) -> Tensor:
    hint = dtype or first_dtype(values)
    stacked: Tensor = OPERATORS["stack"]([convert(v, hint=hint) for v in values])
    return stacked


def convert_pair(a: Any, b: Any, what: str) -> tuple[Tensor, Tensor]:
    """Two operands as tensors of one dtype: plain values take the type of the tensor beside them.

    Args:
        a: the first operand.
        b: the second operand.
        what: the op that takes them, for the error.

    Raises:
        DTypeError: if both are tensors of different types.
    """
    a, b = (v._as_tensor() if hasattr(v, "_as_tensor") else v for v in (a, b))
    if isinstance(b, Tensor) and not isinstance(a, Tensor):
        a = convert(a, hint=b.dtype)
    a = convert(a)
    b = convert(b, hint=a.dtype)
    if a.dtype != b.dtype:
        error = DTypeError(
            f"{a.name!r} is {a.spec} but {b.name!r} is {b.spec}: use tf.cast on one of them"
        )
        raise located(error, what, [(repr(a.name), a), (repr(b.name), b)])
    return a, b


@contextmanager
def checking(what: str, **inputs: Tensor) -> Iterator[None]:
    """Add the op, the user's line and those of its inputs to what the checks inside complain of."""
    try:
        yield
    except (ShapeError, DTypeError) as error:
        raise located(error, what, inputs.items()) from None


def needs_broadcast(tensor: Tensor, other: Tensor) -> bool:
    """Whether the tensor's shape may differ from the one it has after broadcasting."""
    mine, theirs = tensor.static_shape, other.static_shape
    if tensor is other or theirs == ():  # a scalar never widens the other operand
        return False
    if mine is None or theirs is None:
        return True
    if mine == theirs:
        return None in mine
    if mine != shapes.broadcast(mine, theirs):
        return True
    padded = (1,) * (len(mine) - len(theirs)) + theirs
    return any(m is None and t != 1 for m, t in zip(mine, padded, strict=True))


def float_dtype(dtype: Any) -> DType:
    """A floating dtype from anything.

    Raises:
        DTypeError: if it is another kind of type.
    """
    kind = as_dtype(dtype)
    if not kind.is_floating:
        raise DTypeError(f"{kind} is not a floating-point type")
    return kind


INDEX = dtypes.int32
