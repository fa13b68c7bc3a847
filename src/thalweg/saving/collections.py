"""Collections as data: their elements by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeAlias

from thalweg.base.errors import DataLossError
from thalweg.graph import Graph, Operation, Tensor
from thalweg.graph.keys import GraphKeys
from thalweg.ops.state.variable import Variable
from thalweg.saving.plain import Plain
from thalweg.saving.signatures import fields_of

OURS = "thalweg/"  # what the names of collections begin with that no user has made
Element: TypeAlias = Callable[[str], Any]  # the tensor or operation of a name

_SKIPPED = object()


def collections_as_plain(
    graph: Graph, keys: Collection[str] | None, name_of: Callable[[str], str | None]
) -> dict[str, list[Plain]]:
    """The collections of a graph as data; a warning says which elements are left out.

    Args:
        graph: has the collections.
        keys: those to take; all if None.
        name_of: from the name of an operation to its name in the data, or None if it is left out.
    """
    made: dict[str, list[Plain]] = {}
    for key in graph.get_all_collection_keys() if keys is None else keys:
        if key in (GraphKeys.ALL_VARIABLES, GraphKeys.SAVERS) or not isinstance(key, str):
            continue  # what is made anew, or none of ours; a meta graph has its saver elsewhere
        items = [_as_plain(graph, item, name_of) for item in graph.get_collection(key)]
        made[key] = [item for item in items if item is not _SKIPPED]
        lost = len(items) - len(made[key])
        if lost and not key.startswith(OURS):
            warnings.warn(f"{lost} elements of the collection {key!r} are no data", stacklevel=2)
    return {key: items for key, items in made.items() if items}


def _as_plain(graph: Graph, item: Any, name_of: Callable[[str], str | None]) -> Plain:
    match item:
        case bool() | int() | str() | None:
            return item
        case float():
            return {"float": item.hex()}
        case bytes():
            return {"bytes": item.decode(errors="surrogateescape")}
        case Variable() if item.graph is graph:
            return _named("variable", name_of(item.op.name), ":0")
        case Tensor() if item.graph is graph:
            return _named("tensor", name_of(item.op.name), f":{item.value_index}")
        case Operation() if item.graph is graph:
            return _named("operation", name_of(item.name), "")
    return _SKIPPED


def _named(kind: str, name: str | None, end: str) -> Plain:
    return _SKIPPED if name is None else {kind: name + end}


def collections_of_plain(
    collections: Mapping[str, list[Plain]], element: Element, variables: Mapping[str, Variable]
) -> Iterator[tuple[str, Any]]:
    """The elements of collections, each with the collection's name.

    Args:
        collections: as data.
        element: finds an operation or a tensor.
        variables: by their names in the data.

    Raises:
        DataLossError: if there is no such element.
    """
    for key, items in collections.items():
        for item in items:
            yield key, _of_plain(item, element, variables)


def _of_plain(item: Plain, element: Element, variables: Mapping[str, Variable]) -> Any:
    if item is None or isinstance(item, bool | int | str):
        return item
    if not isinstance(item, dict) or len(item) != 1:
        raise DataLossError(f"{item!r} is no element of a collection")
    (kind,) = item
    (text,) = fields_of(item, **{kind: str})
    try:
        return _READERS[kind](text, element, variables)
    except (KeyError, ValueError) as error:
        raise DataLossError(f"{item!r} is no element of a collection: {error}") from None


_READERS: Mapping[str, Callable[[str, Element, Mapping[str, Variable]], Any]] = {
    "float": lambda text, element, variables: float.fromhex(text),
    "bytes": lambda text, element, variables: text.encode(errors="surrogateescape"),
    "variable": lambda text, element, variables: variables[text],
    "tensor": lambda text, element, variables: element(text),
    "operation": lambda text, element, variables: element(text),
}
