"""Blocks of long sums: how long they are, and where they lie."""

from __future__ import annotations

import pytest

from thalweg.base.dims import Dim
from thalweg.formula import Axis
from thalweg.kernels.nests.blocks import BLOCK, LEVELS, levels


def axis(extent: int) -> Axis:
    return Axis(extent, "k")


@pytest.mark.parametrize(
    ("extents", "lengths"),
    [
        ((), []),
        ((BLOCK,), []),
        ((BLOCK + 1,), [512]),
        ((16, 32), []),
        ((1000, 16), [32]),  # 32 values of 16 terms each
        ((3, 1000), [512]),
        ((BLOCK**2 + 1,), [512, 512**2]),
        ((0,), []),
        ((1000, 0), [512]),
        ((0, 1000), [512]),
    ],
)
def test_no_sum_has_more_terms_than_a_block(extents: tuple[int, ...], lengths: list[int]) -> None:
    assert [level.length for level in levels([axis(n) for n in extents])] == lengths


def test_lanes_share_the_terms() -> None:
    k = axis(16 * BLOCK)
    assert not levels([k], k, lanes=16)
    assert [level.length for level in levels([k], k, lanes=8)] == [8 * BLOCK]


@pytest.mark.parametrize("inner", [0, 1, 7, BLOCK, BLOCK + 1])
def test_an_axis_of_any_extent_has_all_levels(inner: int) -> None:
    batch = axis(Dim(3))
    found = [level for level in levels([batch, axis(inner)]) if level.axis is batch]
    assert len(found) == LEVELS
