"""The thread team: native threads that run programs together with the thread that asks for it."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from thalweg.backends.native.driver import layouts
from thalweg.backends.native.driver.driver import Driver, load_driver
from thalweg.backends.native.driver.waiting import PAUSES
from thalweg.backends.native.shared import shared_jit
from thalweg.base import settings

Words = np.ndarray[Any, np.dtype[np.int64]]

_REPEATS = layouts.ProgramLayout.REPEATS // 8
_THREADS = layouts.ProgramLayout.THREADS // 8
_TEAM = layouts.ProgramLayout.TEAM // 8
_ROW = layouts.ProgramLayout.ROW // 8
_FUEL = layouts.ProgramLayout.FUEL // 8
_NO_MOVES: Words = np.zeros((0, layouts.MOVE_WORDS), np.int64)

_STACK_BYTES = 8 << 20  # what the main thread has on Linux; macOS would give half a MiB
_ATTRIBUTES_BYTES = 128  # at least sizeof(pthread_attr_t) on all systems

_libc = ctypes.CDLL(None)


class ProgramTable:
    """Rows in memory, as the driver's native code reads them; see `layouts.ProgramLayout`.

    Args:
        steps: a contiguous int64 array, four words a row.
        count: how many of them.
        moves: a contiguous int64 array, three words a move.

    Attributes:
        words: the description; the words about a call may be written between calls.
        address: of the words.
    """

    def __init__(self, steps: Words, count: int, moves: Words = _NO_MOVES) -> None:
        self._kept = steps, moves
        array = np.zeros(layouts.ProgramLayout.BYTES // 8, np.int64)
        array[:_TEAM] = (steps.ctypes.data, count, moves.ctypes.data, len(moves), 1, 1)
        self.words = array.data
        self.address = int(array.ctypes.data)

    def repeat(self, times: int) -> None:
        """Run so many times in a call, at least once."""
        self.words[_REPEATS] = times

    def refuel(self, jumps: int) -> None:
        """Let it jump backwards so often before it pauses."""
        self.words[_FUEL] = jumps

    def rewind(self) -> None:
        """Begin anew if it has paused."""
        self.words[_ROW] = self.words[_ROW + 1] = 0

    @property
    def row(self) -> int:
        """Where it has paused; 0 if it is at its beginning or end."""
        return int(self.words[_ROW])

    @property
    def is_paused(self) -> bool:
        """Whether it has not come to its end, and running it would go on with it."""
        return self.words[_ROW] != 0


class Team:
    """Threads that run programs, at most `threads` of them unless a run asks for more.

    The workers are started when a run first needs them and sleep when there is nothing to do. Safe
    to use from several threads, in signal handlers, after a fork, and at the end of the process.

    Raises:
        ValueError: `threads` is less than 1 or beyond what a team can have.
    """

    def __init__(self, threads: int) -> None:
        self.threads = _checked(threads)
        self._native = _driver()
        self._renew()
        _teams.add(self)

    def run(self, steps: Words, count: int, threads: int | None = None) -> None:
        """Run the first `count` steps of a program once and return when they are done.

        Args:
            steps: a contiguous int64 array, four words a step; see `backends.native.driver`.
            count: how many steps to run.
            threads: how many threads take part, this one included; by default the team's number.
        """
        self.run_program(ProgramTable(steps, count), self.threads if threads is None else threads)

    def run_program(self, program: ProgramTable, threads: int) -> None:
        """Run a program on so many threads, this one included, and return when it is done."""
        if threads == 1:  # nothing is shared: any number of callers at once
            _run_alone(self._native, program)
        else:
            self._crew.run(program, _checked(threads))

    @property
    def workers(self) -> int:
        """How many threads have been started."""
        return len(self._crew.workers)

    def _renew(self) -> None:
        """Begin with no workers: at first, and in the child of a fork, which has no threads."""
        self._crew = _Crew(_driver())
        self._closing = weakref.finalize(self, self._crew.close)

    def _after_fork(self) -> None:
        self._closing.detach()
        self._renew()


class _Crew:
    """The workers of a team, and the memory that they share with the thread that calls."""

    def __init__(self, native: Driver) -> None:
        self.workers: list[ctypes.c_void_p] = []
        self._native = native
        self._lock = threading.RLock()
        self._running: ProgramTable | None = None
        self._memory = _aligned_words(layouts.TeamLayout.BYTES)
        self._address: int = self._memory.ctypes.data
        # The system gives memory for those seats only that somebody takes.
        self._seats = _aligned_words(layouts.MAX_THREADS * layouts.SeatLayout.BYTES)
        self._set(self._memory, layouts.TeamLayout.CPUS, settings.cpu_count())
        self._set(self._memory, layouts.TeamLayout.SEATS, self._seats.ctypes.data)
        self._take_seat(0)

    def run(self, program: ProgramTable, threads: int) -> None:
        """Run a program with workers; without them if they are busy for another one."""
        try:
            with self._lock:
                if self._running is None:
                    self._running = program
            if self._running is not program:
                _run_alone(self._native, program)
                return
            if threads > len(self.workers) + 1:
                self._grow(threads)
            program.words[_THREADS], program.words[_TEAM] = threads, self._address
            self._native.run(program.address)
        finally:
            if self._running is program:
                self._running = None

    def close(self) -> None:
        """End the workers. When a daemon thread still runs a program at exit, leave them to it."""
        if self._lock.acquire(blocking=False):
            if self._running is None:
                self._native.end(self._address)
                for worker in self.workers:
                    _libc.pthread_join(worker, None)
                self.workers.clear()
                self._set(self._memory, layouts.TeamLayout.STAGE, 0)
            self._lock.release()

    def _grow(self, threads: int) -> None:
        # A Python signal handler must interrupt the main thread, not one that knows no Python.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            while len(self.workers) + 1 < threads:
                self._start_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _start_worker(self) -> None:
        seat = self._take_seat(len(self.workers) + 1)
        worker = ctypes.c_void_p()
        attributes = ctypes.create_string_buffer(_ATTRIBUTES_BYTES)
        _call("pthread_attr_init", attributes)
        _call("pthread_attr_setstacksize", attributes, ctypes.c_size_t(_STACK_BYTES))
        _call(
            "pthread_create",
            ctypes.byref(worker),
            attributes,
            ctypes.c_void_p(self._native.work),
            ctypes.c_void_p(seat.ctypes.data),
        )
        _call("pthread_attr_destroy", attributes)
        self.workers.append(worker)

    def _take_seat(self, number: int) -> Words:
        """Prepare the memory of a thread; 0 is the one that calls."""
        words = layouts.SeatLayout.BYTES // 8
        seat = self._seats[number * words :][:words]
        self._set(seat, layouts.SeatLayout.TEAM, self._address)
        self._set(seat, layouts.SeatLayout.THREAD, number)
        self._set(seat, layouts.SeatLayout.PATIENCE, PAUSES)
        _make_condition(seat, layouts.SeatLayout.MUTEX, layouts.SeatLayout.CONDITION)
        self._set(self._memory, layouts.TeamLayout.SEATED, number + 1)
        return seat

    @staticmethod
    def _set(memory: Words, offset: int, value: int) -> None:
        memory[offset // 8] = value


def _run_alone(native: Driver, program: ProgramTable) -> None:
    program.words[_THREADS] = 1
    native.run(program.address)


def chain_kernel() -> int:
    """The address of the kernel that runs others slice by slice; see `layouts.ChainLayout`."""
    return _driver().chain


def shared_team() -> Team:
    """The process's team, as large as `settings.num_threads()` says."""
    with _making:
        return _shared()


