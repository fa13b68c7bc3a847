"""Forks: a child has one thread, so nothing may be held by another one when it is made.

A fork waits until no other thread is inside of native code or of LLVM, which takes milliseconds as
a rule. The locks around these are made anew in the child. So it finds whole variables and a
compiler that works. What is not quiescent in time is lost to the child, and says so there.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import ClassVar

PATIENCE_S = 20.0  # for which a fork waits for all that is at work
_GIVE_WAY_S = 1.0  # for which a thread that begins something waits for a fork


class ForkSafe:
    """What threads share under a lock, and a fork must find quiescent.

    Attributes:
        fork_order: those with a lower number may wait for those with a higher one.
        is_lost: whether it was at work in another thread when this process was forked.
    """

    fork_order: ClassVar[int]
    is_lost: bool = False

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _everything.add(self)

    def quiesce(self, seconds: float) -> bool:
        """Let no other thread begin anything, and wait for what has begun; whether it ends in time.

        Args:
            seconds: to wait for at most.
        """
        return True

    def resume(self) -> None:
        """Let them begin again, in the parent and in the child."""

    def reset_in_child(self, is_lost: bool) -> None:
        """In the child, before it goes on: forget the other threads."""
        self._lock = threading.RLock()
        self.is_lost = self.is_lost or is_lost


_everything: weakref.WeakSet[ForkSafe] = weakref.WeakSet()


class _Fork:
    """The fork that waits or is made, if there is one."""

    def __init__(self) -> None:
        self.quiesced: list[ForkSafe] = []
        self.busy: list[ForkSafe] = []
        self.is_over = threading.Event()

    def prepare(self) -> None:
        end = time.monotonic() + PATIENCE_S
        for each in sorted(_everything, key=lambda s: s.fork_order):
            is_quiet = each.quiesce(max(end - time.monotonic(), 0.0))
            (self.quiesced if is_quiet else self.busy).append(each)

    def end(self) -> None:
        for each in reversed(self.quiesced):
            each.resume()
        self.is_over.set()


waiting: _Fork | None = None


def give_way() -> None:
    """Let a fork that waits go first. A thread that works without end would never let it in."""
    if (fork := waiting) is not None:
        fork.is_over.wait(_GIVE_WAY_S)


def _before() -> None:
    global waiting
    waiting = _Fork()
    waiting.prepare()


def _after_in_parent() -> None:
    global waiting
    if waiting is not None:
        waiting.end()
    waiting = None


def _after_in_child() -> None:
    global waiting
    if waiting is not None:
        for is_lost, those in ((True, waiting.busy), (False, waiting.quiesced)):
            for each in those:
                each.reset_in_child(is_lost)
        waiting.end()
    waiting = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
