"""Groups for tests: all members in one process, each on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from thalweg.cluster.collective.errors import Patience
from thalweg.cluster.collective.group import ProcessGroup
from thalweg.cluster.collective.peers import connect
from thalweg.cluster.collective.rendezvous import Rendezvous, meet

T = TypeVar("T")

SHORT = Patience(20, 30)


def at_once(count: int, call: Callable[[int], T]) -> list[T]:
    """What a function returns for each number, each on a thread; the first error, if there is."""
    found: dict[int, Any] = {}
    errors: dict[int, BaseException] = {}

    def run(number: int) -> None:
        try:
            found[number] = call(number)
        except BaseException as error:
            errors[number] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[min(errors)]
    return [found[n] for n in range(count)]


@contextmanager
def group_of(
    size: int, machines: int = 1, patience: Patience = SHORT
) -> Iterator[list[ProcessGroup]]:
    """The members of a group, on some machines."""
    rendezvous = Rendezvous(size, "secret")

    def joined(rank: int) -> ProcessGroup:
        machine = f"machine {rank * machines // size}"
        members, listener, watcher = meet(
            rendezvous.address, "secret", rank, size, machine, 1000 + rank, patience
        )
        watcher.close()
        return ProcessGroup(connect(rank, members, listener, "secret", patience))

    groups = at_once(size, joined)
    try:
        yield groups
    finally:
        for group in groups:
            group.close()
        rendezvous.close()
