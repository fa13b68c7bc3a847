"""Fetches: any nesting of tensors and operations is given back with values in their places."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.session.fetches import Fetches, Structures

Point = namedtuple("Point", "x y")
ONE, TWO = np.array([1.0]), np.array([2.0])


def fetches(structure: Any) -> Fetches:
    return Fetches(tf.get_default_graph(), structure)


def test_structures_are_kept() -> None:
    a, b = tf.constant([1.0]), tf.constant([2.0])
    cases: list[tuple[Any, Any]] = [
        (a, ONE),
        ([a, b], [ONE, TWO]),
        ((a, [b]), (ONE, [TWO])),
        (Point(a, b), Point(ONE, TWO)),
        ({"a": a, "b": (b,)}, {"a": ONE, "b": (TWO,)}),
        (OrderedDict(a=a, b=b), OrderedDict(a=ONE, b=TWO)),
        ([], []),
        ({}, {}),
    ]
    for structure, expected in cases:
        made = fetches(structure)
        values = [ONE if tensor is a else TWO for tensor in made.tensors]
        packed = made.pack(values)
        assert type(packed) is type(expected)
        assert packed == expected


def test_operations_give_none_and_run_once() -> None:
    a = tf.constant(1.0)
    op = tf.group(a)
    made = fetches([op, a, op])
    assert (made.tensors, made.targets) == ((a,), (op,))
    assert made.pack([np.array(1.0)]) == [None, 1.0, None]


def test_names_and_variables_are_fetched() -> None:
    a, v = tf.constant(1.0, name="a"), tf.Variable(2.0, name="v")
    assert fetches("a:0").tensors == (a,)
    assert fetches("a").targets == (a.op,)
    assert fetches([v, "v:0"]).tensors == fetches("v:0").tensors


def test_a_tensor_that_occurs_again_is_computed_once_and_copied() -> None:
    a = tf.constant([1.0])
    made = fetches([a, a])
    assert made.tensors == (a,)
    first, second = made.pack([ONE])
    assert first is ONE
    assert not np.shares_memory(first, second)


def test_scalars_are_no_arrays() -> None:
    value = fetches(tf.constant(1.0)).pack([np.array(1.0, np.float32)])
    assert type(value) is np.float32


@pytest.mark.parametrize("item", [None, 3, 1.5, object], ids=str)
def test_what_is_no_fetch(item: Any) -> None:
    with pytest.raises(tf.errors.FetchError, match="cannot be fetched: a fetch is a tensor"):
        fetches([item])


def test_tensors_of_other_graphs() -> None:
    with tf.Graph().as_default():
        other = tf.constant(1.0)
    with pytest.raises(tf.errors.FetchError, match="cannot fetch") as caught:
        fetches(other)
    assert str(other.op.source) in str(caught.value)


def test_equal_structures_are_found_again() -> None:
    a, b = tf.constant(1.0), tf.constant(2.0)
    known = Structures(tf.get_default_graph())
    for equal in ([a, b], (a, b), {"x": a}, Point(a, b), a):
        assert known.of(equal) is known.of(equal)
    assert known.of([a, b]) is known.of([a, b])
    assert len({id(known.of(each)) for each in ([a, b], [b, a], (a, b), Point(a, b))}) == 4
    first = known.of(a)
    known.clear()
    assert known.of(a) is not first


def test_a_structure_that_holds_itself() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(tf.errors.FetchError, match="nested too deeply, or hold themselves"):
        Structures(tf.get_default_graph()).of(endless)
