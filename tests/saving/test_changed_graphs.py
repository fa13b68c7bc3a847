"""Changed graphs are refused or read; a share of what `tests.saving.changed_graphs` tries."""

from __future__ import annotations

import random

import pytest

from tests.saving.changed_graphs import changed, originals, try_one

MADE = originals()


@pytest.mark.parametrize("number", range(len(MADE)))
def test_graphs_that_are_not_changed_run(number: int) -> None:
    assert try_one(MADE[number], run=True) == "ran"


@pytest.mark.parametrize("block", range(4))
@pytest.mark.filterwarnings("ignore")
def test_changed_graphs(block: int) -> None:
    seeds = range(1_000_000 + 50 * block, 1_000_000 + 50 * (block + 1))
    found = {
        try_one(changed(MADE[seed % len(MADE)], MADE, random.Random(seed)), run=seed % 50 == 0)
        for seed in seeds
    }
    assert {"refused", "read"} <= found
