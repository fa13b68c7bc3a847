"""What the records of pointwise operations share.

The records take inputs of one shape; the public functions broadcast first. Most apply one scalar
function, which says of which dtypes it is and what it computes; the others are compositions, and
say that themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.dtypes import DType
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.formula import FUNCTIONS, Lowered, Operand, apply, pointwise
from thalweg.formula.functions import ANY, BOOLEAN, FLOATING, KINDS, NUMERIC
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import emit

Grads = Sequence[Tensor | None]


def check_kind(kind: str, dtype: DType) -> None:
    """Check that a dtype is of the kind an op takes.

    Raises:
        DTypeError: if it is not.
    """
    if not KINDS[kind](dtype):
        raise DTypeError(f"takes {kind} tensors, not {dtype}")


class Pointwise(Op):
    """What pointwise ops share: one shape and dtype for all inputs.

    Class attributes:
        function: the scalar function that it applies; none if it is a composition.
        kind: of the dtypes that it takes, by default those of its function.
        result: the dtype of the output, by default that of its function.
        arity: how many inputs it takes, by default as many as its function.
    """

    function: ClassVar[str] = ""
    kind: ClassVar[str] = NUMERIC
    result: ClassVar[DType | None] = None
    arity: ClassVar[int] = 2

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take what is known of the function."""
        super().__init_subclass__(**kwargs)
        if "function" in vars(cls):
            function = FUNCTIONS[cls.function]
            cls.kind = vars(cls).get("kind", function.kind)
            cls.result, cls.arity = function.result, function.arity

    def infer(self, *inputs: Spec) -> Spec:
        if len(inputs) != self.arity:
            raise ShapeError(f"takes {self.arity} inputs, not {len(inputs)}")
        first = inputs[0]
        shape = first.shape
        for other in inputs[1:]:
            if other.dtype != first.dtype:
                raise DTypeError(f"the inputs are {first.dtype} and {other.dtype}")
            shape = shapes.merge(shape, other.shape)
        check_kind(self.kind, first.dtype)
        return Spec(shape, self.result or first.dtype)

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        return FUNCTIONS[self.function].evaluate(xp, *inputs)

    def lower(self, *inputs: Operand) -> Lowered:
        return pointwise(lambda *args: apply(self.function, *args), *inputs)

    @classmethod
    def of(cls, *inputs: Tensor, name: str | None = None) -> Tensor:
        """The op applied to tensors of one shape: what gradients use, as nothing need broadcast."""
        return emit(cls(), *inputs, name=name)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        wrong = {BOOLEAN: np.float32, ANY: None}.get(cls.kind, np.bool_)
        if wrong is not None:
            yield Sample(cls(), (np.ones(2, wrong),) * cls.arity, f"takes {cls.kind} tensors, not")
        if cls.arity == 2:
            good: np.ndarray[Any, Any] = np.ones(
                (2, 3), np.bool_ if cls.kind == BOOLEAN else np.int32
            )
            if cls.kind == FLOATING:
                good = good.astype(np.float32)
            yield Sample(cls(), (good, good[:1]), "shapes [2, 3] and [1, 3] are not compatible")


def numbers(*values: float) -> np.ndarray[Any, Any]:
    """A sample of float32."""
    return np.array(values, np.float32)


MIXED = numbers(-2.5, -1.0, -0.3, 0.2, 0.9, 1.7, 30.0).reshape(7, 1) * numbers(1.0, 0.71, 1.13)
POSITIVE = np.abs(MIXED)
OTHER = numbers(1.5, -0.6, 2.0, -3.1, 0.4, 0.75, -1.2).reshape(7, 1) * numbers(1.0, 0.9, 1.4)


WITHIN_ONE = np.sin(MIXED) * np.float32(0.97)


class Unary(Pointwise):
    """A function of one argument."""

    arity: ClassVar[int] = 1
    domain: ClassVar[np.ndarray[Any, Any]] = MIXED
    smooth: ClassVar[bool] = True

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (cls.domain,), differentiable=cls.smooth)
        yield Sample(cls(), (cls.domain.reshape(-1)[5],), differentiable=cls.smooth)


class Elementary(Unary):
    """A smooth function of floating-point numbers."""

    kind: ClassVar[str] = FLOATING


class Binary(Pointwise):
    """A function of two arguments."""

    left: ClassVar[np.ndarray[Any, Any]] = MIXED
    right: ClassVar[np.ndarray[Any, Any]] = OTHER
    smooth: ClassVar[bool] = True

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (cls.left, cls.right), differentiable=cls.smooth)


class Flat(Binary):
    """Functions of two arguments that no gradient flows through."""

    def grad(self, node: Operation, dy: Tensor) -> Grads:
        return [None, None]
