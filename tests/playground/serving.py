"""The playground's server, in a thread of the tests' process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from thalweg.playground.app import Limits
from thalweg.playground.guard import Guard
from thalweg.playground.server import server_of


@contextmanager
def serving(guard: Guard | None = None, limits: Limits | None = None) -> Iterator[int]:
    """The port of a server in a thread of this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = server_of(guard or Guard("", True), limits or Limits())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
