"""Serving the playground until somebody ends it."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

import uvicorn

from thalweg.playground.app import Limits, make_app
from thalweg.playground.guard import Guard, is_loopback

__all__ = ["serve"]


def serve(host: str, port: int, token: str, ready: Callable[[str], object]) -> None:
    """Serve the playground until Ctrl-C.

    Args:
        host: the address to listen at.
        port: 0 for one that is free.
        token: that the link must contain; if it is "", one is made unless only this machine can
            reach the address.
        ready: called with the link when it can be opened.

    Raises:
        OSError: if the address cannot be had.
    """
    is_local = is_loopback(host)
    guard = Guard(token or ("" if is_local else secrets.token_urlsafe(16)), is_local)
    with _listener(host, port) as listener:
        ready(link(host, listener.getsockname()[1], guard.token))
        server_of(guard, Limits()).run(sockets=[listener])


def server_of(guard: Guard, limits: Limits) -> uvicorn.Server:
    """A server that has still to be run, with a socket that listens."""
    config = uvicorn.Config(
        make_app(guard, limits),
        log_level="warning",
        ws="websockets-sansio",
        ws_max_size=2 * limits.message_bytes,  # what is a little too long is told so by a room
        ws_max_queue=limits.queue,
        ws_per_message_deflate=False,  # of what has other pixels each time; it would take long
        lifespan="on",
        server_header=False,
    )
    return uvicorn.Server(config)


def link(host: str, port: int, token: str) -> str:
    """The address of the page; for all addresses of a machine, with the machine's name."""
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def _listener(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address[:2], family=family)
