"""Starts processes on this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from thalweg.cluster.launch.task import LocalProcess, Task

__all__ = ["LocalStarter", "free_addresses"]


class LocalStarter:
    """Starts processes on this machine; see `Starter`."""

    host = "127.0.0.1"

    def addresses(self, tasks: Sequence[Task]) -> list[str]:
        """Free ports of the loopback address."""
        return free_addresses(self.host, len(tasks))

    def start(
        self,
        task: Task,
        command: Sequence[str],
        variables: Mapping[str, str],
        say: Callable[[str], None],
    ) -> LocalProcess:
        """See `Starter`."""
        return LocalProcess(command, variables, say)

    def close(self) -> None:
        """Nothing is left."""


def free_addresses(host: str, count: int) -> list[str]:
    """Different ports at which nobody listens at present."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.create_server((host, 0))) for _ in range(count)]
        return [f"{host}:{one.getsockname()[1]}" for one in found]
