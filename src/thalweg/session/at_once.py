"""Several things done at the same time, on threads that end with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Task(Thread, Generic[T]):
    """A call on a thread of its own, with what comes of it."""

    def __init__(self, call: Callable[[], T]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self.made: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.made = self._call()
        except BaseException as error:
            self.error = error

    def result(self) -> T:
        """What the call has returned, or raised."""
        if self.error is not None:
            raise self.error
        made: T = self.made
        return made


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What some calls return, each on a thread of its own but the first, which is on this one.

    Returns when all have ended, also if one of them fails or Ctrl-C is pressed: they use memory
    that the next run will use.

    Raises:
        BaseException: what the first of those that fail has raised.
    """
    if len(calls) == 1:
        return [calls[0]()]
    tasks = [_Task(call) for call in calls[1:]]
    interrupt: BaseException | None = None
    try:
        for task in tasks:
            task.start()
        first = calls[0]()
    finally:
        for task in tasks:
            while task.is_alive():
                try:
                    task.join()
                except BaseException as error:  # Ctrl-C, as we wait
                    interrupt = error
    if interrupt is not None:
        raise interrupt
    return [first, *(task.result() for task in tasks)]
