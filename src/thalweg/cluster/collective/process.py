"""This process as a member of a group: how it joins, who it is, and how it leaves."""

from __future__ import annotations

import atexit
import os
import secrets
import threading
from contextlib import suppress
from typing import Any

from thalweg.base import settings
from thalweg.base.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ThalwegError,
)
from thalweg.base.record import Record
from thalweg.cluster.collective.errors import Patience
from thalweg.cluster.collective.group import ProcessGroup
from thalweg.cluster.collective.peers import connect
from thalweg.cluster.collective.rendezvous import PROGRESS, Rendezvous, meet
from thalweg.cluster.collective.shared_memory import machine_name
from thalweg.cluster.wire import Connection, Message, address_of, is_loopback
from thalweg.ops.host import collective

__all__ = [
    "init",
    "is_initialized",
    "local_rank",
    "local_size",
    "rank",
    "shutdown",
    "size",
]

REPORT_SECONDS = 0.5
TOKEN = "loopback"  # of a group that only this machine can reach, if it was given none


class Place(Record):
    """Where a process stands in its group.

    Attributes:
        rank: its number.
        size: how many processes there are.
        rendezvous: where they meet, "host:port".
        token: which they all know.
        hosts: whether this process lets the others meet.
    """

    rank: int
    size: int
    rendezvous: str
    token: str
    hosts: bool = False


class _Membership:
    """A process that has joined a group, and reports its progress."""

    def __init__(self, place: Place, patience: Patience) -> None:
        self._rendezvous: Rendezvous | None = None
        if place.hosts:
            host, port = address_of(place.rendezvous)
            self._rendezvous = Rendezvous(place.size, place.token, host, port)
        members, listener, self._watcher = meet(
            place.rendezvous,
            place.token,
            place.rank,
            place.size,
            machine_name(),
            os.getpid(),
            patience,
        )
        self.local = [m.rank for m in members if m.machine == members[place.rank].machine]
        peers = connect(place.rank, members, listener, place.token, patience)
        self.group = ProcessGroup(peers)
        self._reporter = _Reporter(self.group, self._watcher)

    def close(self) -> None:
        """Leave the group."""
        self._reporter.stop()
        self.group.close()
        self._watcher.close()
        if self._rendezvous is not None:
            self._rendezvous.close()


class _Reporter(threading.Thread):
    """Tells the rendezvous now and then how many steps this process has made."""

    def __init__(self, group: ProcessGroup, watcher: Connection) -> None:
        super().__init__(daemon=True, name="thalweg progress")
        self._group, self._watcher = group, watcher
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        told = 0
        with suppress(ThalwegError, OSError):  # nobody watches any more
            while not self._ended.wait(REPORT_SECONDS):
                if self._group.steps > told:
                    told = self._group.steps
                    self._watcher.send(Message(PROGRESS, self._group.progress()))

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join(1)


_membership: list[_Membership] = []
_initialised: list[bool] = []


def init(
    rendezvous: str | None = None,
    rank: int | None = None,
    size: int | None = None,
    token: str | None = None,
    patience: Patience | None = None,
) -> None:
    """Join the group of this program's processes. Call it once, before anything else.

    Under `thalweg launch` or `mpirun` it takes no arguments, and a program that was started alone
    is a group of one. To start a group by hand, on several machines say, give each process the same
    address, which is one of rank 0's machine:

        cluster.init("10.0.0.1:5555", rank=1, size=2, token="a long random text")

    Args:
        rendezvous: "host:port" where rank 0 listens for the others.
        rank: the number of this process, from 0.
        size: how many processes there are.
        token: a secret of the group; needed where other machines can reach it.
        patience: how long to wait for others; by default a warning after 60 s and an error after
            180 s, or `THALWEG_WARN_SECONDS` and `THALWEG_GIVE_UP_SECONDS`.

    Raises:
        InvalidArgumentError: a number is out of range, or there is no token where one is needed.
        UnavailableError: the others do not come.
    """
    if _initialised:
        return
    place = _given(rendezvous, rank, size, token)
    if place.size > 1:
        membership = _Membership(place, patience or _patience())
        collective.join(membership.group)
        _membership.append(membership)
        atexit.register(shutdown)
    _initialised.append(True)


