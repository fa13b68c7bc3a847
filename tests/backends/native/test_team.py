"""The thread team: every task once, barriers that hold, no deadlock, forks, exits, and sleep."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import numpy as np
import numpy.typing as npt
import pytest

from thalweg.backends.native.driver import layouts
from thalweg.backends.native.driver.layouts import CLAIMS_BIT, SERIAL
from thalweg.backends.native.llvm.jit import IrSource, Jit
from thalweg.backends.native.team import ProgramTable, Team, shared_team
from thalweg.base import settings

Words = npt.NDArray[np.int64]

LOOP = """
define void @kernel(ptr %args, i64 %begin, i64 %end) {{
entry:
  %a = load ptr, ptr %args
  %at_b = getelementptr ptr, ptr %args, i64 1
  %b = load ptr, ptr %at_b
  %at_n = getelementptr ptr, ptr %args, i64 2
  %n = load i64, ptr %at_n
  br label %body
body:
  %i = phi i64 [ %begin, %entry ], [ %next, %latch ]
  {body}
  br label %latch
latch:
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %end
  br i1 %more, label %body, label %done
done:
  ret void
}}"""

# a[i] += 1
INCREMENT = LOOP.format(
    body="""
  %at = getelementptr i64, ptr %a, i64 %i
  %x = load i64, ptr %at
  %y = add i64 %x, 1
  store i64 %y, ptr %at"""
)

# b[i] = a[n - 1 - i] + i: reads what another thread wrote
MIRROR = LOOP.format(
    body="""
  %last = sub i64 %n, 1
  %j = sub i64 %last, %i
  %from = getelementptr i64, ptr %a, i64 %j
  %to = getelementptr i64, ptr %b, i64 %i
  %x = load i64, ptr %from
  %y = add i64 %x, %i
  store i64 %y, ptr %to"""
)

# a[0] = n, slowly
SLOW = LOOP.format(
    body="""
  br label %spin
spin:
  %k = phi i64 [ 0, %body ], [ %k1, %spin ]
  store volatile i64 %k, ptr %b
  %k1 = add i64 %k, 1
  %busy = icmp slt i64 %k1, 1000000
  br i1 %busy, label %spin, label %write
write:
  store i64 %n, ptr %a
  br label %latch
unreachable:"""
)

# b[i] = a[0]
COPY = LOOP.format(
    body="""
  %x = load i64, ptr %a
  %to = getelementptr i64, ptr %b, i64 %i
  store i64 %x, ptr %to"""
)

# a[i] += 1, but task 0 first waits until b[0] of the others are done, or gives up after seconds
HELD_UP = LOOP.format(
    body="""
  %first = icmp eq i64 %i, 0
  br i1 %first, label %look, label %count
look:
  %k = phi i64 [ 0, %body ], [ %k1, %again ]
  %at_done = getelementptr i64, ptr %b, i64 1
  %done_others = load atomic i64, ptr %at_done seq_cst, align 8
  %wanted = load i64, ptr %b
  %enough = icmp sge i64 %done_others, %wanted
  br i1 %enough, label %count, label %again
again:
  %k1 = add i64 %k, 1
  %patient = icmp slt i64 %k1, 1000000000
  br i1 %patient, label %look, label %latch
