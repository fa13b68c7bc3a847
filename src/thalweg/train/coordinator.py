"""Coordinators: how several threads stop together."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from thalweg.base.errors import OutOfRangeError
from thalweg.platform import logging

STILL_RUNNING = "Coordinator stopped with threads still running: "


class Coordinator:
    """Lets threads ask each other to stop, and hands on the first exception of any of them.

        coord = tf.train.Coordinator()
        threads = [threading.Thread(target=work, args=(coord,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        coord.join(threads)

    A thread runs `while not coord.should_stop(): ...`, inside `with coord.stop_on_exception():`.

    Args:
        clean_stop_exception_types: exceptions that ask to stop and are no errors; by default
            `OutOfRangeError`.
    """

    def __init__(
        self, clean_stop_exception_types: Iterable[type[BaseException]] | None = None
    ) -> None:
        clean = clean_stop_exception_types
        self._clean = (OutOfRangeError,) if clean is None else tuple(clean)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._joined = False
        self._registered: set[threading.Thread] = set()

    @property
    def joined(self) -> bool:
        """Whether `join` has seen all threads end."""
        return self._joined

    def request_stop(self, ex: Any = None) -> None:
        """Ask all threads to stop. After this `should_stop` is True.

        Args:
            ex: why: an exception, or a tuple as `sys.exc_info()` gives it. The first is raised by
                `join`, unless it is one of the clean ones.
        """
        with self._lock:
            error = ex[1] if isinstance(ex, tuple) else ex
            if self._joined:
                if isinstance(error, self._clean) or error is None:
                    return
                raise error  # nobody will join any more
            if self._stop.is_set():
                return
            if error is not None and not isinstance(error, self._clean):
                logging.info("Error reported to Coordinator: %s, %s", type(error), error)
                self._error = error
            self._stop.set()

    def clear_stop(self) -> None:
        """Forget that anyone asked to stop, and any exception."""
        with self._lock:
            self._joined, self._error = False, None
            self._stop.clear()

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_set()

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Wait until a stop is requested.

        Args:
            timeout: seconds to wait at most.

        Returns:
            whether one was.
        """
        return self._stop.wait(timeout)

    @contextlib.contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """Inside the block, an exception is a request to stop: `join` raises it, the block not."""
        try:
            yield
        except BaseException as error:
            self.request_stop(error)

    def register_thread(self, thread: threading.Thread) -> None:
        """Let `join` wait for a thread, too."""
        with self._lock:
            self._registered.add(thread)

    def join(
        self,
        threads: Iterable[threading.Thread] | None = None,
        stop_grace_period_secs: float = 120,
        ignore_live_threads: bool = False,
    ) -> None:
        """Wait until all threads have ended.

        Args:
            threads: to wait for, with those that were registered.
            stop_grace_period_secs: how long they may take once a stop was requested.
            ignore_live_threads: whether those that then still run are no error.

        Raises:
            RuntimeError: if threads still run after that time.
            Exception: the first that a thread gave to `request_stop`.
        """
        with self._lock:
            waited = [*self._registered.union(threads or ())]
        while any(thread.is_alive() for thread in waited) and not self.wait_for_stop(0.05):
            pass
        _join_all(waited, stop_grace_period_secs if self.should_stop() else 0)
        stragglers = [thread.name for thread in waited if thread.is_alive()]
        with self._lock:
            self._joined = True
            self._registered = set()
            error, self._error = self._error, None
        if error is not None:
            raise error
        if stragglers:
            if not ignore_live_threads:
                raise RuntimeError(STILL_RUNNING + " ".join(stragglers))
            logging.info("%s%s", STILL_RUNNING, " ".join(stragglers))

    def raise_requested_exception(self) -> None:
        """Raise the exception that was given to `request_stop`, if there is one."""
        with self._lock:
            if self._error is not None:
                raise self._error


def _join_all(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Wait for threads, for so long in all."""
    end = time.monotonic() + seconds
    for thread in threads:
        if thread.is_alive():
            thread.join(max(0.0, end - time.monotonic()))


class LooperThread(threading.Thread):
    """A thread that calls a function again and again until its coordinator says stop.

    Args:
        coord: says when to stop, and is told of exceptions.
        timer_interval_secs: seconds from one call to the next; None for none.
        target: the function; by default the thread's own `run_loop`.
        args: its arguments.
        kwargs: those by name.
    """

    def __init__(
        self,
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any] | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(coord, Coordinator):
            raise ValueError(f"'coord' argument must be a Coordinator: {coord}")
        super().__init__(daemon=True)
        self._coord, self._interval = coord, timer_interval_secs
        self._called, self._args, self._kwargs = target, args or (), dict(kwargs or {})
        coord.register_thread(self)

    @staticmethod
    def loop(
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> LooperThread:
        """Make such a thread, and start it."""
        looper = LooperThread(coord, timer_interval_secs, target, args, kwargs)
        looper.start()
        return looper

    def run(self) -> None:
        """Loop until the coordinator says stop."""
        with self._coord.stop_on_exception():
            self.start_loop()
            due = time.monotonic()
            while not self._coord.wait_for_stop(max(0.0, due - time.monotonic())):
                due += self._interval or 0.0
                self.run_loop()
            self.stop_loop()

    def start_loop(self) -> None:
        """Called when the thread starts; for subclasses."""

    def stop_loop(self) -> None:
        """Called when the thread stops; for subclasses."""

    def run_loop(self) -> None:
        """Called again and again."""
        if self._called is not None:
            self._called(*self._args, **self._kwargs)
