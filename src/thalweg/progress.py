"""Progress of a long piece of work: one line redrawn on a terminal, now and then a line elsewhere."""

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
        self._last = time.monotonic()
        self._timed_from = (0, self._last)

    def update(self, step: int, text: str) -> None:
        """Note that `step` steps are done; write it if it is time to."""
        now = time.monotonic()
        if step <= 1:  # the first step contains compilation, so speed is measured from its end
            self._timed_from = (step, now)
        if now - self._last >= (REDRAW_SECONDS if self._is_terminal else LINE_SECONDS):
            self._last = now
            self._show(step, text, now)

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self.clear()
        print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Take the redrawn line away."""
        if self._shown:
            self._stream.write("\r" + " " * len(self._shown) + "\r")
            self._stream.flush()
            self._shown = ""

    def _show(self, step: int, text: str, now: float) -> None:
        first, start = self._timed_from
        speed = f", {(step - first) / (now - start):,.0f} steps/s" if step > first else ""
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