count:
  %at_counter = getelementptr i64, ptr %b, i64 1
  %before = atomicrmw add ptr %at_counter, i64 1 seq_cst
  %at = getelementptr i64, ptr %a, i64 %i
  %x = load i64, ptr %at
  %y = add i64 %x, 1
  store i64 %y, ptr %at"""
)

# a[0] += 1 once a call, whatever the tasks
CALLS = """
define void @kernel(ptr %args, i64 %begin, i64 %end) {
  %a = load ptr, ptr %args
  atomicrmw add ptr %a, i64 1 monotonic
  ret void
}"""

jit = Jit()
increment, mirror, slow, copy, held_up, calls = jit.compile(
    [IrSource.of(text) for text in (INCREMENT, MIRROR, SLOW, COPY, HELD_UP, CALLS)]
)


@pytest.fixture(scope="module")
def team() -> Team:
    return Team(2)


class Program:
    """Steps, and the arrays that they point to."""

    def __init__(self) -> None:
        self.steps: list[list[int]] = []
        self.kept: list[Words] = []

    def add(self, kernel: int, a: Words, b: Words, tasks: int, flags: int = 0) -> None:
        args = np.array([a.ctypes.data, b.ctypes.data, a.size], np.int64)
        self.kept += [args, a, b]
        self.steps.append([kernel, args.ctypes.data, tasks, flags])

    def words(self) -> Words:
        return np.array(self.steps, np.int64).reshape(-1, 4)


def counter(size: int) -> tuple[Program, Words]:
    """A program of one step that adds 1 to each of `size` cells."""
    program, cells = Program(), np.zeros(size, np.int64)
    program.add(increment, cells, cells, size)
    return program, cells


def mirrors(size: int, length: int) -> tuple[Program, Words, Words]:
    """A program in which every step needs all of the one before it; its output; what is right."""
    program = Program()
    a, b = np.zeros(size, np.int64), np.zeros(size, np.int64)
    right = np.zeros(size, np.int64)
    for _ in range(length):
        program.add(mirror, a, b, size)
        right = right[::-1] + np.arange(size)
        a, b = b, a
    return program, a, right


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("claims", [1, 3, 8])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 1000])
def test_every_task_is_claimed_once(team: Team, threads: int, claims: int, size: int) -> None:
    """In every time of a loop and in every run."""
    program, cells = counter(size)
    others = np.zeros(2 * size, np.int64)
    program.add(increment, others, others, 2 * size)
    for step in program.steps:
        step[3] |= claims << CLAIMS_BIT
    steps = program.words()
    native = ProgramTable(steps, len(steps))
    native.repeat(4)
    for _ in range(3):
        team.run_program(native, threads)
    assert cells.tolist() == [12] * size
    assert others.tolist() == [12] * (2 * size)


def test_a_thread_that_is_held_up_holds_nobody_up(team: Team) -> None:
    """It is in the first of 14 tasks, and each claim is of one: the other thread takes all 13."""
    program, cells, control = Program(), np.zeros(14, np.int64), np.array([13, 0], np.int64)
    program.add(held_up, cells, control, 14, 7 << CLAIMS_BIT)
    team.run(program.words(), 1, 2)
    assert cells.tolist() == [1] * 14


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 1000])
def test_every_task_runs_once(team: Team, threads: int, size: int) -> None:
    program, cells = counter(size)
    words = program.words()
    for _ in range(20):
        team.run(words, 1, threads)
    assert (cells == 20).all()


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_barriers_order_the_steps(team: Team, threads: int) -> None:
    program, output, right = mirrors(64, 500)
    words = program.words()
    for _ in range(10):
        output[:] = 0
        program.kept[1][:] = 0
        team.run(words, len(words), threads)
        np.testing.assert_array_equal(output, right)


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_the_others_wait_for_a_slow_thread(team: Team, threads: int) -> None:
    source, scratch = np.full(1, -1, np.int64), np.zeros(1, np.int64)
    output = np.zeros(100, np.int64)
    program = Program()
    program.add(slow, source, scratch, 1, SERIAL)
    program.add(copy, source, output, 100)
    team.run(program.words(), 2, threads)
    assert (output == 1).all()


@pytest.mark.parametrize("threads", [2, 3])
def test_run_returns_when_all_is_done(team: Team, threads: int) -> None:
    """The last share is a worker's, and slow."""
    cells, scratch = np.zeros(1, np.int64), np.zeros(1, np.int64)
    program = Program()
    program.add(slow, cells, scratch, 1)  # task 0 of 1 falls to the last thread
    for _ in range(5):
        cells[:] = 0
        team.run(program.words(), 1, threads)
        assert cells[0] == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_serial_steps_are_one_call(team: Team, threads: int) -> None:
    program, cells = Program(), np.zeros(10, np.int64)
    for flags in (SERIAL, 0, SERIAL):
        program.add(calls, cells, cells, 10, flags)
    team.run(program.words(), 3, threads)
    assert cells[0] == 1 + threads + 1  # a share that is claimed at once is a call, too


def test_only_the_asked_for_steps_run(team: Team) -> None:
    program, cells = Program(), np.zeros(10, np.int64)
    for _ in range(5):
        program.add(increment, cells, cells, 10)
    team.run(program.words(), 3, 2)
    team.run(program.words(), 0, 2)
    assert (cells == 3).all()


def test_ten_thousand_runs(team: Team) -> None:
    program, cells = counter(16)
    words = program.words()
    for number in range(10_000):
        team.run(words, 1, (2, 1, 3, 2, 5)[number % 5])
    assert (cells == 10_000).all()


def test_workers_that_fall_asleep_between_runs(team: Team) -> None:
    program, cells = counter(8)
    words = program.words()
    pauses = np.random.default_rng(0).uniform(0, 300e-6, 500)
    for number, pause in enumerate(pauses):
        time.sleep(pause)
        team.run(words, 1, 2 + number % 3)
    assert (cells == 500).all()


def test_many_callers_at_once(team: Team) -> None:
    def work(threads: int) -> bool:
        program, output, right = mirrors(32, 20)
        words = program.words()
        for _ in range(100):
            output[:] = 0
            program.kept[1][:] = 0
            team.run(words, len(words), threads)
            if not (output == right).all():
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, [1, 2, 3, 5, 2, 1, 3, 4]))


def random_runs(team: Team, runs: int, most_threads: int) -> bool:
    """Whether random programs, looped and shared by a random number of threads, are all right.

    Their memory is given back after each run, so that a thread that came late would find another's.
    """
    rng = np.random.default_rng(0)
    for _ in range(runs):
        size, length, repeats = (int(n) for n in rng.integers((2, 1, 1), (40, 8, 4)))
        program, output, right = mirrors(size, length)
        total = np.zeros(size, np.int64)
        for step in program.steps:
            step[3] |= int(rng.integers(1, 20)) << CLAIMS_BIT | int(rng.random() < 0.2) * SERIAL
        program.add(increment, total, total, size)
        steps = program.words()
        native = ProgramTable(steps, len(steps))
        native.repeat(repeats)
        team.run_program(native, int(rng.integers(2, most_threads + 1)))
        if total.tolist() != [repeats] * size:
            return False
        if repeats == 1 and output.tolist() != right.tolist():
            return False
    return True


