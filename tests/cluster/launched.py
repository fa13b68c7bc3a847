"""Programs that run as several processes, with what they print."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from thalweg.cluster.launch.local import LocalStarter
from thalweg.cluster.launch.supervisor import Plan, Supervisor
from thalweg.cluster.launch.task import Task

__all__ = ["Launched", "launched"]


class Launched:
    """Lines of a program's processes.

    Attributes:
        lines: who has said what, in order; None is the launcher.
        status: the worst exit status.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[Task | None, str]] = []
        self.status = -1

    def said(self, task: Task | None) -> list[str]:
        """The lines of one process."""
        return [line for who, line in self.lines if who == task]


def launched(*command: str, workers: int = 2, **plan: Any) -> Launched:
    """Run a module of Python, or `-c` and a program, as several processes to its end."""
    found = Launched()

    def say(task: Task | None, line: str) -> None:
        found.lines.append((task, line))

    made = Plan((sys.executable, *command), workers, **plan)
    found.status = Supervisor(made, LocalStarter(), say).run()
    return found


def texts(found: Launched, tasks: Mapping[str, int]) -> dict[str, list[str]]:
    """The lines of some processes, by their names."""
    return {
        f"{job} {n}": found.said(Task(job, n)) for job, count in tasks.items() for n in range(count)
    }
