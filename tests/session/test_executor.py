"""Runs of several threads in one session."""

from __future__ import annotations

import gc
import signal
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.passes.make_plan import make_plan
from thalweg.passes.plan import Plan
from thalweg.session.entry import Entry
from thalweg.session.executor import WORKSPACES

BACKENDS = ("native", "reference")
LONG_S = 120.0  # for what will happen


def session(backend: str = "native", threads: int = 0) -> tf.Session:
    return tf.Session(config=tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads))


def together(*works: Callable[[], object]) -> None:
    """Do several things at once; what fails in one of them fails here."""
    failed: list[BaseException] = []
    start = threading.Barrier(len(works))

    def guarded(work: Callable[[], object]) -> None:
        try:
            start.wait(LONG_S)
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert not any(thread.is_alive() for thread in threads)
    if failed:
        raise failed[0]


class Gate:
    """Holds a run up: a program that tells when it is running, and goes on when it may."""

    def __init__(self, program: Any) -> None:
        self._program = program
        self.is_inside, self.may_go_on = threading.Event(), threading.Event()

    def run(self, feeds: Any, number: int) -> Any:
        self._wait()
        return self._program.run(feeds, number)

    def run_steps(self, feeds: Any, number: int, steps: int) -> Any:
        self._wait()
        return self._program.run_steps(feeds, number, steps)

    def _wait(self) -> None:
        self.is_inside.set()
        assert self.may_go_on.wait(LONG_S)

    @property
    def finished(self) -> int:
        return int(self._program.finished)

    def clone(self, workspace: int | None) -> Any:
        return self._program.clone(workspace)


def entry_of(own: tf.Session, fetch: tf.Tensor) -> Entry:
    """The plan of a tensor that has been run."""
    (found,) = [e for (c, _), e in own._planner._entries.items() if c.fetches == (fetch,)]
    return found


def hold(own: tf.Session, fetch: tf.Tensor, feeds: Any) -> Gate:
    """Let the next run of a tensor in the first workspace wait at a gate."""
    own.run(fetch, feeds)
    entry = entry_of(own, fetch)
    gate: Any = Gate(entry.program)
    entry.program = gate
    return gate  # type: ignore[no-any-return]


@pytest.mark.parametrize("backend", BACKENDS)
def test_small_runs_end_while_a_long_loop_goes_on(backend: str) -> None:
    x = tf.placeholder(tf.float32, [64, 64])
    w = tf.Variable(tf.ones([64, 64]))
    product, small = tf.matmul(tf.matmul(x, w), w), tf.reduce_sum(w) + tf.reduce_sum(x)
    eye = np.eye(64, dtype=np.float32)
    own = session(backend)
    gate = hold(own, product, {x: eye})

    def runs() -> None:
        assert gate.is_inside.wait(LONG_S)
        for _ in range(50):
            assert own.run(small, {x: eye}) == 64 * 64 + 64
        gate.may_go_on.set()

    found: list[Any] = []
    together(lambda: found.append(own.run_steps(product, 20, {x: eye})), runs)
    assert found[0].shape == (20, 64, 64)
    assert (found[0] == 64.0).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("same", [True, False])
