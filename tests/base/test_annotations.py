"""What the annotations of records say, and whether values are so."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

import pytest

from thalweg.backends.native.cache.encoding import may_be_named
from thalweg.base.annotations import field_kind, field_tests
from thalweg.base.record import Record
from thalweg.ops import catalogue

assert catalogue.ALL  # all records of operations are imported


class Point(Record):
    x: int
    name: str | None
    weight: float = 0.0


class Line(Record):
    points: tuple[Point, ...]
    ends: tuple[Point, Point]
    marks: Mapping[str, tuple[int, ...]]
    kinds: frozenset[str]
    either: tuple[int, ...] | None
    anything: Any = None


P = Point(1, "a")


@pytest.mark.parametrize(
    ("record", "name", "good", "bad"),
    [
        (Point, "x", [1, True], [1.0, "1", None]),
        (Point, "name", ["a", None], [1, b"a"]),
        (Point, "weight", [1.5, 1], ["1", None]),
        (Line, "points", [(), (P, P)], [[P], (P, 1), (None,), P]),
        (Line, "ends", [(P, P)], [(P,), (P, P, P), (P, 1), ()]),
        (Line, "marks", [{}, {"a": (1,)}], [{1: (1,)}, {"a": 1}, {"a": (None,)}, ()]),
        (Line, "kinds", [frozenset("a")], [frozenset([1]), ("a",), {"a"}]),
        (Line, "either", [None, (), (1,)], [(None,), 1]),
        (Line, "anything", [None, 1, P], []),
    ],
)
def test_values_of_fields(record: type[Record], name: str, good: list[Any], bad: list[Any]) -> None:
    test = field_tests(record)[record.fields.index(name)]
    assert test(good)
    assert all(test([value]) for value in good)
    assert not any(test([value]) for value in bad)
    assert not any(test([*good, value]) for value in bad)


def named(record: type[Record] = Record) -> Iterator[type[Record]]:
    """Every record of the package that may be kept."""
    for below in record.__subclasses__():
        if below.__module__.startswith("thalweg.") and may_be_named(below):
            yield below
        yield from named(below)


@pytest.mark.parametrize("record", sorted(set(named()), key=repr), ids=lambda r: r.__qualname__)
def test_annotations_are_read_as_python_reads_them(record: type[Record]) -> None:
    package = sys.modules[record.__module__.rpartition(".")[0]]
    expected = get_type_hints(record, localns=vars(package))
    for name in record.fields:
        assert field_kind(record, name) == expected[name]
    assert len(field_tests(record)) == len(record.fields) + len(record.remembered)
