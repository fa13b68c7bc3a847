"""Where the processes of a group meet: each tells where it listens, and hears of all others."""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from thalweg.base.errors import InvalidArgumentError, ThalwegError, UnavailableError
from thalweg.base.record import Record
from thalweg.cluster.collective.errors import Patience
from thalweg.cluster.collective.handshake import accepted, listening, opened
from thalweg.cluster.wire import Connection, Message

__all__ = ["Member", "Rendezvous", "meet"]

JOIN, TABLE, PROGRESS = 10, 11, 12  # kinds of messages
RETRY_SECONDS = 0.05
MOST_TEXT = 256  # characters of an address or a name


class Member(Record):
    """A process, as the others know it.

    Attributes:
        rank: its number.
        address: where it listens, "host:port".
        machine: equal for processes that can share memory.
        pid: the number of the process on its machine.
    """

    rank: int
    address: str
    machine: str
    pid: int

    @property
    def described(self) -> str:
        """As errors name it."""
        return f"rank {self.rank} (process {self.pid} at {self.address})"


class Rendezvous:
    """Waits for the processes of a group, and then tells each of all.

    It lives as long as the group, whose processes report their progress to it.

    Args:
        size: how many there will be.
        token: which they must know.
        host: the address of this machine where it listens.
        port: 0 stands for a free one.

    Attributes:
        address: where it listens, "host:port".
        progress: by rank, what its process has reported last.
        members: by rank, those that have come.
    """

    def __init__(self, size: int, token: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self._size, self._token = size, token
        self._listener = listening(host, port)
        self.address = f"{host}:{self._listener.getsockname()[1]}"
        self.progress: dict[int, dict[str, float]] = {}
        self.members: dict[int, Member] = {}
        self._connections: dict[int, Connection] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; the group goes on."""
        self._closed = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._connections.values():
            connection.close()

    def _serve(self) -> None:
        try:
            while len(self.members) < self._size and not self._closed:
                self._welcome(self._listener.accept()[0])
            table = [[m.rank, m.address, m.machine, m.pid] for m in self.members.values()]
            for connection in self._connections.values():
                with suppress(ThalwegError):
                    connection.send(Message(TABLE, table))
            self._follow()
        except OSError:
            if not self._closed:
                raise

    def _welcome(self, connected: socket.socket) -> None:
        connection = accepted(connected, self._token)
        if connection is None:
            return
        try:
            connection.settimeout(5)
            message = connection.receive()
            member = _member(message.meta, self._size) if message.kind == JOIN else None
        except (ThalwegError, OSError):
            member = None
        if member is None or member.rank in self.members:
            connection.close()
            return
        self.members[member.rank], self._connections[member.rank] = member, connection

    def _follow(self) -> None:
        """Note what the processes report, until they are gone."""
        ranks = {connection: rank for rank, connection in self._connections.items()}
        while ranks and not self._closed:
            for connection in select.select(list(ranks), [], [], 0.2)[0]:
                try:
                    self._note(ranks[connection], connection.receive())
                except (ThalwegError, OSError):
                    del ranks[connection]

    def _note(self, rank: int, message: Message) -> None:
        if message.kind == PROGRESS and isinstance(message.meta, dict):
            found = {k: v for k, v in message.meta.items() if isinstance(v, int | float)}
            self.progress[rank] = found


def meet(
    address: str, token: str, rank: int, size: int, machine: str, pid: int, patience: Patience
) -> tuple[list[Member], socket.socket, Connection]:
    """The group, where the others will call this process, and the connection to the rendezvous.

    Raises:
        UnavailableError: nobody listens there, or the others do not come.
        InvalidArgumentError: another process has come with the same rank.
    """
    connection, host = _reach(address, token, patience.give_up)
    listener = listening(host)
    port = listener.getsockname()[1]
    own = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        connection.send(Message(JOIN, [rank, own, machine, pid]))
        connection.most_bytes = 1 << 24
        connection.settimeout(patience.give_up)
        meta = connection.receive().meta
        members = sorted([_member(one, size) for one in meta], key=lambda member: member.rank)
    except TimeoutError:
        raise UnavailableError(
            f"rank {rank} has waited {patience.give_up:g} s at {address} for the others"
        ) from None
    except UnavailableError:
        raise InvalidArgumentError(
            f"{address} has sent rank {rank} of {size} away: the rank is taken, or there are others"
        ) from None
    return members, listener, connection


def _reach(address: str, token: str, seconds: float) -> tuple[Connection, str]:
    """The rendezvous, which may begin to listen later than this process calls."""
    end = time.monotonic() + seconds
    while True:
        try:
            return opened(address, token, 10)
        except OSError as error:
            if time.monotonic() > end:
                raise UnavailableError(f"nothing listens at {address}: {error}") from None
        time.sleep(RETRY_SECONDS)


def _member(meta: Any, size: int) -> Member:
    """A member from what it says of itself, checked."""
    match meta:
        case [int(rank), str(address), str(machine), int(pid)]:
            short = max(len(address), len(machine)) <= MOST_TEXT
            if 0 <= rank < size and pid >= 0 and short:
                return Member(rank, address, machine, pid)
    raise InvalidArgumentError(f"no process of a group of {size} introduces itself so")
