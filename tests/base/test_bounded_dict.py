"""A dictionary that forgets."""

from __future__ import annotations

import pytest

from thalweg.base.bounded_dict import BoundedDict


def test_the_oldest_entries_are_forgotten() -> None:
    bounded: BoundedDict[int, str] = BoundedDict(most=3)
    for n in range(5):
        bounded[n] = str(n)
    bounded[3] = "again"
    assert bounded == {2: "2", 3: "again", 4: "4"}


def test_an_entry_that_is_used_is_the_newest() -> None:
    bounded: BoundedDict[int, str] = BoundedDict(most=2)
    bounded[1], bounded[2] = "one", "two"
    assert bounded.renewed(1) == "one"
    assert bounded.renewed(7) is None
    bounded[3] = "three"
    assert bounded == {1: "one", 3: "three"}


def test_the_bound_is_a_thousand_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.base.bounded_dict.MAX_ENTRIES", 4)
    bounded: BoundedDict[int, int] = BoundedDict()
    for n in range(10):
        bounded[n] = n
    assert list(bounded) == [6, 7, 8, 9]
