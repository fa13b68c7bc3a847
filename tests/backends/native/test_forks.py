"""Forks, signal handlers and the end of the process, while other threads compile and run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

import thalweg as tf
from thalweg.base import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

MODEL = """
import atexit, os, signal, sys, threading, time
import numpy as np, thalweg as tf

def model(n, rows=100, seed=0):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, n])
        weights = np.random.default_rng(seed).normal(size=(n, n)).astype("f") / np.float32(n**0.5)
        y = tf.reduce_sum(tf.tanh(tf.matmul(x, tf.constant(weights))), 1)
    fed = np.full((rows, n), 0.3, "f")
    return tf.Session(graph=graph), x, y, fed, np.tanh(fed @ weights.astype("d")).sum(1)

def right(model):
    session, x, y, fed, expected = model
    return np.abs(session.run(y, {x: fed}) - expected).max() < 2e-3

first = model(128)
assert right(first)
"""

# Another thread works; children are made meanwhile. A child that hangs is ended by its alarm.
FORKS = """
def work():
    count = 0
    while True:
        count += 1
        assert %s

threading.Thread(target=work, daemon=True).start()
wrong = []
for n in range(%d):
    time.sleep(0.003 * (n %% 5))
    child = os.fork()
    if not child:
        signal.alarm(60)
        os._exit(0 if %s else 5)
    if status := os.waitpid(child, 0)[1]:
        wrong.append(status)
print(wrong)
os._exit(bool(wrong))
"""

# A handler that runs a session whenever the main thread does.
SIGNALS = """
mine = model(64, 20)
other = %s
fed = [mine[3], -other[3]]
expected = [s.run(y, {x: value}) for (s, x, y, _, _), value in zip((mine, other), fed)]
calls, wrong = [0], [0, 0]

def handler(number, frame):
    session, x, y = other[:3]
    wrong[0] += not np.array_equal(session.run(y, {x: fed[1]}), expected[1])
    calls[0] += 1

def fire():
    sent = 0
    while True:
        time.sleep(0.0007)
        if calls[0] >= sent:
            sent = calls[0] + 1
            os.kill(os.getpid(), signal.SIGALRM)

signal.signal(signal.SIGALRM, handler)
threading.Thread(target=fire, daemon=True).start()
end = time.monotonic() + 3
while time.monotonic() < end:
    session, x, y = mine[:3]
    wrong[1] += not np.array_equal(session.run(y, {x: fed[0]}), expected[0])
print(calls, wrong)
os._exit(any(wrong) or calls[0] < 10)
"""

EXIT = """
import atexit
def late():
    ok = right(first) and right(model(131))
    print("right" if ok else "wrong", flush=True)
atexit.register(late)
"""


def succeeds(program: str) -> str:
    """What a process prints that ends well, in a minute."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


def test_a_child_of_a_process_that_compiles() -> None:
    work = "right(model(100 + count, 9, count))"
    succeeds(MODEL + FORKS % (work, 12, "right(model(33, 7, 99 + n))"))


def test_a_child_of_a_process_that_runs_the_same_session() -> None:
    succeeds(MODEL + FORKS % ("right(first)", 12, "right(first)"))


def test_a_signal_handler_with_a_session_of_its_own() -> None:
    succeeds(MODEL + SIGNALS % "model(128, 200, 1)")


def test_a_signal_handler_with_the_session_that_it_interrupts() -> None:
    succeeds(MODEL + SIGNALS % "mine")


def test_a_handler_of_the_exit_that_was_registered_first() -> None:
    assert succeeds(EXIT + MODEL) == "right\n"


# -- what does not come to rest


def _in_child(check: Callable[[], bool]) -> bool:
    """Whether something holds in a forked child."""
    child = os.fork()
    if not child:
        code = 5
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_session_that_does_not_come_to_rest_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child is told so at once; the parent goes on."""
    monkeypatch.setattr(forks, "PATIENCE_S", 0.1)
    x = tf.placeholder(tf.float32, [3])
    session, other = tf.Session(), tf.Session()
    assert session.run(x + 1.0, {x: np.zeros(3)}).tolist() == [1, 1, 1]
    holds, ends = threading.Event(), threading.Event()

    def run_for_long() -> None:
        with session._executor.alone():
            holds.set()
            ends.wait()

    thread = threading.Thread(target=run_for_long)
    thread.start()
    holds.wait()

    def is_told() -> bool:
        try:
            session.run(x)
        except tf.errors.OpError:
            return False
        except RuntimeError as error:
            right: bool = (other.run(x * 2.0, {x: np.ones(3)}) == 2).all()
            return right and "make another session in the child" in str(error)
        return False

    assert _in_child(is_told)
    ends.set()
    thread.join()
    assert session.run(x + 2.0, {x: np.zeros(3)}).tolist() == [2, 2, 2]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_waits_for_a_run_and_holds_up_the_next() -> None:
    x = tf.placeholder(tf.float32, [3])
    session, y = tf.Session(), x + 1.0
    session.run(y, {x: np.zeros(3)})
    ends = threading.Event()

    def run_without_end() -> None:
        while not ends.is_set():
            session.run(y, {x: np.zeros(3)})

    thread = threading.Thread(target=run_without_end)
    thread.start()
    start = time.monotonic()
    for _ in range(5):
        assert _in_child(lambda: bool((session.run(y, {x: np.ones(3)}) == 2).all()))
    assert time.monotonic() - start < forks.PATIENCE_S
    ends.set()
    thread.join()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_does_not_think_that_another_thread_still_works() -> None:
    """Nor when that thread was just about to; each run would have memory of its own for ever."""
    x = tf.placeholder(tf.float32, [3])
    session, y = tf.Session(), x + 1.0
    session.run(y, {x: np.zeros(3)})
    thread = threading.Thread(target=lambda: session.run(y, {x: np.zeros(3)}))
    with session._executor.alone():
        thread.start()
        time.sleep(0.2)  # it waits for its turn now
        assert _in_child(lambda: not session._executor._workspaces)
    thread.join()
