"""A process of a launched program, and what it is told of the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Protocol

from thalweg.base.record import Record

__all__ = ["LocalProcess", "Process", "Starter", "Task", "environment"]

SIGNALLED = 128  # and the signal: the exit status of a process that it has ended, as in shells


class Task(Record):
    """One of the processes of a program.

    Attributes:
        job: "worker" or "ps".
        index: its number in its job.
    """

    job: str
    index: int

    @property
    def name(self) -> str:
        """As logs and tables show it."""
        return f"{self.job} {self.index}"


class Process(Protocol):
    """A process that runs somewhere.

    Attributes:
        place: where, for people.
    """

    place: str

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal to it and to what it has started."""
        ...

    def drain(self) -> None:
        """Wait until all that it has printed has been passed on."""
        ...


class Starter(Protocol):
    """Starts processes."""

    def addresses(self, tasks: Sequence[Task]) -> list[str]:
        """For each task an address, "host:port", at which it may listen."""
        ...

    def start(
        self,
        task: Task,
        command: Sequence[str],
        variables: Mapping[str, str],
        say: Callable[[str], None],
    ) -> Process:
        """Start a process.

        Args:
            task: what it is.
            command: its command line.
            variables: of its environment, beside the launcher's own.
            say: is called with each line that it prints.
        """
        ...


class LocalProcess:
    """A process of this machine, in a process group of its own.

    Args:
        command: its command line.
        variables: of its environment, beside this one's.
        say: is called with each line that it prints.
    """

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        theirs, ours = os.pipe()
        self._lifeline: int | None = ours
        try:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **variables, "THALWEG_LIFELINE": str(theirs)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs],
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        self.place = f"process {self._process.pid}"
        assert self._process.stdout is not None
        output = self._process.stdout
        self._reader = threading.Thread(target=_pass_on, args=(output, say), daemon=True)
        self._reader.start()

    def poll(self) -> int | None:
        """See `Process`."""
        status = self._process.poll()
        return None if status is None else status if status >= 0 else SIGNALLED - status

    def signal(self, number: int) -> None:
        """See `Process`."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
            os.killpg(self._process.pid, signal.SIGCONT)  # a stopped process takes no other one

    def drain(self) -> None:
        """See `Process`. What it has started, and left behind, is ended."""
        if self._lifeline is None:
            return
        self.signal(signal.SIGKILL)
        self._reader.join(5)
        os.close(self._lifeline)
        self._lifeline = None


def _pass_on(output: IO[bytes], say: Callable[[str], None]) -> None:
    with output:
        for line in output:
            say(line.decode(errors="replace").rstrip("\r\n"))


def environment(
    task: Task, cluster: Mapping[str, Sequence[str]], threads: int, group: Mapping[str, str]
) -> dict[str, str]:
    """What a process finds in its environment.

    Args:
        task: what it is.
        cluster: the addresses of each job.
        threads: how many it may use, unless the user has said so.
        group: how the workers find each other.
    """
    where = {"type": task.job, "index": task.index}
    jobs = {job: list(addresses) for job, addresses in cluster.items()}
    made = {"TF_CONFIG": json.dumps({"cluster": jobs, "task": where}), "PYTHONUNBUFFERED": "1"}
    if "THALWEG_NUM_THREADS" not in os.environ:
        made["THALWEG_NUM_THREADS"] = str(threads)
    return made | (dict(group) if task.job == "worker" else {})