def shutdown() -> None:
    """Leave the group. The process is a group of one afterwards."""
    collective.leave()
    _initialised.clear()
    while _membership:
        _membership.pop().close()


def is_initialized() -> bool:
    """Whether `init` has been called."""
    return bool(_initialised)


def rank() -> int:
    """The number of this process in its group, from 0.

    Raises:
        FailedPreconditionError: before `init`.
    """
    return _group().rank


def size() -> int:
    """How many processes the group has.

    Raises:
        FailedPreconditionError: before `init`.
    """
    return _group().size


def local_rank() -> int:
    """The number of this process among those of its machine.

    Raises:
        FailedPreconditionError: before `init`.
    """
    number = _group().rank
    return _membership[0].local.index(number) if _membership else 0


def local_size() -> int:
    """How many processes of the group are on this machine.

    Raises:
        FailedPreconditionError: before `init`.
    """
    _group()
    return len(_membership[0].local) if _membership else 1


def _group() -> collective.Group:
    if not _initialised:
        raise FailedPreconditionError("call thalweg.cluster.init() first")
    return collective.group_of_process()


# -- where the place comes from


def _given(address: str | None, rank: int | None, size: int | None, token: str | None) -> Place:
    if address is not None:
        if rank is None or size is None:
            raise InvalidArgumentError("init: rendezvous needs a rank and a size")
        return _checked(rank, size, address, token or "", hosts=rank == 0)
    if settings.of_group("RENDEZVOUS"):
        numbers = [_number(name, settings.of_group(name)) for name in ("RANK", "SIZE")]
        own = settings.of_group("RENDEZVOUS"), settings.of_group("TOKEN")
        return _checked(numbers[0], numbers[1], *own, hosts=False)
    if settings.mpi_rank("SIZE"):
        return _by_mpi()
    return Place(0, 1, "", "")


def _checked(rank: int, size: int, address: str, token: str, hosts: bool) -> Place:
    if size < 1 or not 0 <= rank < size:
        raise InvalidArgumentError(f"init: rank {rank} of {size} processes")
    if not token and not is_loopback(address_of(address)[0]):
        raise InvalidArgumentError(
            f"init: other machines can reach {address}; give all processes the same secret token"
        )
    return Place(rank, size, address, token or TOKEN, hosts)


def _number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise InvalidArgumentError(f"THALWEG_{name} is {text!r}; expected a whole number")
    return int(text)


def _by_mpi() -> Place:
    """A place in the world of `mpirun`: MPI tells all where rank 0 listens, and nothing else."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise NotFoundError(
            f"a program that mpirun has started needs `pip install thalweg[mpi]` ({error})"
        ) from None
    world: Any = MPI.COMM_WORLD
    is_first = world.Get_rank() == 0
    own = (_own_address(), secrets.token_hex(16)) if is_first else None
    address, token = world.bcast(own, root=0)
    return Place(world.Get_rank(), world.Get_size(), address, token, hosts=is_first)


def _own_address() -> str:
    """A free port of this machine, at the address by which others of its network know it."""
    import socket

    one_machine = settings.mpi_rank("LOCAL_SIZE") == settings.mpi_rank("SIZE")
    host = "127.0.0.1" if one_machine else socket.gethostbyname(socket.gethostname())
    with socket.create_server((host, 0)) as free:
        return f"{host}:{free.getsockname()[1]}"


def _patience() -> Patience:
    default = Patience()
    warn = float(settings.of_group("WARN_SECONDS") or default.warn)
    return Patience(warn, float(settings.of_group("GIVE_UP_SECONDS") or default.give_up))
