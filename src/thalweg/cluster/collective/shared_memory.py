"""Memory that the processes of one machine share: a file that has no name any more."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.base.errors import DataLossError, ResourceExhaustedError

__all__ = ["SharedBytes", "machine_name"]

Array = np.ndarray[Any, Any]

FOLDER = "/dev/shm"  # memory, where there is such a thing; else the folder for temporary files
PREFIX = "thalweg-"


def _folder() -> str:
    return FOLDER if os.path.isdir(FOLDER) else tempfile.gettempdir()


def machine_name() -> str:
    """Equal for two processes if they can open each other's files of shared memory."""
    status = os.stat(_folder())
    boot = Path("/proc/sys/kernel/random/boot_id")
    name = boot.read_text().strip() if boot.exists() else os.uname().nodename
    return f"{name}/{status.st_dev}/{status.st_ino}/{os.getuid()}"


class SharedBytes:
    """Areas of memory that several processes see, one for each, and one for the result.

    Args:
        rank: of this process.
        size: how many processes there are.
        capacity: bytes of each area.
        publish: hands the name of the file from rank 0 to all, and returns it.
        agree: waits for all processes.

    Attributes:
        areas: a vector of bytes for each process.
        result: another one.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        capacity: int,
        publish: Callable[[str], str],
        agree: Callable[[], None],
    ) -> None:
        self.capacity = -(-capacity // mmap.PAGESIZE) * mmap.PAGESIZE
        total = self.capacity * (size + 1)
        created = _created(total) if rank == 0 else ""
        try:
            whole = np.frombuffer(_opened(publish(created), total), np.uint8)
            agree()
        finally:
            if created:
                os.unlink(created)  # it lives while somebody maps it, and leaves nothing behind
        self.areas = [whole[n * self.capacity : (n + 1) * self.capacity] for n in range(size)]
        self.result = whole[size * self.capacity :]


def _created(size: int) -> str:
    """A new file of a size, which only this user can open.

    Raises:
        ResourceExhaustedError: there is not so much shared memory.
    """
    number, path = tempfile.mkstemp(prefix=PREFIX, dir=_folder())
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(number, 0, size)  # an error now, and not a SIGBUS later
        else:
            os.ftruncate(number, size)
    except OSError as error:
        os.unlink(path)
        raise ResourceExhaustedError(
            f"{size:,} bytes of shared memory are not to be had in {_folder()}: {error.strerror}"
        ) from None
    finally:
        os.close(number)
    return path


def _opened(path: str, size: int) -> mmap.mmap:
    """The memory of a file that another process of the group has made.

    Raises:
        DataLossError: it is not such a file.
    """
    folder, name = os.path.split(path)
    if folder != _folder() or not name.startswith(PREFIX):
        raise DataLossError(f"{path!r} is no file of shared memory")
    number = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(number)
        if status.st_size != size or status.st_uid != os.getuid():
            raise DataLossError(f"{path!r} is not the shared memory of this group")
        return mmap.mmap(number, size)
    finally:
        os.close(number)
