"""Files that are whole or absent, whatever ends the process or the machine.

A file is written under another name in the same folder, and takes its own when the disk has it all.
While it is written its process holds a lock on it, which ends with the process: so what a process
leaves that is killed can be told from what another one is writing, and is removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable
from typing import BinaryIO

from thalweg.base.errors import DataLossError, NotFoundError

__all__ = [
    "open_regular",
    "read_whole",
    "remove",
    "remove_abandoned",
    "sync_folder",
    "write_atomically",
]

_PARTIAL = ".partial"
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe is refused, and not waited for


def write_atomically(path: str | os.PathLike[str], writer: Callable[[BinaryIO], object]) -> None:
    """Write a file so that others see what was there before, or all that is new.

    Args:
        path: of the file; its folder is made if there is none.
        writer: is called with a file, open for writing in binary mode.

    Raises:
        OSError: if the file cannot be written. What was there before is still there, as it is after
            an error that the writer raises.
    """
    target = os.path.abspath(path)
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    partial, file = _new_partial(target)
    try:
        with open(file, "r+b") as stream:
            writer(stream)
            stream.flush()
            _sync(file)
            os.replace(partial, target)
    except BaseException:
        remove(partial)
        raise
    sync_folder(folder)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Wait until the disk has the names of a folder's files."""
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _sync(file)
    finally:
        os.close(file)


def remove_abandoned(folder: str | os.PathLike[str]) -> None:
    """Remove what processes have left in a folder that were killed while they wrote."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(_PARTIAL):
                with contextlib.suppress(OSError):
                    _remove_if_abandoned(entry.path)


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file, if it is there and may be removed."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def open_regular(path: str | os.PathLike[str]) -> int:
    """A descriptor to read a file by.

    Raises:
        NotFoundError: if there is no such file.
        DataLossError: if it is no regular file, such as a folder or a pipe.
    """
    try:
        file = os.open(path, _READ)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no file {os.fspath(path)!r}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise DataLossError(f"{os.fspath(path)!r} is not a regular file")
    return file


def _new_partial(target: str) -> tuple[str, int]:
    """A new file beside another one, under this process's lock."""
    folder, name = os.path.split(target)
    while True:
        partial = os.path.join(folder, f".{name[:200]}.{os.urandom(6).hex()}{_PARTIAL}")
        file = os.open(partial, _CREATE, 0o666)
        with contextlib.suppress(OSError):  # of file systems without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:  # nobody has removed it before it was locked
            return partial, file
        os.close(file)


def _remove_if_abandoned(path: str) -> None:
    file = os.open(path, _READ | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(file)


def _sync(file: int) -> None:
    """Wait until the disk has a file; on a Mac `fsync` alone only hands it to the disk."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(file, full)
            return
    os.fsync(file)


def read_whole(path: str | os.PathLike[str], most: int) -> bytes:
    """What a small file holds.

    Args:
        path: of the file.
        most: bytes that it may have.

    Raises:
        NotFoundError: if there is no such file.
        DataLossError: if it is no regular file, or larger.
    """
    with open(open_regular(path), "rb") as file:
        data = file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
    if len(data) > most:
        raise DataLossError(f"{os.fspath(path)!r} has more than {most:,} bytes")
    return data
