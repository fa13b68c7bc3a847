"""A failure of the compiler: a warning, a slower way, and the right results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.native import backend as native
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm import emit as emitter
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.base import fallback
from thalweg.base.fallback import first_working
from thalweg.kernels import pipeline
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule, plain
from thalweg.passes import simplest as passes

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _a_users_process(monkeypatch: Patch) -> None:
    """Nothing is strict, nothing has been told, and no code has been made."""
    monkeypatch.setenv("THALWEG_STRICT", "0")
    monkeypatch.setattr(fallback, "_told", set())
    library = Library(Jit(Target.host()))
    monkeypatch.setattr(native, "shared_library", lambda: library)


def _raise(*arguments: object, **more: object) -> Any:
    raise AssertionError("the pass is wrong")


def _fail_on(schedules: Callable[[Nest, Schedule], bool], how: Callable[[], str]) -> Any:
    """An emitter that fails on some schedules."""

    def emit(nest: Nest, schedule: Schedule, target: Target) -> str:
        return how() if schedules(nest, schedule) else right(nest, schedule, target)

    right = emitter.emit
    return emit


def _is_fast(nest: Nest, schedule: Schedule) -> bool:
    return schedule != plain(nest)


def _always(nest: Nest, schedule: Schedule) -> bool:
    return True


FAILURES: dict[str, Callable[[Patch], None]] = {
    "a pass of the graph": lambda p: p.setattr(passes, "PASSES", (_raise, *passes.PASSES[1:])),
    "a pass of the kernels": lambda p: p.setattr(pipeline, "merge_padding", _raise),
    "the making of nests": lambda p: p.setattr(pipeline, "tile_depth_first", _raise),
    "the choice": lambda p: p.setattr(Library, "_first", _raise),
    "the emitter, for a schedule": lambda p: p.setattr(emitter, "emit", _fail_on(_is_fast, _raise)),
    "the emitter": lambda p: p.setattr(emitter, "emit", _fail_on(_always, _raise)),
    "LLVM, for a schedule": lambda p: p.setattr(
        emitter, "emit", _fail_on(_is_fast, lambda: "define void @kernel( nonsense")
    ),
    "LLVM": lambda p: p.setattr(
        emitter, "emit", _fail_on(_always, lambda: "define void @kernel( nonsense")
    ),
}


@pytest.mark.parametrize("where", FAILURES)
def test_the_results_are_right(where: str, monkeypatch: Patch) -> None:
    """Against the same numbers in NumPy, with batches of two sizes: float32, 64 terms."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(64, 8)).astype(np.float32)
    x = tf.placeholder(tf.float32, [None, 64])
    w = tf.Variable(weights)
    y = tf.tanh(tf.matmul(x, w) * 1.0 + 0.5)
    step = tf.train.GradientDescentOptimizer(0.01).minimize(tf.reduce_sum(y))
    batches = [rng.normal(size=(rows, 64)).astype(np.float32) for rows in (5, 3)]
    FAILURES[where](monkeypatch)
    with tf.Session() as session:
        with pytest.warns(RuntimeWarning, match="goes on in a slower way"):
            found = [session.run([y, step], {x: batch})[0] for batch in batches]
        final = session.run(w)
    for batch, made in zip(batches, found, strict=True):
        expected = np.tanh(batch @ weights + 0.5)
        np.testing.assert_allclose(made, expected, rtol=2e-5, atol=2e-5)
        weights = weights - 0.01 * (batch.T @ (1 - expected**2))
    np.testing.assert_allclose(final, weights, rtol=2e-5, atol=2e-5)


def test_only_what_fails_is_slow(monkeypatch: Patch) -> None:
    """The other kernels of the program keep their schedules."""
    monkeypatch.setattr(
        emitter, "emit", _fail_on(lambda n, s: bool(n.reductions) and _is_fast(n, s), _raise)
    )
    seen: list[Schedule] = []
    make = pipeline._kernels

    def spied(*arguments: Any) -> Any:
        made = make(*arguments)
        seen.extend(schedule for _, schedule in made.nests)
        return made

    monkeypatch.setattr(pipeline, "_kernels", spied)
    x = tf.placeholder(tf.float32, [64, 64])
    with tf.Session() as session, pytest.warns(RuntimeWarning):
        session.run([tf.matmul(x, x), tf.exp(x)], {x: np.ones((64, 64))})
    assert sorted(schedule.lanes > 1 for schedule in seen) == [False, True]


def test_it_is_told_once(monkeypatch: Patch) -> None:
    monkeypatch.setattr(pipeline, "fuse", _raise)
    x = tf.placeholder(tf.float32, [4])
    with tf.Session() as session:
        with pytest.warns(RuntimeWarning) as told:
            session.run(tf.exp(x), {x: np.ones(4)})
        session.run(tf.exp(x) + 1.0, {x: np.ones(4)})  # a warning would be an error here
    (warning,) = told
    assert "AssertionError: the pass is wrong" in str(warning.message)
    assert "THALWEG_STRICT" in str(warning.message)


def test_strict_raises(monkeypatch: Patch) -> None:
    monkeypatch.setenv("THALWEG_STRICT", "1")
    monkeypatch.setattr(pipeline, "fuse", _raise)
    x = tf.placeholder(tf.float32, [4])
    with tf.Session() as session, pytest.raises(AssertionError, match="the pass is wrong"):
        session.run(tf.exp(x), {x: np.ones(4)})


def test_the_users_errors_are_raised() -> None:
    def way() -> int:
        raise tf.errors.InvalidArgumentError("indices[0] = 7 is not in [0, 7)")

    with pytest.raises(tf.errors.InvalidArgumentError):
        first_working("to run", way, lambda: 1)
