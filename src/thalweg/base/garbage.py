"""When Python looks for garbage."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_blocks = 0  # that are running, in all threads
_was_on = True


@contextmanager
def collection_paused() -> Iterator[None]:
    """Look for no garbage inside.

    Planning makes hundreds of objects for each operation, and keeps them while it lasts. To look at
    all of them again and again finds nothing, and takes a third of the time.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _blocks, _was_on
    with _lock:
        if not _blocks:
            _was_on = gc.isenabled()
            gc.disable()
        _blocks += 1


def _leave() -> None:
    global _blocks
    with _lock:
        _blocks -= 1
        if not _blocks and _was_on:
            gc.enable()