SPIN = "while True: pass"


def test_beside_other_processes() -> None:
    spinners = [subprocess.Popen([sys.executable, "-S", "-c", SPIN]) for _ in range(3)]
    try:
        assert random_runs(Team(2), 1000, 3)
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def test_many_threads_on_one_cpu() -> None:
    """Most of the time a thread has no CPU, wherever it is."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("binds threads to a CPU")

    def work() -> bool:
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # and of what this thread starts
        return random_runs(Team(2), 400, 8)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result()


def test_threads_that_are_not_kind() -> None:
    """As on a machine with CPUs for all of them, they look for work and do not yield."""
    team = Team(2)
    team._crew._set(team._crew._memory, layouts.TeamLayout.CPUS, 100)
    assert random_runs(team, 100, 5)


def test_one_thread_needs_no_workers() -> None:
    team = Team(1)
    program, cells = counter(8)
    team.run(program.words(), 1)
    assert (team.workers, cells.tolist()) == (0, [1] * 8)


def test_workers_are_started_when_first_needed() -> None:
    team = Team(2)
    program, _ = counter(8)
    assert team.workers == 0
    for threads, workers in ((2, 1), (4, 3), (2, 3)):
        team.run(program.words(), 1, threads)
        assert team.workers == workers


def test_a_program_runs_alone_while_the_workers_serve_another() -> None:
    team = Team(2)
    program, cells = counter(8)
    words = program.words()
    native, busy = ProgramTable(words, 1), ProgramTable(words, 1)
    team._crew._running = busy
    team.run_program(native, 2)
    assert (team.workers, cells.tolist()) == (0, [1] * 8)
    assert team._crew._running is busy
    team._crew._running = None
    team.run_program(native, 2)
    assert (team.workers, cells.tolist()) == (1, [2] * 8)
    assert team._crew._running is None


def test_a_team_ends_its_threads() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/task"))

    if not os.path.isdir("/proc/self/task"):
        pytest.skip("counts threads in /proc")
    before = count()
    team = Team(4)
    program, _ = counter(8)
    team.run(program.words(), 1)
    assert count() >= 4
    del team
    assert wait_until(lambda: count() <= before)  # the kernel forgets a thread a moment later


def wait_until(condition: Callable[[], bool]) -> bool:
    for _ in range(1000):
        if condition():
            return True
        time.sleep(0.005)
    return False


def test_idle_workers_use_no_cpu() -> None:
    team = Team(4)
    program, _ = counter(8)
    team.run(program.words(), 1)
    time.sleep(0.1)
    before = time.process_time()
    time.sleep(0.4)
    assert time.process_time() - before < 0.2  # one worker that spins would use 0.4


def test_the_shared_team_is_one() -> None:
    with ThreadPoolExecutor(4) as pool:
        teams = set(pool.map(lambda _: id(shared_team()), range(20)))
    assert teams == {id(shared_team())}
    assert shared_team().threads == settings.num_threads()


@pytest.mark.parametrize("threads", [0, -1, 1 << 16])
def test_impossible_numbers_of_threads(team: Team, threads: int) -> None:
    with pytest.raises(ValueError, match="threads"):
        Team(threads)
    with pytest.raises(ValueError, match="threads"):
        team.run(np.zeros((1, 4), np.int64), 0, threads)


def runs_in_a_fork(team: Team) -> bool:
    """Whether a program runs rightly on the team in a forked child."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point
        child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    status = 1
    try:
        program, output, right = mirrors(64, 50)
        words = program.words()
        fresh = team.workers == 0
        team.run(words, len(words), 3)
        status = 0 if fresh and team.workers == 2 and (output == right).all() else 2
    finally:
        os._exit(status)


def test_fork() -> None:
    team = Team(2)
    program, cells = counter(8)
    team.run(program.words(), 1)
    assert runs_in_a_fork(team)
    team.run(program.words(), 1)
    assert (cells == 2).all()


def test_fork_while_another_thread_runs() -> None:
    team, end = Team(2), Event()
    program, _ = counter(8)
    words = program.words()

    def work() -> None:
        while not end.is_set():
            team.run(words, 1)

    caller = Thread(target=work)
    caller.start()
    try:
        assert all(runs_in_a_fork(team) for _ in range(10))
    finally:
        end.set()
        caller.join()


EXIT = """
import sys, threading, time
import numpy as np
from thalweg.backends.native.team import Team
team, nothing = Team(3), np.zeros((1, 4), np.int64)
def work():
    while True:
        team.run(nothing, 1)
if sys.argv[1] == "daemon":
    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.05)
elif sys.argv[1] == "asleep":
    team.run(nothing, 1)
    time.sleep(0.05)
else:
    team.run(nothing, 1)
print("end")
"""


@pytest.mark.parametrize("state", ["asleep", "awake", "daemon"])
def test_the_interpreter_exits(state: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXIT, state], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
