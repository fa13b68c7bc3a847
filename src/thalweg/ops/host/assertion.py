"""Conditions that a run must meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.base.shapes import show
from thalweg.graph import ACTS_ON_HOST, Effects, Op, Operation, Sample, Spec, graph_of
from thalweg.ops.build import convert
from thalweg.ops.host.values import summary
from thalweg.ops.samples import TABLE


class Assert(Op):
    """Nothing; a run in which the condition does not hold fails, and says what the data are.

    Attributes:
        summarize: how many elements of each tensor; 3 if None, all if negative.
    """

    type: ClassVar[str] = "Assert"
    effects: ClassVar[Effects] = ACTS_ON_HOST
    takes_strings: ClassVar[bool] = True
    summarize: int | None = None

    def infer(self, condition: Spec, *data: Spec) -> tuple[()]:
        """No outputs."""
        if not condition.dtype.is_bool:
            raise DTypeError(f"the condition must be bool, not {condition.dtype}")
        if condition.shape not in (None, ()):
            raise ShapeError(f"the condition must be a scalar, but it is {show(condition.shape)}")
        return ()

    def evaluate(self, xp: Any, condition: Any, *data: Any) -> tuple[()]:
        if condition.ndim:
            raise InvalidArgumentError(f"the condition is not a scalar: {show(condition.shape)}")
        if not condition:
            raise InvalidArgumentError(self.problem(data))
        return ()

    def problem(self, data: Sequence[Any]) -> str:
        """What an error says."""
        return " ".join(["assertion failed:", *(summary(item, self.summarize) for item in data)])

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (np.array(True), TABLE, np.array(b"a", object)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE,), "the condition must be bool, not float32")
        yield Sample(cls(), (TABLE > 1,), "the condition must be a scalar, but it is [2, 3]")


def Assert_(  # noqa: N802  TensorFlow's name
    condition: Any, data: Sequence[Any], summarize: int | None = None, name: str | None = None
) -> Operation:
    """An operation that fails unless a condition holds.

    It must be run: fetch it, or make what relies on it under `tf.control_dependencies`.

        with tf.control_dependencies([tf.Assert(tf.reduce_all(x > 0), ["x is", x])]):
            y = tf.log(x)

    Exported as `tf.Assert`.

    Args:
        condition: a bool scalar.
        data: tensors or strings, which the error shows.
        summarize: how many elements of each tensor; 3 by default, all if it is -1.
        name: of the operation.

    Raises:
        ShapeError: if the condition is no scalar.
        InvalidArgumentError: in a run, if the condition does not hold; no variable has changed.
    """
    inputs = [convert(condition, dtypes.bool_), *(convert(item) for item in data)]
    return graph_of(inputs).add(Assert(summarize), inputs, name)
