"""What a group adds, gathers and hands on; and what happens when a member is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cluster.collective.members import at_once, group_of
from thalweg.base.errors import InvalidArgumentError
from thalweg.cluster.collective.errors import LostRankError, Patience
from thalweg.cluster.collective.layout import Layout
from thalweg.cluster.collective.shared_memory import FOLDER


def in_order(arrays: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """The sum, rank by rank."""
    total = arrays[0].copy()
    for array in arrays[1:]:
        total += array
    return total


@pytest.mark.parametrize("machines", [1, 2])
@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("elements", [0, 1, 100, 40_000])
def test_sums_are_in_the_order_of_the_ranks(size: int, elements: int, machines: int) -> None:
    """Small messages, shared memory, and large messages: the same bits everywhere."""
    rng = np.random.default_rng(size)
    given: list[list[np.ndarray[Any, Any]]] = [
        [rng.standard_normal(elements, np.float32) * 1000, rng.integers(0, 99, (3, elements))]
        for _ in range(size)
    ]
    floats, whole = [in_order([arrays[n] for arrays in given]) for n in range(2)]
    with group_of(size, machines) as groups:
        for _ in range(2):  # the second time in memory that is there already
            sums = at_once(size, lambda rank: groups[rank].all_reduce("x", given[rank], False))
            for one in sums:
                np.testing.assert_array_equal(one[0], floats)
                np.testing.assert_array_equal(one[1], whole)
            means = at_once(size, lambda rank: groups[rank].all_reduce("y", given[rank][:1], True))
            for (mean,) in means:
                np.testing.assert_array_equal(mean, floats / np.float32(size))


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)])
def test_half_floats_are_added_as_float32(dtype: np.dtype[Any]) -> None:
    """1 + 3 * 2^-12 is lost in half floats if each sum is rounded."""
    given = [np.full(50_000, value, dtype) for value in (1.0, 1.0, 2.0**-9)]
    exact = sum(one.astype(np.float32) for one in given)
    with group_of(3) as groups:
        sums = at_once(3, lambda rank: groups[rank].all_reduce("x", [given[rank]], False))
    for (one,) in sums:
        np.testing.assert_array_equal(one, np.asarray(exact).astype(dtype))


def test_memory_grows_and_leaves_no_file_behind() -> None:
    before = set(Path(FOLDER).glob("thalweg-*")) if Path(FOLDER).is_dir() else set()
    given = [np.ones(elements) for elements in (20_000, 100_000, 20_000)]
    with group_of(2) as groups:

        def summed(rank: int) -> list[Any]:
            return [groups[rank].all_reduce("x", [one], False)[0].copy() for one in given]

        for made in at_once(2, summed):
            for one, own in zip(made, given, strict=True):
                np.testing.assert_array_equal(one, 2 * own)
        if Path(FOLDER).is_dir():
            assert set(Path(FOLDER).glob("thalweg-*")) <= before


def test_gather_and_broadcast() -> None:
    with group_of(3) as groups:
        gathered = at_once(
            3, lambda rank: groups[rank].all_gather("x", [np.full(rank, rank), np.array(rank)])
        )
        for one in gathered:
            assert [(a.tolist(), float(b)) for a, b in one] == [([], 0), ([1], 1), ([2, 2], 2)]
        text = np.array([b"abc", b""], object)
        sent = at_once(
            3, lambda rank: groups[rank].broadcast("y", [text if rank == 2 else text[:1]], 2)
        )
        assert all(one[0].tolist() == [b"abc", b""] for one in sent)
        with pytest.raises(InvalidArgumentError, match="no rank 3 in a group of 3"):
            groups[0].broadcast("z", [], 3)


@given(
    shapes=st.lists(
        st.tuples(
            st.sampled_from(["f4", "f8", "i4", "f2"]), st.lists(st.integers(0, 40), max_size=3)
        ),
        max_size=8,
    ),
    size=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_the_parts_of_all_ranks_cover_a_layout_once(
    shapes: list[tuple[str, list[int]]], size: int
) -> None:
    layout = Layout.of([np.empty(shape, kind) for kind, shape in shapes])
    memory = np.zeros(layout.size, np.uint8)
    for rank in range(size):
        for part in layout.parts(memory, rank, size):
            part.view(np.uint8)[...] += 1
    assert (memory == 1).all()
    for view, (kind, shape) in zip(layout.views(memory), shapes, strict=True):
        assert view.dtype == kind
        assert list(view.shape) == shape
        assert not view.size or view.ctypes.data % 8 == memory.ctypes.data % 8


def test_ranks_that_disagree_are_told_so() -> None:
    with group_of(2) as groups:
        with pytest.raises(InvalidArgumentError, match="rank 0 is at all-reduce 'a' of float32"):
            at_once(
                2,
                lambda rank: groups[rank].all_reduce("ab"[rank], [np.array(1, np.float32)], False),
            )
        with pytest.raises(LostRankError, match="do not take part in the same operations"):
            groups[0].all_reduce("a", [np.array(1, np.float32)], False)


def test_a_member_that_is_gone_is_named_on_all_others() -> None:
    with group_of(4) as groups:
        at_once(4, lambda rank: groups[rank].all_reduce("x", [np.ones(9)], False))
        groups[2].close()
        for rank in (0, 1, 3):
            with pytest.raises(LostRankError, match=r"rank 2 \(process 1002 at 127.0.0.1:\d+\)"):
                groups[rank].all_reduce("x", [np.ones(9)], False)


def test_a_member_that_does_not_come_is_waited_for_but_not_for_ever(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = set(Path(FOLDER).glob("thalweg-*"))
    late = pytest.raises(LostRankError, match=r"rank 0 has waited 0.3 s in round 1 .*rank 1")
    with group_of(2, patience=Patience(0.1, 0.3)) as groups, late:
        groups[0].all_reduce("slow", [np.ones(50_000)], False)
    assert (
        "rank 0 has waited 0.1 s in round 1 (memory for all-reduce 'slow'" in capfd.readouterr().err
    )
    assert set(Path(FOLDER).glob("thalweg-*")) <= before
