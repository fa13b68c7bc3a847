"""How two processes of a group make sure of each other: both show that they know the token.

Each sends a number that it has just drawn, and answers the other's with an HMAC of it. So the token
itself never crosses the network, and an answer that was overheard is of no use.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
from typing import Any

from thalweg.base.errors import PermissionDeniedError, ThalwegError
from thalweg.cluster.wire import Connection, Message, address_of

__all__ = ["HELLO_SECONDS", "accepted", "listening", "opened"]

HELLO_SECONDS = 10.0  # that a stranger has to introduce itself
HELLO_BYTES = 1 << 16
NONCE, PROOF = 1, 2  # kinds of messages


def listening(host: str, port: int = 0) -> socket.socket:
    """A socket that listens at an address of this machine; port 0 stands for a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


def opened(address: str, token: str, seconds: float) -> tuple[Connection, str]:
    """A connection to whoever listens at an address, and this machine's address as seen from there.

    Raises:
        UnavailableError: nobody does.
        PermissionDeniedError: it does not know the token.
    """
    connected = socket.create_connection(address_of(address), seconds)
    host = str(connected.getsockname()[0])
    return _introduced(connected, token, b"opened", b"accepted"), host


def accepted(connected: socket.socket, token: str) -> Connection | None:
    """The connection of who has called; None if it does not know the token."""
    try:
        return _introduced(connected, token, b"accepted", b"opened")
    except (ThalwegError, OSError):
        return None


def _introduced(connected: socket.socket, token: str, own: bytes, other: bytes) -> Connection:
    connection = Connection(connected, HELLO_BYTES)
    try:
        connection.settimeout(HELLO_SECONDS)
        nonce = secrets.token_hex(16)
        connection.send(Message(NONCE, nonce))
        asked = _answer(connection, NONCE)
        connection.send(Message(PROOF, _proof(token, own, asked)))
        if not hmac.compare_digest(_answer(connection, PROOF), _proof(token, other, nonce)):
            raise PermissionDeniedError("the other side does not know the token of the group")
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection


def _answer(connection: Connection, kind: int) -> str:
    message = connection.receive()
    text: Any = message.meta
    if message.kind != kind or not isinstance(text, str) or len(text) > 64 or not text.isascii():
        raise PermissionDeniedError("the other side does not introduce itself")
    return text


def _proof(token: str, role: bytes, nonce: str) -> str:
    return hmac.new(token.encode(), role + nonce.encode(), hashlib.sha256).hexdigest()
