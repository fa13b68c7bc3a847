"""TensorBoard itself, as a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

from thalweg.base.errors import FailedPreconditionError

__all__ = ["command", "serve"]


def command(folder: str, host: str, port: int, *more: str) -> list[str]:
    """The command that shows a folder at an address.

    Args:
        folder: of the logs.
        host: of this machine, as others see it.
        port: 0 for one that is free.
        more: arguments for TensorBoard.

    Raises:
        FailedPreconditionError: if TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise FailedPreconditionError("the board needs `pip install thalweg[board]`")
    where = [f"--logdir={folder}", f"--host={host}", f"--port={port}"]
    return [sys.executable, "-m", "tensorboard.main", *where, *more]


def serve(folder: str, host: str, port: int, *more: str) -> int:
    """Show a folder until the process is interrupted; returns TensorBoard's exit status.

    Raises:
        FailedPreconditionError: if TensorBoard is not installed.
    """
    return subprocess.call(command(folder, host, port, *more))
