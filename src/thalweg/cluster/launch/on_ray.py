"""Starts processes on the nodes of a Ray cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from thalweg.cluster.launch.local import free_addresses
from thalweg.cluster.launch.task import SIGNALLED, LocalProcess, Task

__all__ = ["RayStarter"]

LOST = SIGNALLED + 9  # the exit status of a process whose node is gone


class Runner:
    """An actor: a place on a node, for one process."""

    def __init__(self) -> None:
        self._process: LocalProcess | None = None
        self._lines: list[str] = []

    def address(self) -> str:
        """A free port of the node."""
        host: str = import_module("ray").util.get_node_ip_address()
        return free_addresses(host, 1)[0]

    def start(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Start the process, after one that may have run before."""
        self._process = LocalProcess(command, variables, self._lines.append)

    def news(self) -> tuple[list[str], int | None]:
        """The lines since the last call, and the exit status; None while it runs."""
        assert self._process is not None
        status = self._process.poll()
        if status is not None:
            self._process.drain()
        count = len(self._lines)
        lines, self._lines[:count] = self._lines[:count], []
        return lines, status

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        if self._process is not None:
            self._process.signal(number)


class RayProcess:
    """A process on a node of a Ray cluster.

    Args:
        ray: the module.
        actor: a `Runner` that has started it.
        place: the node.
        say: is called with each line that it prints.
    """

    def __init__(self, ray: Any, actor: Any, place: str, say: Callable[[str], None]) -> None:
        self._ray, self._actor, self._say = ray, actor, say
        self.place = place
        self._status: int | None = None

    def poll(self) -> int | None:
        """See `Process`."""
        if self._status is None:
            try:
                lines, self._status = self._ray.get(self._actor.news.remote())
            except self._ray.exceptions.RayError as error:
                lines, self._status = [f"its node or actor is gone: {error}"], LOST
            for line in lines:
                self._say(line)
        return self._status

    def signal(self, number: int) -> None:
        """See `Process`."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.get(self._actor.signal.remote(number))

    def drain(self) -> None:
        """See `Process`. Ray ends the actor, and so its process, if they still run."""
        self.poll()


class RayStarter:
    """Starts processes on the nodes of a Ray cluster, spread over them; see `Starter`.

    Each process has an actor, which Ray starts again elsewhere if its node is lost; the supervisor
    then starts the process again.

    Args:
        address: of the cluster, or "auto".

    Raises:
        ImportError: Ray is missing.
        ConnectionError: there is no cluster at the address.
    """

    def __init__(self, address: str) -> None:
        self._ray: Any = import_module("ray")
        self._ray.init(address=address, logging_level="ERROR", log_to_driver=False)
        self.host: str = self._ray.util.get_node_ip_address()
        options = {"num_cpus": 1, "max_restarts": -1, "scheduling_strategy": "SPREAD"}
        self._runner = self._ray.remote(**options)(Runner)
        self._actors: dict[Task, tuple[Any, str]] = {}

    def addresses(self, tasks: Sequence[Task]) -> list[str]:
        """Place an actor for each task, and ask it for a free port of its node."""
        actors = [self._runner.remote() for _ in tasks]
        found: list[str] = self._ray.get([actor.address.remote() for actor in actors])
        for task, actor, address in zip(tasks, actors, found, strict=True):
            self._actors[task] = actor, address.rpartition(":")[0]
        return found

    def start(
        self,
        task: Task,
        command: Sequence[str],
        variables: Mapping[str, str],
        say: Callable[[str], None],
    ) -> RayProcess:
        """See `Starter`."""
        actor, place = self._actors[task]
        while True:
            try:
                self._ray.get(actor.start.remote(list(command), dict(variables)))
                return RayProcess(self._ray, actor, place, say)
            except self._ray.exceptions.ActorUnavailableError:
                time.sleep(0.5)  # Ray is starting it again

    def close(self) -> None:
        """Give the actors back."""
        self._ray.shutdown()
