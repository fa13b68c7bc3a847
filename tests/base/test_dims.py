"""Varying extents: arithmetic, what is asked of them, and replaying both for other ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.base.dims import (
    Dim,
    Given,
    Sizes,
    Trace,
    lift,
    lift_array,
    off_the_record,
    pin,
    pin_shape,
)


def traced(*extents: int) -> tuple[Trace, list[Dim]]:
    trace = Trace()
    return trace, [trace.give(extent) for extent in extents]


def replayed(trace: Trace, *extents: Given) -> Sizes:
    trace.close()
    sizes = trace.replay(extents)
    assert sizes is not None
    return sizes


OPERATIONS: list[Callable[[int, int], int]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a // b,
    lambda a, b: a % b,
    lambda a, b: b - a,
    lambda a, b: -a * b,
    lambda a, b: divmod(a, b)[0],
    lambda a, b: (3 + a) * (7 - b) - 100 // a + 100 % b,
    lambda a, b: max(a, 2 * b) + abs(a - b),
]


@given(
    st.sampled_from(OPERATIONS),
    st.integers(1, 50),
    st.integers(1, 50),
    st.integers(1, 50),
    st.integers(1, 50),
)
def test_numbers_follow_the_extents(
    operation: Callable[[int, int], int], a: int, b: int, c: int, d: int
) -> None:
    trace, (one, other) = traced(a, b)
    made = operation(one, other)
    trace.close()
    assert isinstance(made, Dim)
    assert made == operation(a, b)
    sizes = trace.replay((c, d))
    if sizes is not None:
        assert sizes(made) == operation(c, d)
    else:  # what was equal is not any more, or the greater is not
        assert (a == b and c != d) or operation is OPERATIONS[-1]


@pytest.mark.parametrize(
    ("ask", "holds", "fails"),
    [
        (lambda n: n > 4, 9, 4),
        (lambda n: n == 5, 5, 6),
        (lambda n: n != 4, 5, 4),
        (lambda n: n * 2 <= 10, 3, 6),
        (lambda n: n in (0, 1), 7, 1),
        (lambda n: int(n // 5), 9, 10),  # what became a plain number must stay the same
        (lambda n: n % 5 == 0, 10, 11),
        (lambda n: bool(n - 5), 5, 6),
        (lambda n: 1.5 + float(n), 5, 6),
        (lambda n: n / 2, 5, 6),
        (lambda n: 10 // (n - 1), 3, 1),
    ],
)
def test_a_question_with_another_answer_needs_another_plan(
    ask: Callable[[Dim], object], holds: int, fails: int
) -> None:
    trace, (n,) = traced(5)
    ask(n)
    trace.close()
    assert trace.replay([holds]) is not None
    assert trace.replay([fails]) is None


def test_extents_that_are_equal_count_as_one() -> None:
    trace, (a, b, c) = traced(5, 3, 5)
    assert a == c
    trace.close()
    assert trace.replay([7, 2, 7]) is not None
    assert trace.replay([7, 2, 8]) is None
    both = trace.replay([7, 7, 7])  # nobody has asked whether they differ
    assert both is not None
    assert both.shape((a, 4, b)) == (7, 4, 7)


def test_numbers_of_different_kinds_are_not_one() -> None:
    trace, (n,) = traced(5)
    seed = trace.give(5, "seed")
    sizes = replayed(trace, 8, 3)
    assert sizes.shape((n, seed)) == (8, 3)


def test_nothing_is_noted_off_the_record_or_after_the_trace_is_closed() -> None:
    trace, (n,) = traced(5)
    with off_the_record([3, n]):
        assert n > 4
    assert n > 3
    trace.close()
    assert n > 2
    assert trace.replay([4]) is not None
    assert trace.replay([3]) is None


def _halves(extent: int, name: str) -> int:
    assert name == "rows"
    return extent // 2


def _filled(rows: int, value: int) -> np.ndarray:
    return np.full((rows, 2), value)


def _first(array: np.ndarray) -> int:
    return int(array[0, 0])


def test_functions_of_numbers_and_arrays() -> None:
    trace, (n,) = traced(5)
    half = lift(_halves, n, "rows")
    array, node = lift_array(_filled, 3, n)
    assert node is not None
    assert np.array_equal(array, np.full((3, 2), 5))
    element = lift(_first, node)
    pin_shape(node)
    sizes = replayed(trace, 9)
    assert (sizes(half), sizes(element)) == (4, 9)
    assert np.array_equal(sizes.array(node), np.full((3, 2), 9))
    assert lift(_halves, 8, "rows") == 4
    assert lift_array(_filled, 1, 1)[1] is None


def test_arrays_that_a_plan_depends_on() -> None:
    for depend, other in ((pin, 6), (pin_shape, 5)):
        trace, (n,) = traced(5)
        _, node = lift_array(_filled, n if depend is pin_shape else 3, n)
        assert node is not None
        depend(node)
        trace.close()
        assert trace.replay([5]) is not None
        assert trace.replay([other + 1]) is None


def test_without_a_trace_numbers_are_only_marked() -> None:
    """The seed of random numbers is such a one."""
    number = Dim(5) * 3 + 1
    assert isinstance(number, Dim)
    assert (number, repr(number), number.node) == (16, "16?", None)
    trace, (n,) = traced(2)
    assert replayed(trace, 3)(Dim(8)) == 8
    assert Dim(2) in {2: "as integers they are equal"}
    assert n not in [None, "text"]


def test_arrays_that_are_given_may_have_other_contents() -> None:
    trace = Trace()
    array = np.array([3, 4])
    node, (n,) = trace.give_array(array), [trace.give(5)]
    total = lift(_total, node) + n
    array[:] = 0  # it is the caller's
    assert np.array_equal(trace.value(node), [3, 4])
    other = np.array([1, 2, 3])
    sizes = replayed(trace, other, 6)
    other[:] = 0
    assert sizes(total) == 12
    assert np.array_equal(sizes.array(node), [1, 2, 3])


def _total(array: np.ndarray) -> int:
    return int(array.sum())


def test_arrays_that_are_given_keep_their_type_and_rank() -> None:
    trace = Trace()
    trace.give_array(np.array([3, 4], np.int32))
    trace.close()
    others = [np.array([3, 4], np.int64), np.array([[3, 4]], np.int32), np.int32(3), 3]
    assert [trace.replay([other]) for other in others] == [None] * 4  # type: ignore[list-item]
    assert trace.replay([np.array([5], np.int32)]) is not None


def test_each_array_that_is_given_is_one_of_its_own() -> None:
    trace = Trace()
    a, b = (trace.give_array(np.array(2)) for _ in range(2))
    sizes = replayed(trace, np.array(2), np.array(3))
    assert [int(sizes.array(node)) for node in (a, b)] == [2, 3]
