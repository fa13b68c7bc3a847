"""Work in another thread."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from thalweg.saving import copies
from thalweg.saving.background import BackgroundWork
from thalweg.saving.copies import Copies
from thalweg.saving.tensor_file import Array


def fail() -> None:
    raise OSError("the disk is full")


def test_one_piece_at_a_time() -> None:
    work, gate, done = BackgroundWork(), threading.Event(), list[int]()

    def first() -> None:
        gate.wait(10)
        done.append(1)

    work.start(first, "the first")
    assert work.is_running
    threading.Timer(0.05, gate.set).start()
    work.start(lambda: done.append(2), "the second")  # waits for the first
    assert done[0] == 1
    work.wait()
    assert done == [1, 2]
    assert not work.is_running


def test_a_failure_is_raised_once() -> None:
    work = BackgroundWork()
    work.start(fail, "saving 'x'")
    with pytest.raises(OSError, match="the disk is full") as caught:
        work.start(fail, "saving 'y'")
    assert caught.value.__notes__ == ["raised in the background: saving 'x'"]
    work.wait()


def test_a_failure_that_nobody_asks_for_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    work = BackgroundWork()
    work.start(fail, "saving 'x'")
    while work.is_running:
        pass
    del work
    gc.collect()
    expected = "OSError: the disk is full (raised in the background: saving 'x')\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("large", [1 << 30, 0], ids=["alone", "with a second thread"])
def test_copies_use_their_memory_again(monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    monkeypatch.setattr(copies, "_LARGE", large)
    made = Copies()
    a, b = np.arange(7.0), np.array(3, np.float32)
    arrays: dict[str, Array] = {"a": a, "b": b, "empty": np.zeros((0, 2))}
    first = made.of(arrays)
    assert all(np.array_equal(first[name], arrays[name]) for name in arrays)
    second = made.of({"a": a + 1, "b": np.arange(2)})
    assert second["a"] is first["a"]
    assert second["a"].tolist() == (a + 1).tolist()
    assert second["b"].tolist() == [0, 1]
