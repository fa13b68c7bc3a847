"""An all-reduce of the largest elements only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import DTypeError
from thalweg.graph import ACTS_ON_HOST, Effects, Op, Sample, Spec
from thalweg.ops.host.collective import group_of_process
from thalweg.ops.samples import TABLE

Array = np.ndarray[Any, Any]


class SparseAllReduce(Op):
    """The mean over all ranks of the largest elements of each, and which this rank has sent.

    A rank sends the elements of the largest absolute values, with their places. What it does not
    send is for the user to keep: it is the input less the second output.

    Source: Lin et al., Deep Gradient Compression, 2018.

    Attributes:
        key: names the operation among all that the ranks have in common.
        count: how many elements each rank sends.
    """

    type: ClassVar[str] = "SparseAllReduce"
    effects: ClassVar[Effects] = ACTS_ON_HOST
    differentiable: ClassVar[bool] = False
    key: str
    count: int

    def infer(self, x: Spec) -> tuple[Spec, Spec]:
        if not x.dtype.is_floating:
            raise DTypeError(f"an all-reduce of the largest averages floating tensors, not {x}")
        return x, x

    def evaluate(self, xp: Any, x: Any) -> Any:
        flat = np.asarray(x).reshape(-1)
        places = _largest(flat, self.count)
        everybody = group_of_process().all_gather(self.key, [places, flat[places]])
        mean, sent = np.zeros_like(flat), np.zeros_like(flat)
        for others, values in everybody:  # in the order of the ranks
            mean[others] += values
        sent[places] = flat[places]
        mean /= len(everybody)
        return mean.reshape(np.shape(x)), sent.reshape(np.shape(x))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls("some", 2), (TABLE,), exact=True)
        yield Sample(cls("all", 6), (TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls("some", 2), (np.arange(3),), "averages floating tensors")


def _largest(flat: Array, count: int) -> Array:
    """The places of the elements of the largest absolute values, in order."""
    if count >= flat.size:
        return np.arange(flat.size)
    return np.sort(np.argpartition(np.abs(flat), -count)[-count:])
