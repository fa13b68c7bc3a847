"""The connections of one process to all others of its group."""

from __future__ import annotations

import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from thalweg.base.errors import DataLossError, InvalidArgumentError, ThalwegError
from thalweg.cluster.collective.errors import LostRankError, Patience
from thalweg.cluster.collective.handshake import HELLO_SECONDS, accepted, opened
from thalweg.cluster.collective.rendezvous import Member
from thalweg.cluster.wire import MOST_BYTES, Connection, Message

__all__ = ["Peers", "connect"]

Array = np.ndarray[Any, Any]

RANK, VALUES, ABORT = 20, 21, 22  # kinds of messages
INLINE_BYTES = 1 << 15  # that any socket takes without waiting for the other side


class Peers:
    """What a process exchanges with the others, in rounds: each sends all others a message.

    Args:
        rank: the number of this process.
        members: all processes, this one too.
        connections: to each other one, by rank.
        patience: how long to wait for them.

    Attributes:
        rounds: how many there have been.
    """

    def __init__(
        self,
        rank: int,
        members: Sequence[Member],
        connections: Mapping[int, Connection],
        patience: Patience,
    ) -> None:
        self.rank, self.size, self.members = rank, len(members), members
        self.rounds = 0
        self._connections = dict(connections)
        self._ranks = {connection: other for other, connection in self._connections.items()}
        self._patience = patience
        self._lost = ""

    def exchange(
        self, what: str, given: Callable[[int], Sequence[Array]]
    ) -> dict[int, list[Array]]:
        """What each other rank has for this one.

        Args:
            what: tells the round from others; it must be the same on all ranks.
            given: what this process has for a rank.

        Raises:
            LostRankError: a process is gone, or does not answer.
            InvalidArgumentError: a process is at something else.
        """
        if self._lost:
            raise LostRankError(self._lost)
        self.rounds += 1
        try:
            return self._exchange(what, given)
        except (LostRankError, InvalidArgumentError) as error:
            self._abort(str(error))
            raise
        except BaseException as error:  # Ctrl-C, say: the others wait for a message in vain
            self._abort(f"rank {self.rank} was interrupted by {type(error).__name__}")
            raise

    def _exchange(
        self, what: str, given: Callable[[int], Sequence[Array]]
    ) -> dict[int, list[Array]]:
        out = {other: list(given(other)) for other in self._in_turn()}
        size = max((sum(array.nbytes for array in arrays) for arrays in out.values()), default=0)
        if size <= INLINE_BYTES:
            self._send(what, out)
            return self._receive(what)
        sender = threading.Thread(target=self._send, args=(what, out), daemon=True)
        sender.start()
        received = self._receive(what)
        sender.join(self._patience.give_up)
        return received

    def _in_turn(self) -> list[int]:
        """The other ranks, the next one first, so that not all send to the same one at once."""
        return [(self.rank + n) % self.size for n in range(1, self.size)]

    def _send(self, what: str, out: Mapping[int, list[Array]]) -> None:
        for other, arrays in out.items():
            try:
                self._connections[other].send(Message(VALUES, what, arrays, self.rounds))
            except (ThalwegError, OSError):
                continue  # whoever receives from it learns why it is gone

    def _receive(self, what: str) -> dict[int, list[Array]]:
        found: dict[int, list[Array]] = {}
        start = time.monotonic()
        warned = False
        while len(found) < self.size - 1:
            missing = [c for other, c in self._connections.items() if other not in found]
            waited = time.monotonic() - start
            limit = self._patience.give_up if warned else self._patience.warn
            ready = [c for c in missing if c.is_waiting]
            ready = ready or select.select(missing, [], [], max(0.0, limit - waited))[0]
            if not ready:
                warned = self._complain(what, [self._ranks[c] for c in missing], limit, warned)
            for connection in ready:
                other = self._ranks[connection]
                found[other] = self._taken(what, other, connection)
        return found

    def _taken(self, what: str, other: int, connection: Connection) -> list[Array]:
        """What a rank sends in this round."""
        try:
            message = connection.receive()
        except (ThalwegError, OSError) as error:
            raise LostRankError(
                f"{self.members[other].described} is gone, since round {self.rounds} ({what}): "
                f"{error}"
            ) from None
        if message.kind == ABORT:
            raise LostRankError(f"{message.meta} (told by rank {other})")
        if message.kind != VALUES or message.number != self.rounds or message.meta != what:
            raise InvalidArgumentError(
                f"the ranks do not take part in the same operations: in round {self.rounds}, rank "
                f"{self.rank} is at {what}, and rank {other} at {message.meta}"
            )
        return list(message.arrays)

    def _complain(self, what: str, missing: Sequence[int], seconds: float, warned: bool) -> bool:
        """Warn about ranks that do not come, or give up.

        Raises:
            LostRankError: there has been a warning before.
        """
        names = ", ".join(self.members[other].described for other in missing)
        text = (
            f"rank {self.rank} has waited {seconds:g} s in round {self.rounds} ({what}); "
            f"missing: {names}"
        )
        if warned or self._patience.warn >= self._patience.give_up:
            raise LostRankError(text)
        print(f"thalweg: {text}", file=sys.stderr, flush=True)
        return True

    def _abort(self, reason: str) -> None:
        """Tell the others that the group is of no use any more."""
        self._lost = self._lost or reason
        for connection in self._connections.values():
            with suppress(ThalwegError, OSError):
                connection.settimeout(1)
                connection.send(Message(ABORT, reason))

    def close(self) -> None:
        """End the connections."""
        self._lost = self._lost or "the group was left"
        for connection in self._connections.values():
            connection.close()


def connect(
    rank: int,
    members: Sequence[Member],
    listener: socket.socket,
    token: str,
    patience: Patience,
) -> Peers:
    """Connect a process with all others: it calls those before it, and is called by the rest.

    Raises:
        LostRankError: one of them cannot be reached, or does not call.
    """
    connections: dict[int, Connection] = {}
    try:
        for member in members[:rank]:
            connection, _ = opened(member.address, token, patience.give_up)
            connection.send(Message(RANK, rank))
            connections[member.rank] = connection
        listener.settimeout(patience.give_up)
        while len(connections) < len(members) - 1:
            if (caller := _caller(listener, token)) and rank < caller[0] < len(members):
                connections[caller[0]] = caller[1]
    except (ThalwegError, OSError) as error:
        missing = [m.described for m in members if m.rank not in {rank, *connections}]
        raise LostRankError(f"cannot connect with {', '.join(missing)}: {error}") from None
    finally:
        listener.close()
    for connection in connections.values():
        connection.most_bytes = MOST_BYTES
        connection.settimeout(patience.give_up)  # in the middle of a message
    return Peers(rank, members, connections, patience)


def _caller(listener: socket.socket, token: str) -> tuple[int, Connection] | None:
    """The rank of who has called, and its connection; None for a stranger."""
    connection = accepted(listener.accept()[0], token)
    if connection is None:
        return None
    connection.settimeout(HELLO_SECONDS)
    message = connection.receive()
    if message.kind != RANK or type(message.meta) is not int:
        raise DataLossError("a process of the group does not tell its rank")
    return message.meta, connection
