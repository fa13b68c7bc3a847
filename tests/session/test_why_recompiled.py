"""The log of why programs were made."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tf
from thalweg.session.entry import Request
from thalweg.session.why_recompiled import RecompilationLog, WhyRecompiled


def test_each_line_says_what_was_new() -> None:
    x, shape = tf.placeholder(tf.float32, name="x"), tf.placeholder(tf.int32, name="shape")
    y, why = x * 2.0, WhyRecompiled()
    request, other = Request((y,), (), (shape,), ()), Request((x,), (y.op,), (), ())
    four, two = np.ones(4), np.array([2])
    why.note(request, {x: four}, {}, "")
    why.note(other, {x: four}, {}, " (the plan holds)")
    why.note(request, {x: np.ones((2, 3))}, {}, "")
    why.note(request, {x: four, shape: two}, {shape: two}, "")
    why.note(request, {x: four, shape: two + 1}, {shape: two + 1}, "")
    why.note(other, {x: four}, {}, "")
    name = y.name
    assert why.lines == [
        f"{name}: first run",
        f"x:0, {y.op.name}: new fetches (the plan holds)",
        f"{name}: new shape of 'x': [4] -> [2, 3]",
        f"{name}: other tensors are fed: x:0, shape:0",
        f"{name}: new value of 'shape', which decides about shapes",
        f"x:0, {y.op.name}: same as before",
    ]


def test_shapes_take_no_memory() -> None:
    x, why = tf.placeholder(tf.float32), WhyRecompiled()
    why.note(Request((x,), (), (), ()), {x: np.ones(1_000_000)}, {}, "")
    ((kept,),) = [fed.values() for fed in why._last.values()]
    assert kept.shape == (1_000_000,)
    assert kept.strides == (0,)


def test_the_log_counts_what_it_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.session.why_recompiled.MAX_LINES", 3)
    log = RecompilationLog()
    for n in range(5):
        log.add(str(n))
    assert log == ["2", "3", "4"]
    assert log.dropped == 2