@cache
def _shared() -> Team:
    return Team(settings.num_threads())


@cache
def _driver() -> Driver:
    return load_driver(shared_jit())


def _checked(threads: int) -> int:
    if not 1 <= threads <= layouts.MAX_THREADS:
        raise ValueError(f"expected 1 to {layouts.MAX_THREADS} threads, got {threads}")
    return threads


def _aligned_words(size: int) -> Words:
    """Zeroed memory of `size` bytes that begins on a cache line."""
    words = np.zeros((size + layouts.LINE) // 8, np.int64)
    skip = -words.ctypes.data % layouts.LINE // 8
    return words[skip : skip + size // 8]


def _make_condition(memory: Words, mutex: int, condition: int) -> None:
    """Initialise a mutex and a condition variable at two offsets."""
    _call("pthread_mutex_init", ctypes.c_void_p(memory.ctypes.data + mutex), None)
    _call("pthread_cond_init", ctypes.c_void_p(memory.ctypes.data + condition), None)


def _call(name: str, *args: object) -> None:
    """Call a POSIX threads function, which returns its error."""
    function: Callable[..., int] = getattr(_libc, name)
    if error := function(*args):
        raise OSError(error, f"{name}: {os.strerror(error)}")


_making = threading.Lock()
_teams: weakref.WeakSet[Team] = weakref.WeakSet()


def _renew_teams() -> None:
    global _making
    _making = threading.Lock()
    for team in _teams:
        team._after_fork()


os.register_at_fork(after_in_child=_renew_teams)
