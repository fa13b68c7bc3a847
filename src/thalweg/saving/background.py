"""Work in another thread, one piece at a time, whose failure nobody can miss."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from threading import Thread

__all__ = ["BackgroundWork"]


class _Failure:
    """What the last piece of work has raised, until somebody is told."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def report(self) -> None:
        """Say what nobody has asked for: the program ends."""
        if self.error is not None:
            notes = " ".join(getattr(self.error, "__notes__", ()))
            print(f"{type(self.error).__name__}: {self.error} ({notes})", file=sys.stderr)


class BackgroundWork:
    """Runs one piece of work at a time in a thread. The process does not end before it is done.

    A failure is raised by the next call of a method, and is printed if there is none.
    """

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._failure = _Failure()
        weakref.finalize(self, self._failure.report)

    @property
    def is_running(self) -> bool:
        """Whether some work is not done yet."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], object], what: str) -> None:
        """Begin some work, after that which goes on, and return.

        Args:
            work: what to do.
            what: it is, for people to read.

        Raises:
            Exception: what the work before has raised.
        """
        self.wait()
        self._thread = Thread(target=_run, args=(work, what, self._failure), name=what)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the work that goes on.

        Raises:
            Exception: what it has raised.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._failure.error = self._failure.error, None
        if error is not None:
            raise error


def _run(work: Callable[[], object], what: str, failure: _Failure) -> None:
    try:
        work()
    except BaseException as error:
        error.add_note(f"raised in the background: {what}")
        failure.error = error
