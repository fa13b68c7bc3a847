"""Order, scopes and collections: what shapes a graph without computing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from thalweg.base.errors import GraphError
from thalweg.graph import Graph, Op, Operation, Tensor, default_graph, home
from thalweg.graph.devices import DeviceLike
from thalweg.ops.arrays.reshape import identity

__all__ = [
    "add_to_collection",
    "add_to_collections",
    "colocate_with",
    "control_dependencies",
    "device",
    "get_collection",
    "get_collection_ref",
    "group",
    "name_scope",
    "no_op",
    "op_scope",
]


class NoOp(Op):
    """Nothing; it holds control dependencies together."""

    type: ClassVar[str] = "NoOp"

    def infer(self) -> tuple[()]:
        """No outputs."""
        return ()

    def evaluate(self, xp: Any) -> tuple[()]:
        return ()


def group(*inputs: Any, name: str | None = None) -> Operation:
    """An operation that is done when all the inputs are.

    Args:
        inputs: tensors, operations, variables, or lists of them.
        name: of the operation.

    Raises:
        TypeError: for anything else.
    """
    flat = list(_flatten(inputs))
    graph = _element_graph(flat)
    return graph.add(NoOp(), (), name or "group_deps", graph.own_operations(flat))


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing."""
    return default_graph().add(NoOp(), (), name)


def tuple_(tensors: Sequence[Any], name: str | None = None) -> list[Tensor]:
    """The same tensors, each available only once all of them have been computed.

    Exported as `tf.tuple`.
    """
    graph = default_graph()
    with graph.name_scope(name or "tuple"):
        done = group(*(t for t in tensors if t is not None), name="group_deps")
        with graph.control_dependencies([done]):
            return [identity(t) for t in tensors]


def _flatten(items: Any) -> Iterator[Any]:
    for item in items:
        if isinstance(item, list | tuple):
            yield from _flatten(item)
        elif isinstance(item, dict):
            yield from _flatten(item.values())
        elif item is not None:
            yield item


def _element_graph(items: Sequence[Any]) -> Graph:
    graphs = [item.graph for item in items if hasattr(item, "graph")]
    return home(graphs[0]) if graphs else default_graph()


def control_dependencies(control_inputs: Sequence[Any] | None) -> AbstractContextManager[None]:
    """Operations made inside run after the given ones; None forgets those in force."""
    return default_graph().control_dependencies(control_inputs)


def device(device_name_or_function: DeviceLike) -> AbstractContextManager[None]:
    """Say where operations made inside are to run.

        with tf.device("/job:worker"), tf.device("/gpu:1"):
            y = tf.matmul(a, b)  # y.device is "/job:worker/device:GPU:1"

    Blocks inside each other add up; of two that name the same field the inner one wins. Operations
    that read or write a variable run on its device, whatever block they are made in. Whether
    there is such a device is only asked when a session runs them.

    Args:
        device_name_or_function: a name such as "/gpu:0", "/device:XLA_CPU:1", "/gpu:*" for any, or
            "/job:ps/task:2/cpu:0"; a `tf.DeviceSpec`; "" for nothing new; None to forget the blocks
            around. A function is called with each operation that is made, and returns a name; in
            `op.device` it finds what the blocks inside its own have chosen, which it replaces.

    Raises:
        DeviceError: if it is not the name of a device.
    """
    return default_graph().device(device_name_or_function)


def colocate_with(op: Any, ignore_existing: bool = False) -> AbstractContextManager[None]:
    """Let operations made inside run where another one does. It wins over `tf.device`.

    Args:
        op: an operation, tensor or variable; None for nothing, with `ignore_existing`.
        ignore_existing: whether blocks of `colocate_with` around this one are forgotten.

    Raises:
        GraphError: if it is of another graph, or None without `ignore_existing`.
        TypeError: if it is no element of a graph.
    """
    return default_graph().colocate_with(op, ignore_existing)


@contextmanager
def name_scope(
    name: str | None, default_name: str | None = None, values: Sequence[Any] | None = None
) -> Iterator[str]:
    """Prefix the names of what is made inside; yields the scope's name with a slash.

    Args:
        name: of the scope; "" goes back to the root, a name ending in "/" re-enters that scope.
        default_name: used if `name` is None.
        values: the tensors that the block works on; their graph becomes the default one.

    Raises:
        GraphError: if there are values and neither name.
    """
    chosen = default_name if name is None else name
    if chosen is None and values is not None:
        raise GraphError("name_scope: give a name, or a default_name beside the values")
    graph = _element_graph(list(_flatten(values or ())))
    with graph.as_default(), graph.name_scope(chosen) as scope:
        yield scope


def op_scope(
    values: Sequence[Any], name: str | None, default_name: str | None = None
) -> AbstractContextManager[str]:
    """The older form of `name_scope`."""
    return name_scope(name, default_name, values)


def add_to_collection(name: str, value: Any) -> None:
    """Add a value to a collection of the default graph."""
    default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """Add a value to several collections of the default graph."""
    default_graph().add_to_collections(names, value)


def get_collection(key: str, scope: str | None = None) -> list[Any]:
    """A copy of a collection of the default graph; with a scope, only what is named inside it."""
    return default_graph().get_collection(key, scope)


def get_collection_ref(key: str) -> list[Any]:
    """A collection of the default graph itself: changing the list changes the graph's."""
    return default_graph().get_collection_ref(key)