def test_a_run_ends_while_another_is_in_the_middle(backend: str, same: bool) -> None:
    """Two runs that read a variable, of one program or of two; each has memory of its own."""
    x, v = tf.placeholder(tf.float32, [100]), tf.Variable(tf.ones([100]))
    held = tf.reduce_sum(x * v)
    other = held if same else tf.reduce_sum(x - v)
    own = session(backend)
    gate = hold(own, held, {x: np.ones(100)})
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(own.run(held, {x: np.full(100, 2.0)})))
    thread.start()
    assert gate.is_inside.wait(LONG_S)
    for n in range(5):
        assert own.run(other, {x: np.full(100, float(n))}) == (100 * n if same else 100 * n - 100)
    gate.may_go_on.set()
    thread.join(LONG_S)
    assert found == [200.0]
    assert not own._executor._turns
    assert not own._executor._workspaces


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_writes_waits_for_those_that_read(backend: str) -> None:
    v, w = tf.Variable([1.0, 2.0]), tf.Variable([5.0])
    read, write, elsewhere = v * 2.0, v.assign_add([1.0, 1.0]), w.assign_add([1.0])
    own = session(backend)
    own.run([write, elsewhere])
    gate = hold(own, read, {})
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.append(own.run(read)))
    reader.start()
    assert gate.is_inside.wait(LONG_S)
    assert own.run(elsewhere) == [7.0]  # another variable
    written = threading.Event()

    def update() -> None:
        own.run(write)
        written.set()

    writer = threading.Thread(target=update)
    writer.start()
    assert not written.wait(0.1)
    gate.may_go_on.set()
    assert written.wait(LONG_S)
    reader.join(LONG_S)
    writer.join(LONG_S)
    assert found[0].tolist() == [4.0, 6.0]
    gate.may_go_on.set()
    assert own.run(v).tolist() == [3.0, 4.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_updates_of_all_threads_apply(backend: str) -> None:
    v, w = tf.Variable(tf.zeros([1000])), tf.Variable(0.0)
    by_one, by_two, other = v.assign_add(tf.ones([1000])), v.assign_add(v * 0.0 + 2.0), w + 1.0
    own, times = session(backend), 150

    def repeat(fetch: Any) -> Callable[[], object]:
        return lambda: [own.run(fetch) for _ in range(times)]

    together(
        repeat(by_one),
        repeat(by_two),
        repeat(w.assign_add(1.0)),
        repeat(other),
        lambda: own.run_steps(by_one, times),
    )
    assert (own.run(v) == 4 * times).all()
    assert own.run(w) == times


@pytest.mark.parametrize("attempt", range(20))
def test_variables_are_initialised_once(attempt: int) -> None:
    """Threads that need one at the same time all see the same random value."""
    v = tf.Variable(tf.random_normal([50 + attempt]))
    dependent = tf.Variable(v.initialized_value() * 2.0)
    own, found = session(), []
    together(*[lambda: found.append(own.run([v, dependent]))] * 4)
    for value, double in found:
        np.testing.assert_array_equal(value, found[0][0])
        np.testing.assert_array_equal(double, 2 * value)


def test_one_thread_plans_while_another_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    x = tf.placeholder(tf.float32, [3])
    known, new = x + 1.0, tf.tanh(x)
    own = session()
    own.run(known, {x: np.zeros(3)})
    plans, may_go_on = threading.Event(), threading.Event()

    def slow(*args: Any) -> Plan:
        plans.set()
        assert may_go_on.wait(LONG_S)
        return make_plan(*args)

    monkeypatch.setattr("thalweg.session.planner.make_plan", slow)
    thread = threading.Thread(target=lambda: own.run(new, {x: np.zeros(3)}))
    thread.start()
    assert plans.wait(LONG_S)
    for n in range(10):
        assert own.run(known, {x: np.full(3, float(n))}).tolist() == [n + 1] * 3
    may_go_on.set()
    thread.join(LONG_S)
    assert own.run(new, {x: np.zeros(3)}).tolist() == [0, 0, 0]


def test_threads_plan_the_same_once() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.sigmoid(x)
    own = session()
    together(*[lambda: own.run(y, {x: np.ones(7)})] * 6)
    assert len(own.why_recompiled) == 1


def test_the_numbers_of_runs_are_all_different() -> None:
    noise = tf.random_uniform([20], seed=3)
    one, many = session(), session()
    wanted = {one.run(noise).tobytes() for _ in range(90)}
    found: list[bytes] = []
    together(*[lambda: found.extend(many.run(noise).tobytes() for _ in range(30))] * 3)
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_a_run_that_fails_gives_its_number_back() -> None:
    noise, index = tf.random_uniform([4], seed=3), tf.placeholder(tf.int32, [])
    bad = tf.gather(tf.random_uniform([4], seed=5) * 1.0, index)
    one, other = session(), session()
    wanted = [one.run(noise).tolist() for _ in range(2)]
    found = [other.run(noise).tolist()]
    with pytest.raises(tf.errors.InvalidArgumentError):
        other.run(bad, {index: 9})
    assert [*found, other.run(noise).tolist()] == wanted


def test_workspaces_are_kept_for_some_runs_and_thrown_away_for_others() -> None:
    x = tf.placeholder(tf.float32, [1000])
    y = tf.reduce_sum(tf.nn.softmax(x * 2.0))
    own = session()
    gate = hold(own, y, {x: np.zeros(1000)})
    entry = entry_of(own, y)
    made: list[weakref.ref[Any]] = []
    own_clone = gate.clone

    def clone(workspace: int | None) -> Any:
        inner = Gate(own_clone(workspace))
        made.append(weakref.ref(inner))
        inner.may_go_on = gate.may_go_on
        return inner

    gate.clone = clone  # type: ignore[method-assign]
    found: list[float] = []
    threads = [
        threading.Thread(target=lambda: found.append(own.run(y, {x: np.zeros(1000)})))
        for _ in range(WORKSPACES + 4)
    ]
    for thread in threads:
        thread.start()
    while len(own._executor._turns) < len(threads):
        time.sleep(0.001)  # until all are inside
    assert gate.is_inside.wait(LONG_S)
    gate.may_go_on.set()
    for thread in threads:
        thread.join(LONG_S)
    np.testing.assert_allclose(found, 1.0, rtol=1e-5)
    gc.collect()
    assert sorted(entry.others) <= list(range(1, WORKSPACES))
    assert sum(one() is not None for one in made) == len(entry.others)


@pytest.mark.parametrize("backend", BACKENDS)
def test_closing_waits_for_runs(backend: str) -> None:
    x = tf.placeholder(tf.float32, [2])
    y, own = x + 1.0, session(backend)
    gate = hold(own, y, {x: [0.0, 0.0]})
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(own.run(y, {x: [1.0, 2.0]})))
    thread.start()
    assert gate.is_inside.wait(LONG_S)
    closing = threading.Thread(target=own.close)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    gate.may_go_on.set()
    closing.join(LONG_S)
    thread.join(LONG_S)
    assert found[0].tolist() == [2.0, 3.0]
    with pytest.raises(RuntimeError, match="closed"):
        own.run(y, {x: [1.0, 2.0]})


