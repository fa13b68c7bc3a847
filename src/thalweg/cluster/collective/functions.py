"""Collective operations in a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.graph import Graph, IndexedSlices, Operation, Tensor, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.build import convert
from thalweg.ops.control.control import group
from thalweg.ops.host.collective import (
    AllGather,
    AllReduce,
    Broadcast,
    emit_all,
    group_of_process,
)

__all__ = [
    "allgather",
    "allreduce",
    "barrier",
    "broadcast",
    "broadcast_global_variables",
    "broadcast_variables",
]


def key_of(graph: Graph, what: str) -> str:
    """The name that a new operation will have; programs with the same text give the same names."""
    return graph.unique_name(what, mark_as_used=False)


def allreduce(tensor: Any, average: bool = True, name: str | None = None) -> Any:
    """The mean or the sum of a tensor over all ranks, with the same bits on each of them.

        mean = cluster.allreduce(loss)

    Of `IndexedSlices` all slices of all ranks are gathered, and for the mean divided by the number
    of ranks: where an index occurs several times, they add up.

    Args:
        tensor: of the same shape and dtype on all ranks; `IndexedSlices` may have other numbers of
            slices.
        average: whether to divide by the number of ranks; a floating tensor then.
        name: of the operation, the same on all ranks.

    Raises:
        LostRankError: in a run, if a process of the group is gone or does not answer.
        InvalidArgumentError: in a run, if another rank is at another operation.
    """
    if isinstance(tensor, IndexedSlices):
        return _all_slices(tensor, average, name)
    return all_reduce([convert(tensor)], average, name or "AllReduce")[0]


def all_reduce(tensors: Sequence[Tensor], average: bool, name: str) -> list[Tensor]:
    """The means or the sums of some tensors, in one operation."""
    return emit_all(AllReduce(key_of(tensors[0].graph, name), average), tensors, name)


def _all_slices(slices: IndexedSlices, average: bool, name: str | None) -> IndexedSlices:
    values = slices.values / group_of_process().size if average else slices.values
    gathered = allgather(values, name), allgather(slices.indices, name and f"{name}_indices")
    return IndexedSlices(*gathered, slices.dense_shape)


def allgather(tensor: Any, name: str | None = None) -> Tensor:
    """The tensors of all ranks, one after the other along the first axis.

    Args:
        tensor: at least a vector. The ranks may differ in its first extent only.
        name: of the operation, the same on all ranks.

    Raises:
        ShapeError: it is a scalar.
    """
    value, name = convert(tensor), name or "AllGather"
    return emit_all(AllGather(key_of(value.graph, name)), [value], name)[0]


def broadcast(tensor: Any, root_rank: int = 0, name: str | None = None) -> Tensor:
    """The tensor of one rank.

    Args:
        tensor: of the same shape and dtype on all ranks.
        root_rank: whose.
        name: of the operation, the same on all ranks.
    """
    return _from_root([convert(tensor)], root_rank, name or "Broadcast")[0]


def _from_root(tensors: Sequence[Tensor], root: int, name: str) -> list[Tensor]:
    return emit_all(Broadcast(key_of(tensors[0].graph, name), root), tensors, name)


def barrier(name: str | None = None) -> Operation:
    """An operation that ends when all ranks have come to it."""
    graph, name = default_graph(), name or "Barrier"
    return graph.add(AllReduce(key_of(graph, name)), [], name)


def broadcast_variables(variables: Any, root_rank: int = 0) -> Operation:
    """An operation that sets variables to their values on one rank.

    Args:
        variables: a list, the same on all ranks.
        root_rank: whose values.
    """
    listed = list(variables)
    graph = listed[0].graph if listed else default_graph()
    with graph.as_default(), graph.name_scope("BroadcastVariables"):
        given = [convert(one) for one in listed]
        values = _from_root(given, root_rank, "Broadcast") if given else []
        return group(*[one.assign(value) for one, value in zip(listed, values, strict=True)])


def broadcast_global_variables(root_rank: int = 0) -> Operation:
    """An operation that sets all variables of the graph to their values on one rank.

    session.run(tf.global_variables_initializer())
    session.run(cluster.broadcast_global_variables(0))
    """
    variables = default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)
    return broadcast_variables(variables, root_rank)
