"""A dictionary that forgets."""

from __future__ import annotations

import pytest

from thalweg.base.recent import Recent


def test_the_oldest_entries_are_forgotten() -> None:
    recent: Recent[int, str] = Recent(most=3)
    for n in range(5):
        recent[n] = str(n)
    recent[3] = "again"
    assert recent == {2: "2", 3: "again", 4: "4"}


def test_an_entry_that_is_used_is_the_newest() -> None:
    recent: Recent[int, str] = Recent(most=2)
    recent[1], recent[2] = "one", "two"
    assert recent.renewed(1) == "one"
    assert recent.renewed(7) is None
    recent[3] = "three"
    assert recent == {1: "one", 3: "three"}


def test_the_bound_is_a_thousand_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.base.recent.MOST", 4)
    recent: Recent[int, int] = Recent()
    for n in range(10):
        recent[n] = n
    assert list(recent) == [6, 7, 8, 9]
