"""Values that are printed as a run goes by."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from thalweg.graph import ACTS_ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.build import convert
from thalweg.ops.host.values import summary
from thalweg.ops.samples import TABLE


class Print(Op):
    """The input; data are printed to the standard error output as it goes by.

    Attributes:
        message: what is printed before the data.
        first_n: how often at most; always if negative.
        summarize: how many elements of each tensor; 3 if None, all if negative.
    """

    type: ClassVar[str] = "Print"
    effects: ClassVar[Effects] = ACTS_ON_HOST
    takes_strings: ClassVar[bool] = True
    message: str = ""
    first_n: int = -1
    summarize: int | None = None

    @cached_property
    def _calls(self) -> Iterator[int]:
        """Counts the times that it has run."""
        return itertools.count()

    def infer(self, input: Spec, *data: Spec) -> Spec:
        return input

    def evaluate(self, xp: Any, input: Any, *data: Any) -> Any:
        if self.first_n < 0 or next(self._calls) < self.first_n:
            shown = "".join(summary(array, self.summarize) for array in data)
            print(f"{self.message}{shown}", file=sys.stderr, flush=True)
        return input

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [dy, *([None] * (len(node.inputs) - 1))]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls("x: "), (TABLE, np.int32(TABLE), np.array(b"a", object)), exact=True)
        yield Sample(cls(), (TABLE,), exact=True)


def Print_(  # noqa: N802  TensorFlow's name
    input_: Any,
    data: Sequence[Any],
    message: str | None = None,
    first_n: int | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> Tensor:
    """The input, and data printed to the standard error output each time it is computed.

        x = tf.Print(x, [tf.shape(x), x], "x: ")      # x: [2 3][[0.25 0.5 0.75]...]

    Exported as `tf.Print`.

    Args:
        input_: a tensor.
        data: tensors to print.
        message: what is printed before them.
        first_n: how often at most; always by default.
        summarize: how many elements of each tensor; 3 by default, all if it is -1.
        name: of the operation.

    Returns:
        The input. Nothing is printed unless a run needs this tensor.
    """
    inputs = [convert(item) for item in (input_, *data)]
    limit = -1 if first_n is None else int(first_n)
    record = Print(str(message or ""), limit, summarize)
    return inputs[0].graph.add(record, inputs, name).outputs[0]
