"""When Python looks for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from thalweg.base.forks import ForkSafe


@contextmanager
def collection_paused() -> Iterator[None]:
    """Look for no garbage inside.

    Planning makes hundreds of objects for each operation, and keeps them while it lasts. To look at
    all of them again and again finds nothing, and takes a third of the time.
    """
    _pause.begin()
    try:
        yield
    finally:
        _pause.end()


class _Pause(ForkSafe):
    """How many blocks are running in all threads that want no collection."""

    fork_order = 4

    def __init__(self) -> None:
        super().__init__()
        self._blocks = 0
        self._was_on = True

    def begin(self) -> None:
        with self._lock:
            if not self._blocks:
                self._was_on = gc.isenabled()
                gc.disable()
            self._blocks += 1

    def end(self) -> None:
        with self._lock:
            self._blocks = max(self._blocks - 1, 0)
            if not self._blocks and self._was_on:
                gc.enable()

    def reset_in_child(self, is_lost: bool) -> None:
        """The child has none of the other threads, which may have been in such a block."""
        super().reset_in_child(is_lost)
        if self._blocks:
            self._blocks = 1
            self.end()


_pause = _Pause()
