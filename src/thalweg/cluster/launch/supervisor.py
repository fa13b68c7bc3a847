"""Starts the processes of a program, starts those again that fail, and ends all in the end."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from thalweg.base.record import Record
from thalweg.cluster.collective.rendezvous import Rendezvous
from thalweg.cluster.launch.task import Process, Starter, Task, environment

__all__ = ["Plan", "Row", "Supervisor"]

POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0  # between asking a process to end and ending it
TOGETHER_SECONDS = 2.0  # in which workers of a group notice themselves that one is gone


class Plan(Record):
    """What to start.

    Attributes:
        command: of each process.
        workers: how many.
        servers: how many parameter servers.
        restarts: how often processes may fail and be started again, all in all.
        threads: of each process.
    """

    command: tuple[str, ...]
    workers: int
    servers: int = 0
    restarts: int = 0
    threads: int = 1

    @property
    def tasks(self) -> list[Task]:
        """The processes, servers first."""
        jobs = [("ps", self.servers), ("worker", self.workers)]
        return [Task(job, index) for job, count in jobs for index in range(count)]


class Row(Record):
    """What is known of a process, for people.

    Attributes:
        task: what it is.
        place: where it runs.
        state: "running", or how it has ended.
        progress: what it has reported.
    """

    task: Task
    place: str
    state: str
    progress: Mapping[str, float]


class Supervisor:
    """Runs a plan to its end.

    A server, or a worker that has not joined the group of workers, is started again alone. When a
    worker of the group fails, all workers are: they go on from their last checkpoint. The program
    ends when all workers have; servers that still run are ended then.

    Args:
        plan: what to start.
        starter: how to start a process.
        say: is called with each line that a process prints; with None and a line of its own.
        host: this machine's address, at which all workers can reach it.
    """

    def __init__(
        self,
        plan: Plan,
        starter: Starter,
        say: Callable[[Task | None, str], None],
        host: str = "127.0.0.1",
    ) -> None:
        self._plan, self._starter, self._say, self._host = plan, starter, say, host
        self._cluster: dict[str, list[str]] = {}
        self._rendezvous: Rendezvous | None = None
        self._group: dict[str, str] = {}
        self._running: dict[Task, Process] = {}
        self._ended: dict[Task, int] = {}
        self._failures: list[int] = []
        self._left = plan.restarts

    def run(self, look: Callable[[], None] = lambda: None) -> int:
        """Run all processes to their end; the worst exit status of those that were not replaced.

        Args:
            look: is called now and then.
        """
        tasks = self._plan.tasks
        for task, address in zip(tasks, self._starter.addresses(tasks), strict=True):
            self._cluster.setdefault(task.job, []).append(address)
        try:
            self._meet_anew()
            for task in tasks:
                self._start(task)
            while not self._is_done():
                self._watch()
                look()
                time.sleep(POLL_SECONDS)
        finally:
            self.end(signal.SIGTERM)
            if self._rendezvous is not None:
                self._rendezvous.close()
        return max(self._failures, default=0)

    def rows(self) -> list[Row]:
        """What is known of each process."""
        progress = {} if self._rendezvous is None else self._rendezvous.progress
        found = []
        for task in self._plan.tasks:
            process, status = self._running.get(task), self._ended.get(task)
            state = "running" if process else "ended" if not status else f"exit status {status}"
            told = progress.get(task.index, {}) if task.job == "worker" else {}
            found.append(Row(task, process.place if process else "", state, told))
        return found

    def end(self, first: int) -> None:
        """End all processes: ask them with a signal, and end them if they go on."""
        self._end_some(list(self._running), first)

    # -- inside

    def _is_done(self) -> bool:
        return bool(self._failures) or not any(task.job == "worker" for task in self._running)

    def _meet_anew(self) -> None:
        """Let the workers meet: those of a group that has failed meet at another place."""
        if self._rendezvous is not None:
            self._rendezvous.close()
        token = secrets.token_hex(16)
        size = self._plan.workers
        self._rendezvous = Rendezvous(size, token, self._host)
        where = {"RENDEZVOUS": self._rendezvous.address, "TOKEN": token, "SIZE": str(size)}
        self._group = {f"THALWEG_{name}": text for name, text in where.items()}

    def _start(self, task: Task) -> None:
        group = {**self._group, "THALWEG_RANK": str(task.index)}
        variables = environment(task, self._cluster, self._plan.threads, group)
        say = partial(self._say, task)
        self._running[task] = self._starter.start(task, self._plan.command, variables, say)

    def _watch(self) -> None:
        """See who has ended, and start again who has failed."""
        failed: list[tuple[Task, int]] = []
        for task, process in list(self._running.items()):
            if (status := process.poll()) is not None:
                process.drain()
                del self._running[task]
                self._ended[task] = status
                if status:
                    failed.append((task, status))
        if failed:
            self._recover(failed)

    def _recover(self, failed: Sequence[tuple[Task, int]]) -> None:
        assert self._rendezvous is not None
        named = ", ".join(f"{task.name} (exit status {status})" for task, status in failed)
        if not self._left:
            self._failures += [status for _, status in failed]
            if self._plan.restarts or len(self._plan.tasks) > 1:
                self._say(None, f"{named} failed; all others are ended")
            return
        self._left -= 1
        members = self._rendezvous.members
        if any(task.job == "worker" and task.index in members for task, _ in failed):
            self._say(None, f"{named} failed; all workers start again ({self._left} times left)")
            self._wait(TOGETHER_SECONDS, [task for task in self._running if task.job == "worker"])
            self._end_some([t for t in self._running if t.job == "worker"], signal.SIGTERM)
            self._meet_anew()
            again = [task for task in self._plan.tasks if task.job == "worker"]
            again += [task for task, _ in failed if task.job != "worker"]
        else:
            self._say(None, f"{named} failed, and starts again ({self._left} times left)")
            again = [task for task, _ in failed]
        for task in again:
            self._start(task)

    def _end_some(self, tasks: Sequence[Task], first: int) -> None:
        for number in dict.fromkeys((first, signal.SIGTERM, signal.SIGKILL)):
            for task in tasks:
                if task in self._running:
                    self._running[task].signal(number)
            if self._wait(GRACE_SECONDS, tasks):
                break
        for task in tasks:
            if (process := self._running.pop(task, None)) is not None:
                process.drain()

    def _wait(self, seconds: float, tasks: Sequence[Task]) -> bool:
        """Whether some processes end within a time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if all(self._running[task].poll() is not None for task in tasks):
                return True
            time.sleep(POLL_SECONDS)
        return False
