"""What a terminal shows of a launched program: its lines, and a table that is kept up to date."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, TextIO

from thalweg.cluster.launch.supervisor import Row
from thalweg.cluster.launch.task import Task

__all__ = ["Logs", "Speeds", "Table"]

COLOURS = (36, 33, 32, 35, 34, 31)  # of terminals: cyan, yellow, green, magenta, blue, red
REDRAW_SECONDS = 0.5


class Logs:
    """Prints lines of processes, each with the name of its own.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._lock = threading.Lock()
        self.is_terminal = self._stream.isatty()

    def say(self, task: Task | None, line: str) -> None:
        """Print a line of a process, or of the launcher itself."""
        name = "launch" if task is None else task.name
        head = f"[{name}]"
        if self.is_terminal and task is not None:
            head = f"\x1b[{COLOURS[(task.index + (task.job == 'ps')) % len(COLOURS)]}m{head}\x1b[0m"
        with self._lock:
            print(f"{head} {line}", file=self._stream, flush=True)


class Speeds:
    """Steps a second, from how many steps processes have reported at two times."""

    def __init__(self) -> None:
        self._seen: dict[Task, tuple[float, float]] = {}
        self._speeds: dict[Task, float] = {}

    def of(self, row: Row, now: float) -> float | None:
        """Those of a process; None before it has reported twice.

        Args:
            row: what is known of it.
            now: the time in seconds.
        """
        steps = row.progress.get("steps")
        if steps is None:
            return None
        before = self._seen.get(row.task)
        if before is None or steps < before[1]:
            self._seen[row.task] = now, steps
        elif steps > before[1] and now > before[0]:
            self._speeds[row.task] = (steps - before[1]) / (now - before[0])
            self._seen[row.task] = now, steps
        return self._speeds.get(row.task)


class Table:
    """A table of the processes, redrawn below the lines that they print. It needs `rich`.

    Args:
        rows: tells what is known.

    Raises:
        ImportError: `rich` is missing.
    """

    def __init__(self, rows: Callable[[], Sequence[Row]]) -> None:
        self._tables: Any = import_module("rich.table")
        live: Any = import_module("rich.live")
        self._rows, self._speeds = rows, Speeds()
        self._drawn = 0.0
        self._live = live.Live(self._table(), auto_refresh=False, redirect_stdout=True)

    def __enter__(self) -> Table:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def look(self) -> None:
        """Draw it anew, if it is time to."""
        if time.monotonic() - self._drawn > REDRAW_SECONDS:
            self._drawn = time.monotonic()
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Any:
        table = self._tables.Table("task", "where", "state", "step", "steps/s", "loss", "waiting")
        for row in self._rows():
            speed = self._speeds.of(row, time.monotonic())
            told = row.progress
            table.add_row(
                row.task.name,
                row.place,
                row.state,
                f"{told['steps']:,.0f}" if "steps" in told else "",
                f"{speed:,.1f}" if speed is not None else "",
                f"{told['loss']:.4g}" if "loss" in told else "",
                f"{told['waiting']:,.1f} s" if "waiting" in told else "",
            )
        return table
