"""What a session keeps of a run: entries are themselves only, and know their variables."""

from __future__ import annotations

from thalweg.session.entry import Choice, Entry, Request


def test_an_entry_uses_what_it_reads_and_what_it_writes() -> None:
    entry = Entry(None, (), frozenset({"a", "b"}), frozenset({"b", "c"}))
    assert entry.uses == {"a", "b", "c"}
    assert not entry.ready


def test_entries_share_no_clones() -> None:
    one, other = Entry(None, ()), Entry(None, ())
    assert one.others is not other.others
    assert one != other


def test_a_choice_may_have_its_only_entry_later() -> None:
    choice = Choice(Request((), (), (), ()), ())
    assert choice.only is None
    choice.only = entry = Entry(None, ())
    assert choice.only is entry
