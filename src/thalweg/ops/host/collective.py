"""Operations in which all processes of a group take part, such as an all-reduce.

A process belongs to at most one group. Alone, it is a group of one: what it gives is what it gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.graph import ACTS_ON_HOST, Effects, Op, Operation, Sample, Spec, Tensor, graph_of
from thalweg.ops.samples import TABLE

Array = np.ndarray[Any, Any]


class Group(Protocol):
    """The processes that train together. Each calls the same methods in the same order.

    Attributes:
        rank: the number of this process, from 0.
        size: how many there are.
    """

    rank: int
    size: int

    def all_reduce(self, key: str, arrays: Sequence[Array], average: bool) -> list[Array]:
        """For each array the sum over all ranks, or the mean; the same bits on each of them.

        What is returned may be overwritten by the next call with the same key.

        Args:
            key: names the call: the same on all ranks.
            arrays: of the same shapes and dtypes on all ranks.
            average: whether to divide by the number of ranks.
        """
        ...

    def all_gather(self, key: str, arrays: Sequence[Array]) -> list[list[Array]]:
        """For each rank its arrays, which may differ in their shapes."""
        ...

    def broadcast(self, key: str, arrays: Sequence[Array], root: int) -> list[Array]:
        """The arrays of one rank."""
        ...

    def report(self, loss: float) -> None:
        """Tell whoever watches the group that this process makes a step, and with what loss."""
        ...


class Alone:
    """A group of one process."""

    rank = 0
    size = 1

    def all_reduce(self, key: str, arrays: Sequence[Array], average: bool) -> list[Array]:
        """The arrays."""
        return list(arrays)

    def all_gather(self, key: str, arrays: Sequence[Array]) -> list[list[Array]]:
        """The arrays, of the only rank."""
        return [list(arrays)]

    def broadcast(self, key: str, arrays: Sequence[Array], root: int) -> list[Array]:
        """The arrays."""
        if root != 0:
            raise InvalidArgumentError(f"there is no rank {root}: the group has one process")
        return list(arrays)

    def report(self, loss: float) -> None:
        """Nobody watches."""


_joined: list[Group] = [Alone()]


def group_of_process() -> Group:
    """The group that this process belongs to."""
    return _joined[-1]


def join(group: Group) -> None:
    """Let this process belong to a group."""
    _joined[1:] = [group]


def leave() -> None:
    """Let this process be alone."""
    del _joined[1:]


class AllReduce(Op):
    """The sum or the mean of each input over all ranks.

    Ranks are added in their order, so the bits are the same on all of them, on every run.

    Attributes:
        key: names the operation among all that the ranks have in common.
        average: whether to divide by the number of ranks.
    """

    type: ClassVar[str] = "AllReduce"
    borrows: ClassVar[bool] = True
    effects: ClassVar[Effects] = ACTS_ON_HOST
    key: str
    average: bool = False

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        for spec in inputs:
            is_number = spec.dtype.is_floating or spec.dtype.is_integer
            if not is_number or (self.average and not spec.dtype.is_floating):
                what = "averages floating tensors" if self.average else "adds numbers"
                raise DTypeError(f"an all-reduce {what}; this one is {spec.dtype}")
        return inputs

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        return tuple(group_of_process().all_reduce(self.key, inputs, self.average))

    def grad(self, node: Operation, *dys: Tensor | None) -> Sequence[Tensor | None]:
        given = [dy for dy in dys if dy is not None]
        found = iter(emit_all(AllReduce(f"{node.name}/gradient", self.average), given))
        return [None if dy is None else next(found) for dy in dys]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls("sum"), (TABLE, TABLE[0]), exact=True)
        yield Sample(cls("mean", True), (TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls("mean", True), (np.arange(3),), "averages floating tensors")


class AllGather(Op):
    """The input of all ranks, one after the other along the first axis.

    Attributes:
        key: names the operation among all that the ranks have in common.
    """

    type: ClassVar[str] = "AllGather"
    effects: ClassVar[Effects] = ACTS_ON_HOST
    differentiable: ClassVar[bool] = False
    key: str

    def infer(self, x: Spec) -> Spec:
        if x.shape == ():
            raise ShapeError("an all-gather joins tensors along their first axis; this is a scalar")
        return Spec(None if x.shape is None else (None, *x.shape[1:]), x.dtype)

    def evaluate(self, xp: Any, x: Any) -> Any:
        return xp.concatenate([one for (one,) in group_of_process().all_gather(self.key, [x])])

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls("rows"), (TABLE,), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls("rows"), (np.float32(1),), "this is a scalar")


class Broadcast(Op):
    """The inputs of one rank, on all of them.

    Attributes:
        key: names the operation among all that the ranks have in common.
        root: the rank.
    """

    type: ClassVar[str] = "CollectiveBroadcast"
    effects: ClassVar[Effects] = ACTS_ON_HOST
    differentiable: ClassVar[bool] = False
    key: str
    root: int = 0

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return inputs

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        return tuple(group_of_process().broadcast(self.key, inputs, self.root))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls("start"), (TABLE, TABLE[0]), exact=True)


class Report(Op):
    """Tells whoever watches the group of a step and its loss."""

    type: ClassVar[str] = "ReportStep"
    borrows: ClassVar[bool] = True
    effects: ClassVar[Effects] = ACTS_ON_HOST
    differentiable: ClassVar[bool] = False

    def infer(self, loss: Spec) -> tuple[Spec, ...]:
        return ()

    def evaluate(self, xp: Any, loss: Any) -> Any:
        group_of_process().report(float(xp.mean(loss)))
        return ()


def emit_all(record: Op, inputs: Sequence[Tensor], name: str | None = None) -> list[Tensor]:
    """The outputs of a new operation."""
    return list(graph_of(inputs).add(record, list(inputs), name).outputs)
