"""Every order in which threads can share a small program: tasks run once, and nobody is lost."""

from __future__ import annotations

import pytest

from tests.backends.native.stages_model import BrokenError, Fault, Model, Run

TWO: list[Run] = [(2, (2, 2)), (2, (2,))]
UNEVEN: list[Run] = [(2, (3, 2)), (2, (2,))]
FEWER: list[Run] = [(3, (2,)), (2, (2,))]  # the second run leaves a thread out
MANY: list[Run] = [(3, (3,)), (2, (4,))]


@pytest.mark.parametrize(("runs", "sleeps"), [(UNEVEN, False), (TWO, True), (FEWER, False)])
def test_every_order_is_right(runs: list[Run], sleeps: bool) -> None:
    assert Model(runs, sleeps).explore() > 1000


@pytest.mark.parametrize("fault", ["no stage in tickets", "describe first", "renew own"])
def test_a_late_thread_would_find_a_fault(fault: Fault) -> None:
    """It runs a task of a stage that is over."""
    with pytest.raises(BrokenError, match="runs"):
        Model(MANY, False, fault).explore()


def test_tasks_that_are_reported_too_early_would_be_found() -> None:
    with pytest.raises(BrokenError, match="not all is done"):
        Model(TWO, False, "tell early").explore()


def test_a_thread_that_is_not_woken_would_be_found() -> None:
    with pytest.raises(BrokenError, match="all wait"):
        Model(TWO, True, "look first").explore()
