"""Where a condition holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes
from thalweg.graph import ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor
from thalweg.ops.samples import CUBE


class Where(Op):
    """The indices of the elements that are not 0 or False, one a row, in row-major order."""

    type: ClassVar[str] = "Where"
    effects: ClassVar[Effects] = ON_HOST

    def infer(self, condition: Spec) -> Spec:
        rank = None if condition.shape is None else len(condition.shape)
        return Spec((None, rank), dtypes.int64)

    def evaluate(self, xp: Any, condition: Any) -> Any:
        return xp.asarray(xp.argwhere(condition), xp.int64)

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (CUBE % 1 > 0.3,), exact=True)
        yield Sample(cls(), (np.array([0, 3, 0, -1], np.int32),), exact=True)
        yield Sample(cls(), (np.array(True),), exact=True)
        yield Sample(cls(), (np.zeros((0, 2), np.bool_),), exact=True)
