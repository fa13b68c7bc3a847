"""Progress of long work: one line redrawn on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

__all__ = ["Progress"]

REDRAW_SECONDS = 0.1
LINE_SECONDS = 10.0
BAR = 24


class Progress:
    """Shows how many of `total` steps are done, how fast they go, and a text of the caller's.

    Args:
        total: the number of steps.
        stream: where to write; standard output if not given.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = sys.stdout if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._shown = ""
        self._last = time.monotonic()  # when something was shown
        self._updated: float | None = None  # when the last step ended, unless a line came after it
        self._timed, self._seconds = 0, 0.0  # steps whose time is known, and their time

    def update(self, step: int, text: str) -> None:
        """Note that `step` steps are done; write it if it is time to."""
        now = time.monotonic()
        if self._updated is not None:  # not at the first step, which contains compilation
            self._timed += 1
            self._seconds += now - self._updated
        self._updated = now
        if now - self._last >= (REDRAW_SECONDS if self._is_terminal else LINE_SECONDS):
            self._last = now
            self._show(step, text)

    def line(self, text: str) -> None:
        """Write a line that stays. The time until the next update does not count."""
        self.clear()
        self._updated = None
        print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Take the redrawn line away."""
        if self._shown:
            self._stream.write("\r" + " " * len(self._shown) + "\r")
            self._stream.flush()
            self._shown = ""

    def _show(self, step: int, text: str) -> None:
        speed = f", {self._timed / self._seconds:,.0f} steps/s" if self._seconds else ""
        place = f"{step:,}/{self._total:,}"
        if not self._is_terminal:
            self.line(f"  {place}  {text}{speed}")
            return
        filled = BAR * step // self._total
        shown = f"  [{'=' * filled}{' ' * (BAR - filled)}] {place}  {text}{speed}"
        shown = shown[: shutil.get_terminal_size().columns - 1]
        self._stream.write("\r" + shown.ljust(len(self._shown)))
        self._stream.flush()
        self._shown = shown