class _Interrupt(BaseException):
    pass


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="interrupts by a timer")
def test_a_signal_handler_updates_what_threads_update() -> None:
    """It interrupts runs of its thread that wait, that run, or that let others go on."""
    v, w = tf.Variable(0.0), tf.Variable(0.0)
    ups, own, times, calls = (v.assign_add(1.0), w.assign_add(v * 0.0 + 1.0)), session(), 300, 0
    is_over = False
    own.run(ups)

    def handler(*_: object) -> None:
        nonlocal calls
        own.run(ups)
        calls += 1
        if not is_over:  # else the next alarm could come when nobody handles it
            signal.setitimer(signal.ITIMER_REAL, 3e-4)

    def repeat() -> None:
        for _ in range(times):
            for up in ups:
                own.run(up)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 3e-4)
        threads = [threading.Thread(target=repeat) for _ in range(2)]
        for thread in threads:
            thread.start()
        repeat()
        for thread in threads:
            thread.join(LONG_S)
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert own.run([v, w]) == [1 + 3 * times + calls] * 2
    assert not own._executor._turns


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="interrupts by a timer")
def test_an_exception_anywhere_leaves_no_run_behind() -> None:
    """As Ctrl-C makes one; other threads go on, and so does the next run."""
    v = tf.Variable(0.0)
    up, own, is_over, hits = v.assign_add(1.0), session(), threading.Event(), 0
    own.run(up)

    def interrupt(*_: object) -> None:
        raise _Interrupt

    def repeat() -> None:
        while not is_over.is_set():
            own.run(up)

    before, thread = signal.signal(signal.SIGALRM, interrupt), threading.Thread(target=repeat)
    thread.start()
    try:
        for n in range(200):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + n % 17))
                while True:
                    own.run(up)
            except _Interrupt:
                hits += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        is_over.set()
        thread.join(LONG_S)
    assert hits == 200
    assert not thread.is_alive()
    assert not own._executor._turns
    assert not own._executor._workspaces
