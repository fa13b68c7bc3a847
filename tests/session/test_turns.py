"""Which runs may overlap, and who waits for whom."""

from __future__ import annotations

import threading
import time
from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from thalweg.session.entry import Entry
from thalweg.session.turns import EVERYTHING, Ticket, Turns

LONG_S = 30.0  # for what will happen
SHORT_S = 0.05  # for what must not


def uses(reads: str = "", writes: str = "") -> Entry:
    return Entry(None, (), frozenset(reads), frozenset(writes))


@contextmanager
def elsewhere(work: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """Work in another thread, with the event that it is to set when its turn has come."""
    begun = threading.Event()
    thread = threading.Thread(target=work, args=(begun,))
    thread.start()
    try:
        yield begun
    finally:
        thread.join(LONG_S)
        assert not thread.is_alive()


def taking(turns: Turns, entry: Entry) -> Callable[[threading.Event], None]:
    def work(begun: threading.Event) -> None:
        with turns.alone(entry):
            begun.set()

    return work


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (uses("a"), uses("a")),
        (uses("a", "b"), uses("a", "c")),
        (uses("ab"), uses("c", "d")),
        (uses(), uses("a", "a")),
    ],
)
def test_runs_overlap(one: Entry, other: Entry) -> None:
    turns = Turns()
    with turns.alone(one), elsewhere(taking(turns, other)) as begun:
        assert begun.wait(LONG_S)
    assert not turns


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (uses("a"), uses("", "a")),
        (uses("", "a"), uses("a")),
        (uses("", "a"), uses("b", "ac")),
        (EVERYTHING, uses()),
        (uses(), EVERYTHING),
    ],
)
def test_runs_that_disturb_each_other_wait(one: Entry, other: Entry) -> None:
    turns = Turns()
    with turns.alone(one):
        thread = threading.Thread(target=taking(turns, other), args=(begun := threading.Event(),))
        thread.start()
        assert not begun.wait(SHORT_S)
    assert begun.wait(LONG_S)
    thread.join()
    assert not turns


def test_a_reader_does_not_overtake_a_writer_that_waits() -> None:
    turns, order = Turns(), []

    def noting(name: str, entry: Entry) -> threading.Thread:
        def work() -> None:
            with turns.alone(entry):
                order.append(name)

        thread, before = threading.Thread(target=work), len(turns)
        thread.start()
        while len(turns) == before:
            time.sleep(0.001)  # until it stands in the queue
        return thread

    with turns.alone(uses("a")):
        threads = [noting("writer", uses("", "a")), noting("reader", uses("a"))]
        assert not order
    for thread in threads:
        thread.join()
    assert order == ["writer", "reader"]


def queue(turns: Turns, entry: Entry, thread: int) -> Ticket:
    """Put a run of some thread at the end."""
    ticket = Ticket()
    turns[ticket] = entry, thread
    return ticket


def test_a_run_inside_of_another_waits_for_none_that_waits_for_that_one() -> None:
    turns, me = Turns(), get_ident()
    running = queue(turns, uses("b"), me + 1)
    queue(turns, uses("a"), me)  # is interrupted by a handler
    waits = queue(turns, uses("", "a"), me + 2)
    queue(turns, uses("", "ac"), me + 3)  # waits for that one
    handlers = queue(turns, uses("c", "ab"), me)
    assert turns._obstacles(handlers) == [running]
    assert not turns.wait_for(handlers, SHORT_S)
    del turns[running]
    assert turns.wait_for(handlers, 0.0)
    turns.wait(handlers)
    assert turns._obstacles(queue(turns, uses("", "a"), me + 4))[-1] is handlers
    assert len(turns._obstacles(waits)) == 1


def test_the_child_of_a_fork_keeps_its_own_runs() -> None:
    turns, me = Turns(), get_ident()
    queue(turns, uses("", "a"), me + 1)
    own = queue(turns, uses("b"), me)
    turns.keep_own()
    assert list(turns) == [own]
