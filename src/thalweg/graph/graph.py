"""The graph that a program builds: append-only, with names, scopes and collections."""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from thalweg.base.errors import GraphError
from thalweg.base.forks import ForkSafe
from thalweg.base.source import Source, caller
from thalweg.graph.devices import NOWHERE, DeviceLike, DeviceScope
from thalweg.graph.effects import Origin
from thalweg.graph.inference import infer
from thalweg.graph.names import check_name
from thalweg.graph.node import Hooks, Operation, Tensor
from thalweg.graph.op import Op, Spec
from thalweg.graph.printer import show_graph


class Graph(ForkSafe):
    """A dataflow graph.

    Operations are added by calling the functions of the API while the graph is the default one. It
    only ever grows, also while sessions run it.
    """

    fork_order = 1

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.seed: int | None = None
        self.random_ops = 0
        self._by_name: dict[str, Operation] = {}
        self._used_names: dict[str, int] = {}
        self._collections: dict[str, list[Any]] = {}
        self._scope = ""
        self._control: list[Operation] = []
        self._devices = NOWHERE
        self._source: Source | None = None
        self._finalized = False

    # -- building

    @property
    def source(self) -> Source:
        """The line that operations made now come from."""
        return self._source or caller()

    def add(
        self,
        record: Op,
        inputs: Sequence[Tensor] = (),
        name: str | None = None,
        control_inputs: Sequence[Operation] = (),
    ) -> Operation:
        """Append an operation; its outputs' shapes and dtypes are inferred by the record.

        Raises:
            ShapeError, DTypeError: from the record, with the user's lines added.
            GraphError: if an input belongs to a graph that this one does not see, the graph is
                finalised, or the name is not valid.
        """
        source = self.source
        if name:
            check_name(name, "an operation", bool(self._scope))
        inputs = self._own_inputs(record, inputs)
        specs = infer(record, inputs, source)
        return self._append(record, inputs, specs, name or record.type, control_inputs, source)

    def copy(self, op: Operation, inputs: Sequence[Tensor], name: str) -> Operation:
        """Append an operation like that of another graph; the inputs must be of this one.

        Raises:
            ShapeError, DTypeError: as `add` does, if the inputs are known better than they were.
        """
        source = self._source or op.source
        before = [tensor.spec for tensor in op.inputs]
        if inputs and all(map(operator.is_, before, [tensor.spec for tensor in inputs])):
            specs = tuple([tensor.spec for tensor in op.outputs])
        else:
            specs = infer(op.record, inputs, source)
        node = self._append(op.record, inputs, specs, name, (), source)
        node.device = op.device
        return node

    def quiesce(self, seconds: float) -> bool:
        """See `ForkSafe`."""
        return self._lock.acquire(timeout=seconds)

    def resume(self) -> None:
        """See `ForkSafe`."""
        self._lock.release()

    def reset_in_child(self, is_lost: bool) -> None:
        """See `ForkSafe`; `resume` releases the lock."""

    def _append(
        self,
        record: Op,
        inputs: Sequence[Tensor],
        specs: Sequence[Spec],
        name: str,
        control_inputs: Sequence[Operation],
        source: Source,
    ) -> Operation:
        with self._lock:
            full = self.unique_name(name)
            before = tuple(dict.fromkeys((*control_inputs, *self._control)))
            node = Operation(self, full, record, inputs, before, specs, source)
            self._assign_device(node)
            node.index = len(self.operations)
            self.operations.append(node)
            self._by_name[full] = node
        return node

    def _assign_device(self, op: Operation) -> None:
        """Note where an operation is to run: with the variable whose handle it takes, if any."""
        for tensor in op.inputs:
            if tensor.op.record.origin is Origin.RESOURCE:
                op.device = tensor.op.device
                return
        if self._devices is not NOWHERE:
            self._devices.assign(op)

    def extend(self, op: Operation, record: Op) -> tuple[Tensor, ...]:
        """Let an operation do more than it did: compute other outputs behind those that it has.

        Args:
            op: of this graph.
            record: what it becomes; it makes the present outputs as they are, and some more.

        Returns:
            The new outputs.
        """
        specs = infer(record, op.inputs, op.source)
        with self._lock:
            before = len(op.outputs)
            made = [Tensor(op, n, spec) for n, spec in enumerate(specs) if n >= before]
            op.record, op.outputs = record, (*op.outputs, *made)
        return op.outputs[before:]

    def _own_inputs(self, record: Op, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The inputs of a new operation, as tensors of this graph."""
        if self._finalized:
            raise GraphError(f"the graph is finalized: no {record.type} can be added to it")
        if all(tensor.op.graph is self for tensor in inputs):
            return inputs
        try:
            return [self.capture(tensor) for tensor in inputs]
        except GraphError as error:
            raise type(error)(f"{record.type}: {error}") from None

    # -- graphs inside others: the bodies of loops and branches

    @property
    def root(self) -> Graph:
        """The outermost graph that this one lies in: itself, unless it is a body."""
        return self

    @property
    def depth(self) -> int:
        """In how many other graphs it lies."""
        return 0

    def outer_of(self, inner: Tensor) -> Tensor | None:
        """The tensor of a graph around that one stands for, if it does."""
        return None

    def sees(self, graph: Graph) -> bool:
        """Whether tensors of another graph can be inputs of operations of this one."""
        return False

    def lifted(self, tensor: Tensor) -> Tensor:
        """A tensor of this graph, computed in the outermost one."""
        return tensor

    def capture(self, tensor: Tensor) -> Tensor:
        """The tensor that stands in this graph for one of this graph or of one that it sees.

        Raises:
            GraphError: for a tensor of any other graph.
        """
        if tensor.op.graph is self:
            return tensor
        where = (
            "lies inside a loop or a branch" if tensor.graph.depth else "belongs to another graph"
        )
        raise GraphError(f"{tensor.name!r} {where}\n  it was made at {tensor.op.source}")

    def finalize(self) -> None:
        """Make the graph read-only."""
        self._finalized = True

    def unfinalize(self) -> None:
        """Let the graph be added to again, as after the session that needed it finished."""
        self._finalized = False

    @property
    def finalized(self) -> bool:
        """Whether the graph is read-only."""
        return self._finalized

    # -- names and scopes

    def unique_name(self, name: str, mark_as_used: bool = True) -> str:
        """The name inside the current scope, with `_1`, `_2` ... if it is taken.

        A name that ends in "/" is taken as it stands, without the slash: it is that of a scope that
        was opened for the purpose.
        """
        if name.endswith("/"):
            return name[:-1]
        if not name:
            return ""
        full = f"{self._scope}/{name}" if self._scope else name
        taken = self._used_names.get(full)
        if taken is None:
            if mark_as_used:
                self._used_names[full] = 1
            return full
        while f"{full}_{taken}" in self._used_names:
            taken += 1
        if mark_as_used:
            self._used_names[full] = taken + 1
            self._used_names[f"{full}_{taken}"] = 1
        return f"{full}_{taken}"

    def get_name_scope(self) -> str:
        """The name of the scope that is open, without a slash; "" at the root."""
        return self._scope

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Prefix the names made inside; yields the scope's name with a slash.

        None or "" goes back to the root; a name ending in "/" re-enters that scope.

        Raises:
            GraphError: if the name is not valid.
        """
        before = self._scope
        if name:
            check_name(name, "a scope", bool(before))
        if not name:
            self._scope = ""
        else:
            self._scope = self.unique_name(name)
        try:
            yield f"{self._scope}/" if self._scope else ""
        finally:
            self._scope = before

    @contextmanager
    def control_dependencies(self, control_inputs: Sequence[Any] | None) -> Iterator[None]:
        """Operations made inside run after the given ones; None forgets those in force."""
        before = self._control
        if control_inputs is None:
            self._control = []
        else:
            self._control = before + self.own_operations(control_inputs)
        try:
            yield
        finally:
            self._control = before

    @property
    def in_control_context(self) -> bool:
        """Whether `control_dependencies` is in force."""
        return bool(self._control)

    def own_operations(self, elements: Iterable[Any]) -> list[Operation]:
        """The operations of this graph that control dependencies on some elements stand for.

        Raises:
            GraphError, TypeError: as `as_graph_element` does.
        """
        found = [self.as_graph_element(element) for element in elements]
        return [item.op if isinstance(item, Tensor) else item for item in found]

    def device(self, device_name_or_function: DeviceLike) -> AbstractContextManager[None]:
        """Note on operations made inside where they are to run; see `tf.device`.

        Raises:
            DeviceError: if it is not the name of a device.
        """
        return self._placing(self._devices.inside(device_name_or_function))

    @contextmanager
    def _placing(self, scope: DeviceScope) -> Iterator[None]:
        before, self._devices = self._devices, scope
        try:
            yield
        finally:
            self._devices = before

    def colocate_with(self, op: Any, ignore_existing: bool = False) -> AbstractContextManager[None]:
        """Let operations made inside run where another one does; see `tf.colocate_with`.

        Raises:
            GraphError, TypeError: if it is no element of the graph, or None and there is no
                colocation to ignore.
        """
        existing = () if ignore_existing else self._devices.colocated
        if op is None and ignore_existing:
            return self._placing(DeviceScope())
        if op is None:
            raise GraphError(f"colocate_with: None needs ignore_existing=True\n  at {caller()}")
        graph = getattr(op, "graph", self)
        found = (graph if self.sees(graph) else self).as_graph_element(op)
        other = found.op if isinstance(found, Tensor) else found
        return self._placing(DeviceScope((), (*existing, other)))

    def placed_as(self, graph: Graph) -> AbstractContextManager[None]:
        """Let operations made inside run where those of another graph would."""
        return self._placing(graph._devices)

    @property
    def in_device_scope(self) -> bool:
        """Whether something decides where new operations run."""
        return self._devices is not NOWHERE

    @contextmanager
    def made_at(self, source: Source) -> Iterator[None]:
        """Operations made inside are taken to come from this line: rewrites keep the user's."""
        before, self._source = self._source, source
        try:
            yield
        finally:
            self._source = before

    def continue_at(self, source: Source | None, control_inputs: Sequence[Operation]) -> None:
        """From now on, operations come from this line and run after the given ones.

        It is `made_at` and `control_dependencies` for a pass that goes from operation to operation.
        """
        self._source, self._control = source, list(control_inputs)

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """Make this the default graph inside the block."""
        _stack().append(self)
        try:
            yield self
        finally:
            _default.leave(self)

    # -- looking things up

    def get_operations(self) -> list[Operation]:
        """All operations, in the order in which they were made."""
        return list(self.operations)

    def as_graph_def(self, from_version: int = 0, add_shapes: bool = False) -> Any:
        """The operations as data, which `tf.import_graph_def` adds to a graph again.

        Args:
            from_version: how many operations to leave out, from the first.
            add_shapes: whether each node has the shapes of its outputs, as `_output_shapes`.

        Returns:
            A `tf.GraphDef`.

        Raises:
            GraphError: if an operation holds what is not data, such as the function of `py_func`.
        """
        return Hooks.graph_def(self, from_version or 0, add_shapes)

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation of that name.

        Raises:
            KeyError, GraphError: if there is none.
        """
        if name not in self._by_name:
            raise UnknownNameError(f"the graph has no operation named {name!r}")
        return self._by_name[name]

    def get_tensor_by_name(self, name: str) -> Tensor:
        """The tensor of a name such as "MatMul:0".

        Raises:
            KeyError, GraphError: if there is none.
        """
        op_name, colon, number = name.rpartition(":")
        if not colon or not number.isdecimal() or len(number) > 9:
            raise GraphError(f"{name!r} is not a tensor's name, which has the form 'operation:0'")
        outputs = self.get_operation_by_name(op_name).outputs
        if int(number) >= len(outputs):
            raise UnknownNameError(f"{op_name!r} has {len(outputs)} outputs, so no {name!r}")
        return outputs[int(number)]

    def as_graph_element(
        self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True
    ) -> Any:
        """The tensor or operation that an object or a name stands for.

        Raises:
            GraphError: if it belongs to another graph or does not exist.
            TypeError: if it is nothing of the kind.
        """
        element = obj._as_graph_element() if hasattr(obj, "_as_graph_element") else obj
        if isinstance(element, str):
            by_name = self.get_tensor_by_name if ":" in element else self.get_operation_by_name
            element = by_name(element)
        kinds = [(Tensor, allow_tensor), (Operation, allow_operation)]
        if not any(allowed and isinstance(element, kind) for kind, allowed in kinds):
            raise TypeError(f"{obj!r} is not an element of a graph")
        if element.graph is not self:
            where = "it lies inside a loop or a branch" if element.graph.depth else "but of another"
            raise GraphError(f"{element.name!r} is not an element of this graph, {where}")
        return element

    # -- collections

    def add_to_collection(self, name: str, value: Any) -> None:
        """Append a value to a collection."""
        self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Append a value to several collections."""
        for name in (names,) if isinstance(names, str) else dict.fromkeys(names):
            self.add_to_collection(name, value)

    def get_collection_ref(self, name: str) -> list[Any]:
        """The collection itself: changing it changes the graph's."""
        return self._collections.setdefault(name, [])

    def get_collection(self, name: str, scope: str | None = None) -> list[Any]:
        """A copy of the collection; with a scope, only what is named inside it."""
        items = list(self._collections.get(name, ()))
        if scope is None:
            return items
        return [item for item in items if getattr(item, "name", "").startswith(scope)]

    def clear_collection(self, name: str) -> None:
        """Empty a collection."""
        self._collections.pop(name, None)

    def get_all_collection_keys(self) -> list[str]:
        """The names of all collections."""
        return list(self._collections)

    def __str__(self) -> str:
        return show_graph(self)

    def _repr_html_(self) -> str | None:
        return Hooks.html(self)

    def __repr__(self) -> str:
        return f"<tf.Graph with {len(self.operations)} operations>"


class UnknownNameError(GraphError, KeyError):
    """There is nothing of that name in the graph."""

    def __str__(self) -> str:
        return str(self.args[0])


class _Default(threading.local):
    """A stack of default graphs for each thread, over one graph for the whole process."""

    def __init__(self) -> None:
        self.stack: list[Graph] = []

    def leave(self, graph: Graph) -> None:
        """Take the innermost occurrence off; it may lie under others if blocks were not nested."""
        for place in reversed(range(len(self.stack))):
            if self.stack[place] is graph:
                del self.stack[place]
                return


_default = _Default()
_global = [Graph()]


def _stack() -> list[Graph]:
    return _default.stack


def default_graph() -> Graph:
    """The graph that new operations go to."""
    return _stack()[-1] if _stack() else _global[0]


def reset_default_graph() -> None:
    """Replace the default graph by an empty one.

    Raises:
        GraphError: inside a `with graph.as_default()` block.
    """
    if _stack():
        raise GraphError("reset_default_graph cannot be used inside `with graph.as_default():`")
    _global[0] = Graph()
