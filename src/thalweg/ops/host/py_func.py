"""Functions of the user's that Python calls in the middle of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, InvalidArgumentError, OpError, OutOfRangeError
from thalweg.base.record import Record
from thalweg.graph import (
    ACTS_ON_HOST,
    ON_HOST,
    Effects,
    Op,
    Operation,
    Sample,
    Spec,
    Tensor,
    graph_of,
)
from thalweg.ops.build import convert, to_array
from thalweg.ops.samples import TABLE

Array = np.ndarray[Any, Any]


class Callback(Record, eq=False):
    """A function of the user's; each is equal to itself alone."""

    function: Callable[..., Any]

    @property
    def name(self) -> str:
        """What errors call it."""
        return getattr(self.function, "__name__", type(self.function).__name__)


class PyFunc(Op):
    """What a function of the user's makes of the inputs' arrays.

    Attributes:
        callback: the function.
        output_types: the dtypes of what it returns.
        stateful: whether calls may differ though the arguments are equal.
    """

    type: ClassVar[str] = "PyFunc"
    takes_strings: ClassVar[bool] = True
    callback: Callback
    output_types: tuple[DType, ...]
    stateful: bool = True

    @property
    def effects(self) -> Effects:
        return ACTS_ON_HOST if self.stateful else ON_HOST

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return tuple(Spec(None, dtype) for dtype in self.output_types)

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        returned = self._call([_argument(array) for array in inputs])
        values = returned if isinstance(returned, list | tuple) else [returned]
        if not self.output_types and returned is None:
            values = []
        if len(values) != len(self.output_types):
            raise InvalidArgumentError(
                f"{self.callback.name} returned {len(values)} values, "
                f"where {len(self.output_types)} were promised"
            )
        return tuple(
            _result(n, value, dtype)
            for n, (value, dtype) in enumerate(zip(values, self.output_types, strict=True))
        )

    def _call(self, arguments: Sequence[Any]) -> Any:
        try:
            return self.callback.function(*arguments)
        except (OpError, MemoryError):
            raise
        except StopIteration as error:
            raise OutOfRangeError(f"{self.callback.name} raised StopIteration") from error
        except Exception as error:
            text = f"{self.callback.name} raised {type(error).__name__}: {error}"
            raise InvalidArgumentError(text) from error

    def grad(self, node: Operation, *dys: Tensor | None) -> Sequence[Tensor | None]:
        return [None] * len(node.inputs)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        half = Callback(lambda x: np.float32(x * 0.5))
        split = Callback(lambda x: [np.float32(x[0]), list(x.shape)])
        names = Callback(lambda names, x: [[name + b"!" for name in names], x.size])
        kinds = dtypes.float32, dtypes.int64, dtypes.string
        yield Sample(cls(half, kinds[:1], False), (TABLE,), differentiable=False)
        yield Sample(cls(split, kinds[:2], False), (TABLE,), differentiable=False)
        yield Sample(cls(names, kinds[:0:-1]), (np.array([b"a"], object), TABLE), exact=True)


def _argument(array: Array) -> Any:
    """A copy, which the function may change and keep; a NumPy scalar, or bytes, without axes."""
    return array.copy() if array.ndim else array[()]


def _result(number: int, value: Any, dtype: DType) -> Array:
    """What the function returned, as an array of its own."""
    if not isinstance(value, np.ndarray | np.generic):
        try:
            return to_array(value, dtype)
        except DTypeError as error:
            raise InvalidArgumentError(f"output {number}: {error}") from None
    if as_dtype(value.dtype) != dtype:
        raise InvalidArgumentError(
            f"output {number} is {as_dtype(value.dtype)}, where Tout says {dtype}"
        )
    return to_array(value, dtype)


def py_func(
    func: Callable[..., Any],
    inp: Sequence[Any],
    Tout: Any,
    stateful: bool = True,
    name: str | None = None,
) -> Any:
    """Call a Python function in a run.

        def sinh(x):
            return np.sinh(x)

        y = tf.py_func(sinh, [x], tf.float32)

    The run waits for the function, which holds Python's lock. Nothing is known of the shapes that
    it returns: use `Tensor.set_shape`. There is no gradient through it.

    Args:
        func: takes as many NumPy arrays as there are inputs, which are its own; NumPy scalars where
            an input is one, and `bytes` for a string. It returns an array, or a list of them, of
            the dtypes that `Tout` says, or Python's own numbers, strings and lists of these.
        inp: tensors.
        Tout: the dtype of what it returns; a list of them if it returns several; an empty list if
            it returns nothing.
        stateful: whether calls may differ though the arguments are equal. If not, the function may
            be called while a run is planned, once for all runs, where the inputs are constants.
        name: of the operation.

    Returns:
        A tensor; a list of them if `Tout` is one; the operation if that is empty.

    Raises:
        InvalidArgumentError: in a run, if the function raises an error, or returns something else
            than `Tout` says.
        OutOfRangeError: in a run, if the function raises `StopIteration`.
    """
    if not callable(func):
        raise InvalidArgumentError(f"func must be a function, not {func!r}")
    is_list = isinstance(Tout, list | tuple)
    kinds = tuple(map(as_dtype, Tout if is_list else [Tout]))
    inputs = [convert(item) for item in inp]
    node = graph_of(inputs).add(PyFunc(Callback(func), kinds, bool(stateful)), inputs, name)
    if not node.outputs:
        return node
    return list(node.outputs) if is_list else node.outputs[0]
