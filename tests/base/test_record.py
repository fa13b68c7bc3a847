"""Records behave as dataclasses do, which each of these is compared with."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import pytest

from thalweg.base.record import Record, astuple, field, replace


class Point(Record):
    """A record with a default."""

    unit: ClassVar[str] = "m"
    x: int
    y: int = 2


@dataclasses.dataclass(frozen=True)
class DataPoint:
    x: int
    y: int = 2


class Place(Point):
    """A record with more fields than its parent."""

    name: str = ""


class Box(Record, frozen=False):
    """A record that can change."""

    items: list[int] = field(default_factory=list)


class Thing(Record, eq=False):
    """A record that is equal to itself alone."""

    x: int


class Nothing(Record):
    """A record without fields."""


@pytest.mark.parametrize("kind", [Point, DataPoint])
def test_arguments_are_fields(kind: Any) -> None:
    assert [(p.x, p.y) for p in (kind(1), kind(1, 3), kind(y=4, x=1))] == [(1, 2), (1, 3), (1, 4)]


@pytest.mark.parametrize("kind", [Point, DataPoint])
@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "missing 1 required positional argument: 'x'"),
        ((1, 2, 3), {}, "takes from 2 to 3 positional arguments but 4 were given"),
        ((1,), {"x": 2}, "multiple values for argument 'x'"),
        ((1,), {"z": 2}, "unexpected keyword argument 'z'"),
    ],
)
def test_wrong_arguments(kind: Any, args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        kind(*args, **kwargs)


def test_an_object_after_one_that_failed() -> None:
    class Late(Record):
        x: int

    with pytest.raises(TypeError, match=r"Late.__init__\(\) missing"):
        Late()  # type: ignore[call-arg]
    assert Late(3).x == 3


@pytest.mark.parametrize("kind", [Point, DataPoint])
def test_equal_fields_make_equal_records(kind: Any) -> None:
    assert kind(1, 2) == kind(1)
    assert hash(kind(1, 2)) == hash(kind(1))
    assert kind(1) != kind(2)
    assert kind(1) != (1, 2)


def test_of_one_class_only() -> None:
    assert Place(1) != Point(1)
    assert Nothing() == Nothing()
    assert Nothing() != Point(1)


def test_equal_to_itself_alone() -> None:
    thing = Thing(1)
    assert {thing: "found"}[thing] == "found"
    assert thing != Thing(1)


def test_inherited_fields_come_first() -> None:
    assert astuple(Place(1, 3, "here")) == (1, 3, "here")
    assert repr(Place(1)) == "Place(x=1, y=2, name='')"


def test_frozen() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="Point is immutable: 'x' cannot be set"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Point is immutable: 'x' cannot be deleted"):
        del point.x


def test_not_frozen() -> None:
    box = Box()
    box.items.append(1)
    assert Box().items == []  # each has its own
    box.items = [2]
    assert box == Box([2])
    with pytest.raises(TypeError, match="unhashable"):
        hash(box)


def test_matched_by_position() -> None:
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)


def test_replaced() -> None:
    assert replace(Place(1, 2, "a"), y=5) == Place(1, 5, "a")
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        replace(Point(1), z=5)


@pytest.mark.parametrize("record", [Point(1), Place(1, 2, "b"), Box([3]), Nothing()])
def test_copies(record: Record) -> None:
    assert pickle.loads(pickle.dumps(record)) == record
    assert copy.deepcopy(record) == record


def test_the_signature_is_that_of_the_fields() -> None:
    class Unused(Place):
        boxes: list[Box] = field(default_factory=list)

    assert str(inspect.signature(Unused)) == "(x, y=2, name='', boxes=list())"


def test_importing_compiles_no_dataclass() -> None:
    code = """
import numpy, dataclasses
def compiled(*args, **kwargs): raise AssertionError(args)
dataclasses._process_class = compiled
import thalweg, thalweg.backends.native.backend
"""
    subprocess.run([sys.executable, "-c", code], check=True)
