"""The graph that a program builds: append-only, with names, scopes and collections."""

from __future__ import annotations

import inspect
import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from thalweg.base.dims import plain
from thalweg.base.dtypes import string
from thalweg.base.errors import (
    DTypeError,
    GraphError,
    InvalidArgumentError,
    OpError,
    ShapeError,
)
from thalweg.base.forks import Shared
from thalweg.base.record import Record
from thalweg.base.shapes import show
from thalweg.base.source import Source, caller
from thalweg.graph.devices import check_device
from thalweg.graph.names import check_name
from thalweg.graph.node import Operation, Tensor
from thalweg.graph.op import Op, Spec
from thalweg.graph.printer import show_graph

MOST_BYTES = 2**63 - 1


class Graph(Shared):
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
        self._device = ""
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
            GraphError: if an input belongs to another graph, the graph is finalised, or the name
                is not valid.
        """
        source = self.source
        if name:
            check_name(name, "an operation", bool(self._scope))
        self._check_inputs(record, inputs)
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

    def rest(self, seconds: float) -> bool:
        """See `Shared`."""
        return self._lock.acquire(timeout=seconds)

    def go_on(self) -> None:
        """See `Shared`."""
        self._lock.release()

    def renew(self, is_lost: bool) -> None:
        """See `Shared`; the lock that rests is released."""

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
            node = Operation(self, full, record, inputs, before, specs, source, self._device)
            node.index = len(self.operations)
            self.operations.append(node)
            self._by_name[full] = node
        return node

    def _check_inputs(self, record: Op, inputs: Sequence[Tensor]) -> None:
        if self._finalized:
            raise GraphError(f"the graph is finalized: no {record.type} can be added to it")
        for tensor in inputs:
            if tensor.graph is not self:
                raise GraphError(
                    f"{record.type}: {tensor.name!r} belongs to another graph\n"
                    f"  it was made at {tensor.op.source}"
                )

    def finalize(self) -> None:
        """Make the graph read-only."""
        self._finalized = True

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
            self._control = before + [self._operation_of(c) for c in control_inputs]
        try:
            yield
        finally:
            self._control = before

    @property
    def in_control_context(self) -> bool:
        """Whether `control_dependencies` is in force."""
        return bool(self._control)

    def _operation_of(self, element: Any) -> Operation:
        found = self.as_graph_element(element)
        return found.op if isinstance(found, Tensor) else found

    @contextmanager
    def device(self, device: str | Callable[[Any], str] | None) -> Iterator[None]:
        """Note the device on operations made inside.

        Raises:
            DeviceError: if there is no such device here.
        """
        before = self._device
        self._device = check_device(device, before)
        try:
            yield
        finally:
            self._device = before

    @contextmanager
    def made_at(self, source: Source) -> Iterator[None]:
        """Operations made inside are taken to come from this line: rewrites keep the user's."""
        before, self._source = self._source, source
        try:
            yield
        finally:
            self._source = before

    def resume(self, source: Source | None, control_inputs: Sequence[Operation]) -> None:
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
            raise GraphError(f"{element.name!r} is not an element of this graph, but of another")
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

    def __repr__(self) -> str:
        return f"<tf.Graph with {len(self.operations)} operations>"


class UnknownNameError(GraphError, KeyError):
    """There is nothing of that name in the graph."""

    def __str__(self) -> str:
        return str(self.args[0])


def infer(record: Op, inputs: Sequence[Tensor], source: Source) -> tuple[Spec, ...]:
    """The output specs, with the user's lines added to what the record complains about."""
    try:
        made = record.infer(*(tensor.spec for tensor in inputs))
        specs = made if isinstance(made, tuple) else (made,)
        for spec in specs:
            _check_size(spec)
        if not record.takes_strings:
            _check_no_strings([*[tensor.spec for tensor in inputs], *specs])
    except (ShapeError, DTypeError) as error:
        names = _argument_names(type(record).infer, len(inputs))
        named = list(zip(names, inputs, strict=False))
        raise located(error, record.type.lower(), named, source) from None
    return specs


def _check_size(spec: Spec) -> None:
    """Refuse what no address could reach: all offsets are 64-bit numbers, in bytes."""
    size = spec.dtype.size
    for extent in spec.shape or ():
        size *= 1 if extent is None else plain(extent)
    if size > MOST_BYTES:
        raise ShapeError(f"no memory holds a tensor of the shape {show(spec.shape)}")


def _check_no_strings(specs: Iterable[Spec]) -> None:
    """Refuse strings where only numbers have a meaning."""
    for spec in specs:
        if spec.dtype is string:
            raise DTypeError("takes no strings")


def located(
    error: ShapeError | DTypeError,
    what: str,
    named: Iterable[tuple[str, Tensor]],
    source: Source | None = None,
) -> ShapeError | DTypeError:
    """The error with the op, the user's line, and the lines that made the inputs.

    Args:
        error: what is wrong, without a place.
        what: the op.
        named: the inputs with the names that the error uses for them.
        source: the user's line; by default the one that is calling.
    """
    here = source or caller()
    lines = [f"{what}: {error}", f"  at {here}"]
    for name, tensor in named:
        if tensor.op.source != here:
            lines.append(f"  {name} was made at {tensor.op.source}")
    return type(error)("\n".join(lines))


def failed(op: Operation, problem: object) -> OpError:
    """The error of an operation that failed in a run; of the problem's kind, if it has one."""
    return Culprit.of(op).failed(problem)


class Culprit(Record):
    """What an error says of an operation that has failed."""

    name: str
    type: str
    source: Source

    @staticmethod
    def of(op: Operation) -> Culprit:
        """An operation without its graph."""
        return Culprit(op.name, op.type, op.source)

    def failed(self, problem: object) -> OpError:
        """The error."""
        where = f"at {self.source}"
        kind = type(problem) if isinstance(problem, OpError) else InvalidArgumentError
        return kind(f"{self.name!r} ({self.type}) failed: {problem}\n  {where}")


@cache
def _argument_names(infer: Callable[..., Any], count: int) -> tuple[str, ...]:
    parameters = list(inspect.signature(infer).parameters.values())[1:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return tuple(f"input {n}" for n in range(count))
    return tuple(p.name for p in parameters)


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


def graph_of(inputs: Sequence[Tensor]) -> Graph:
    """The graph of the inputs, or the default one if there are none."""
    return inputs[0].graph if inputs else default_graph()
