"""What a run returns: any nesting of lists, tuples and dicts of tensors and operations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from thalweg.base.bounded_dict import BoundedDict
from thalweg.base.errors import FetchError, GraphError, ResourceExhaustedError
from thalweg.graph import Graph, IndexedSlices, Operation, Tensor
from thalweg.graph.indexed_slices import IndexedSlicesValue

Pack = Callable[[Sequence[Any]], Any]


class Fetches:
    """The structure that a user fetches.

    Args:
        graph: the session's.
        structure: a tensor, operation, variable or name, or a nesting of them.

    Attributes:
        tensors: the different tensors in it, in order.
        targets: the different operations in it, in order.
        pack: makes the structure of the tensors' values, in their order; None for operations.

    Raises:
        FetchError: for anything else, or elements of other graphs.
    """

    def __init__(self, graph: Graph, structure: Any) -> None:
        self._graph = graph
        self._numbers: dict[Tensor, int] = {}
        self._operations: dict[Operation, None] = {}
        self.pack = self._build(structure)
        self.tensors = tuple(self._numbers)
        self.targets = tuple(self._operations)

    def _build(self, item: Any) -> Pack:
        if isinstance(item, IndexedSlices):
            return self._slices(item)
        if isinstance(item, list | tuple):
            return self._sequence(item)
        if isinstance(item, Mapping):
            return self._mapping(item)
        return self._element(item)

    def _sequence(self, items: list[Any] | tuple[Any, ...]) -> Pack:
        parts, kind = [self._build(item) for item in items], type(items)
        if hasattr(kind, "_make"):  # a named tuple
            return lambda values: kind._make(part(values) for part in parts)
        if isinstance(items, tuple):
            return lambda values: tuple([part(values) for part in parts])
        return lambda values: [part(values) for part in parts]

    def _slices(self, item: IndexedSlices) -> Pack:
        values, indices = self._build(item.values), self._build(item.indices)
        shape = None if item.dense_shape is None else self._build(item.dense_shape)

        def pack(found: Sequence[Any]) -> IndexedSlicesValue:
            dense_shape = None if shape is None else shape(found)
            return IndexedSlicesValue(values(found), indices(found), dense_shape)

        return pack

    def _mapping(self, items: Mapping[Any, Any]) -> Pack:
        parts, kind = {key: self._build(item) for key, item in items.items()}, type(items)
        base: Any = OrderedDict if issubclass(kind, OrderedDict) else dict
        return lambda values: base({key: part(values) for key, part in parts.items()})

    def _element(self, item: Any) -> Pack:
        found = fetchable(self._graph, item)
        if isinstance(found, Tensor):
            again = found in self._numbers
            number = self._numbers.setdefault(found, len(self._numbers))
            return _copy(number) if again else _item(number)
        self._operations[found] = None
        return lambda values: None


class Structures:
    """What a session has been asked for, found again in a fraction of a microsecond.

    Args:
        graph: the session's.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[Hashable, Fetches] = BoundedDict()

    def of(self, structure: Any) -> Fetches:
        """The structure that a user fetches.

        Raises:
            FetchError: as `Fetches` does.
        """
        # most are one tensor or operation, and a call takes a tenth of a microsecond
        key = structure if type(structure) in (Tensor, Operation) else _key(structure)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Fetches(self._graph, structure)
        return found

    def clear(self) -> None:
        """Forget them all."""
        self._known.clear()


def _key(structure: Any) -> Hashable:
    """The same for equal structures of the same elements."""
    try:
        key = _elements(structure)
        hash(key)
    except RecursionError:
        raise FetchError("the fetches are nested too deeply, or hold themselves") from None
    except TypeError:  # a part of it only seemed to have a hash
        return id(structure)
    return key


def _elements(item: Any) -> Hashable:
    if isinstance(item, (Tensor, Operation)):
        return item
    kind = type(item)
    if kind is list or isinstance(item, tuple):
        return (kind, *map(_elements, item))
    if isinstance(item, list):
        return (kind, *map(_elements, item))
    if isinstance(item, Mapping):
        return (kind, *((key, _elements(value)) for key, value in item.items()))
    return item if isinstance(item, Hashable) else id(item)


def _item(number: int) -> Pack:
    """What a tensor's value is fetched as: an array, or a scalar if it has no axes."""

    def item(values: Sequence[Any]) -> Any:
        value = values[number]
        return value if value.ndim else value[()]

    return item


def _copy(number: int) -> Pack:
    """The same for a tensor that occurs again, whose arrays are to be as independent as others."""

    def copy(values: Sequence[Any]) -> Any:
        value = values[number]
        return value.copy() if value.ndim else value[()]

    return copy


def fetchable(graph: Graph, item: Any) -> Tensor | Operation:
    """The tensor or operation that an item of the fetches stands for.

    Raises:
        FetchError: if it stands for none of the graph's.
    """
    try:
        found: Tensor | Operation = graph.as_graph_element(item)
    except TypeError:
        kind = type(item).__name__
        raise FetchError(
            f"{item!r} ({kind}) cannot be fetched: a fetch is a tensor, an operation, a variable, "
            "or the name of one"
        ) from None
    except GraphError as error:
        made = getattr(getattr(item, "op", item), "source", None)
        where = f"\n  it was made at {made}" if made else ""
        raise FetchError(f"cannot fetch {item!r}: {error}{where}") from None
    return found


def exhausted(
    fetches: Sequence[Tensor], targets: Sequence[Operation], error: MemoryError
) -> ResourceExhaustedError:
    """The error for a run that there is not enough memory for."""
    names = ", ".join([repr(t.name) for t in fetches] + [repr(op.name) for op in targets])
    made = [op.source for op in (*(tensor.op for tensor in fetches), *targets)]
    where = f"\n  at {made[0]}" if made else ""
    return ResourceExhaustedError(f"there is no memory to run {names}: {error}{where}")
