"""What the annotations of a record's fields say, and whether values are so.

Many records are tested at once: a test takes all values that a field has in them.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping
from functools import cache, cached_property
from inspect import get_annotations
from itertools import chain
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from thalweg.base.record import Record

Test = Callable[[Collection[Any]], bool]

_TOKEN = re.compile(r"[\w.]+|[\[\]|,]")


def field_tests(cls: type[Record]) -> tuple[Test, ...]:
    """A test for each field of a record, and for each property that it remembers.

    Raises:
        AttributeError, TypeError, ValueError: an annotation is not made of what is known here.
    """
    return tuple(_test(field_kind(cls, name)) for name in (*cls.fields, *cls.remembered))


def field_kind(cls: type[Record], name: str) -> Any:
    """The type that the annotation of a field or of a cached property stands for."""
    for base in cls.__mro__:
        own, found = base.__dict__.get(name), get_annotations(base).get(name, "")
        if isinstance(own, cached_property):
            found = own.func.__annotations__["return"]
        if found:
            return _parsed(found, base.__module__)
    raise AttributeError(f"{cls.__qualname__}.{name} has no annotation")


@cache
def _parsed(text: str, module: str) -> Any:
    """The types that the text of an annotation stands for; to compile it would take longer.

    A name is one of the module or, where modules need each other's classes, of its package.
    """
    tokens = _TOKEN.findall(text)[::-1]
    package = sys.modules[module.rpartition(".")[0] or module]
    scope = ChainMap(*(vars(names) for names in (sys.modules[module], package, builtins)))

    def union() -> Any:
        kind = item()
        while tokens[-1:] == ["|"]:
            tokens.pop()
            kind = Union[kind, item()]  # noqa: UP007
        return kind

    def item() -> Any:
        name, *rest = tokens.pop().split(".")
        if name == "":
            return ...
        kind: Any = None if name == "None" else scope[name]
        for attribute in rest:
            kind = getattr(kind, attribute)
        return kind[arguments()] if tokens[-1:] == ["["] else kind

    def arguments() -> tuple[Any, ...]:
        found = []
        while tokens.pop() != "]":  # after "[" and each ","
            if tokens[-1] != "]":
                found.append(union())
        return tuple(found)

    return union()


def _test(kind: Any) -> Test:
    origin, of = get_origin(kind), get_args(kind)
    if kind is Any or origin is Callable:
        return lambda values: True
    if origin is Literal:
        return lambda values: all(value in of for value in values)
    if origin in (Union, UnionType):
        return _union(of)
    if origin in (Mapping, dict):
        return _mapping(*of)
    if origin is tuple and ... not in of:
        return _in_order(of)
    if origin in (tuple, list, frozenset):
        return _container(origin, of[0])
    if kind is float:
        return _of_types(float, int)
    return _of_types(NoneType if kind is None else origin or kind)


def _of_types(*types: type) -> Test:
    return lambda values: all(issubclass(kind, types) for kind in set(map(type, values)))


def _union(kinds: tuple[Any, ...]) -> Test:
    types = tuple(kind for kind in kinds if isinstance(kind, type))
    tests = [_test(kind) for kind in kinds if kind not in types]

    def test(values: Collection[Any]) -> bool:
        left = [value for value in values if not isinstance(value, types)]
        return all(any(test([value]) for test in tests) for value in left)

    return test if tests else _of_types(*types)


def _container(container: type, kind: Any) -> Test:
    test = _test(kind)
    return lambda values: (
        set(map(type, values)) <= {container} and test(list(chain.from_iterable(_distinct(values))))
    )


def _in_order(kinds: tuple[Any, ...]) -> Test:
    tests, lengths = tuple(map(_test, kinds)), {len(kinds)}

    def test(values: Collection[Any]) -> bool:
        if not set(map(type, values)) <= {tuple} or not set(map(len, values)) <= lengths:
            return False
        columns = zip(*_distinct(values), strict=True)
        return all(test(column) for test, column in zip(tests, columns, strict=False))

    return test


def _mapping(key: Any, value: Any) -> Test:
    keys, values = _test(key), _test(value)

    def test(maps: Collection[Any]) -> bool:
        return set(map(type, maps)) <= {dict} and all(
            keys(one.keys()) and values(one.values()) for one in _distinct(maps)
        )

    return test


def _distinct(values: Collection[Any]) -> Collection[Any]:
    """Each object once: a long one may stand in many places."""
    return dict(zip(map(id, values), values, strict=True)).values()
