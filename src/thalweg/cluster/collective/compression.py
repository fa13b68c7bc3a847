"""What is sent of a gradient, in place of all its bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.base.errors import InvalidArgumentError
from thalweg.base.shapes import is_known, known, size
from thalweg.cluster.collective.functions import all_reduce, key_of
from thalweg.graph import Tensor
from thalweg.ops.arrays.create import zeros
from thalweg.ops.arrays.reshape import identity
from thalweg.ops.control.control import control_dependencies
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.host.collective import emit_all
from thalweg.ops.host.sparse_all_reduce import SparseAllReduce
from thalweg.ops.state.variable import Variable

__all__ = ["Compression", "Compressor"]

SMALL = 1024  # elements of a tensor that is not worth choosing from


class Compressor(ABC):
    """A way to find the mean of gradients over all ranks."""

    @abstractmethod
    def means(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """The mean of each gradient over all ranks, or what stands for it."""


class _Plain(Compressor):
    """All bits."""

    def means(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        return all_reduce(gradients, True, "AllReduce") if gradients else []


class _Half(Compressor):
    """Two bytes an element: rounded when sent, added as float32, and rounded again.

    Args:
        dtype: float16 or bfloat16.
    """

    def __init__(self, dtype: DType) -> None:
        self._dtype = dtype

    def means(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        halves = [cast(one, self._dtype) for one in gradients]
        made = _Plain().means(halves)
        return [cast(mean, one.dtype) for mean, one in zip(made, gradients, strict=True)]


class _Largest(Compressor):
    """The elements of the largest absolute values; the rest is kept, and added to the next step's.

    Small tensors, such as biases, are sent whole.

    Args:
        ratio: of the elements that are sent.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio

    def means(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        whole = iter(_Plain().means([one for one in gradients if not _is_large(one)]))
        return [self._mean(one) if _is_large(one) else next(whole) for one in gradients]

    def _mean(self, gradient: Tensor) -> Tensor:
        shape, graph = known(gradient.static_shape), gradient.graph
        count = max(1, round(self._ratio * size(shape)))
        with graph.name_scope("SparseAllReduce"):
            with graph.control_dependencies(None):
                kept = Variable(zeros(shape, gradient.dtype), trainable=False, name="kept")
            whole = gradient + kept
            key = key_of(graph, "SparseAllReduce")
            mean, sent = emit_all(SparseAllReduce(key, count), [whole], "SparseAllReduce")
            with control_dependencies([kept.assign(whole - sent)]):
                return identity(mean)


def _is_large(gradient: Tensor) -> bool:
    shape = gradient.static_shape
    return is_known(shape) and size(known(shape)) >= SMALL


class Compression:
    """Ways to send less than all bits of the gradients, for `DistributedOptimizer`.

    Attributes:
        none: all bits.
        fp16: as float16: half the bytes. Gradients above 65,504 become infinite.
        bf16: as bfloat16: half the bytes, and the range of float32.
    """

    none: ClassVar[Compressor] = _Plain()
    fp16: ClassVar[Compressor] = _Half(dtypes.float16)
    bf16: ClassVar[Compressor] = _Half(dtypes.bfloat16)

    @staticmethod
    def top_k(ratio: float = 0.01) -> Compressor:
        """The largest elements of each gradient; what is not sent is added to the next gradient.

        Args:
            ratio: of the elements that are sent, above 0 and at most 1. An element takes 12 bytes
                in place of 4, so it pays below a ratio of 1/3, divided by the number of ranks.

        Raises:
            InvalidArgumentError: the ratio is out of range.
        """
        if not 0 < ratio <= 1:
            raise InvalidArgumentError(f"top_k: the ratio must be in (0, 1]; it is {ratio}")
        return _Largest(ratio)
