"""Nested structures of tensors, as in TensorFlow 1: lists, tuples, named tuples and dicts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from thalweg.base.errors import InvalidArgumentError


def flatten(structure: Any) -> list[Any]:
    """What the structure holds, from left to right; of a dict in the order of its sorted keys."""
    if isinstance(structure, Mapping):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, list | tuple):
        return [leaf for item in structure for leaf in flatten(item)]
    return [structure]


def pack_like(structure: Any, leaves: Sequence[Any]) -> Any:
    """A structure like another, with other things in it, in the order of `flatten`."""
    rest = iter(leaves)
    return _packed(structure, rest)


def map_structure(function: Callable[..., Any], first: Any, *others: Any) -> Any:
    """A structure of what a function makes of the leaves of others of the same kind.

    Raises:
        InvalidArgumentError: if they are not of the same kind.
    """
    for other in others:
        check_same(first, other)
    leaves = zip(flatten(first), *map(flatten, others), strict=True)
    return pack_like(first, [function(*items) for items in leaves])


def check_same(first: Any, other: Any, what: str = "the structures") -> None:
    """Complain unless two structures differ in their leaves only; lists and tuples are alike.

    Raises:
        InvalidArgumentError: if they differ.
    """
    if skeleton(first) != skeleton(other):
        raise InvalidArgumentError(f"{what} differ: {skeleton(first)} and {skeleton(other)}")


def skeleton(structure: Any) -> str:
    """A text for the nesting alone."""
    if isinstance(structure, Mapping):
        items = [f"{key!r}: {skeleton(structure[key])}" for key in sorted(structure)]
        return f"{{{', '.join(items)}}}"
    if isinstance(structure, list | tuple):
        return f"[{', '.join(map(skeleton, structure))}]"
    return "*"


def is_nested(structure: Any) -> bool:
    """Whether it is more than one leaf."""
    return isinstance(structure, Mapping | list | tuple)


def _packed(structure: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, Mapping):
        made = {key: _packed(structure[key], leaves) for key in sorted(structure)}
        base: Any = OrderedDict if isinstance(structure, OrderedDict) else dict
        return base((key, made[key]) for key in structure)
    if isinstance(structure, list | tuple):
        items = [_packed(item, leaves) for item in structure]
        kind: Any = type(structure)
        return kind._make(items) if hasattr(kind, "_make") else kind(items)
    return next(leaves)
