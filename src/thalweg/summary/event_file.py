"""Event files: what TensorBoard reads.

A file holds records, each a serialised `tf.Event`. Every record is handed to the operating system
in one write as soon as it is made. So a process that is killed loses at most the event in hand.
"""

from __future__ import annotations

import itertools
import os
import socket
import time
import weakref
from collections.abc import Iterator

from thalweg.protos.events import Event, SourceMetadata
from thalweg.saving.records import framed, open_records, read_records

__all__ = ["EventFile", "summary_iterator"]

PathLike = str | os.PathLike[str]
_numbers = itertools.count()


class EventFile:
    """A new event file, which events are appended to.

    A run never goes on in the file of another one: a process that was killed may have left half a
    record at the end, and no reader would find what comes behind it. TensorBoard reads the files of
    a folder in the order of their names, which begin with the time.

    Args:
        folder: is made if there is none.
        suffix: of the file's name.
    """

    def __init__(self, folder: PathLike, suffix: str = "") -> None:
        os.makedirs(folder, exist_ok=True)
        self.path, descriptor = _created(os.fspath(folder), suffix)
        self._descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)
        source = SourceMetadata(writer="thalweg.summary")
        first = Event(wall_time=time.time(), file_version="brain.Event:2", source_metadata=source)
        self.append(first.SerializeToString())

    def append(self, event: bytes) -> None:
        """Append a serialised event.

        Raises:
            OSError: if it cannot be written, as the disk is full. The file is as it was.
        """
        record = framed(event)
        written = os.write(self._descriptor, record)
        if written < len(record):
            self._write_rest(record, written)

    def _write_rest(self, record: bytes, written: int) -> None:
        start = os.fstat(self._descriptor).st_size - written
        try:
            while written < len(record):
                written += os.write(self._descriptor, record[written:])
        except OSError:
            os.ftruncate(self._descriptor, start)
            raise

    def sync(self) -> None:
        """Wait until all is on the disk."""
        os.fsync(self._descriptor)

    @property
    def closed(self) -> bool:
        """Whether nothing can be appended any more."""
        return not self._close.alive

    def close(self) -> None:
        """Close the file."""
        self._close()


def _created(folder: str, suffix: str) -> tuple[str, int]:
    """The path of a file that did not exist, and its descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
    while True:
        source = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        path = os.path.join(folder, f"events.out.tfevents.{source}{suffix}")
        try:
            return path, os.open(path, flags, 0o666)
        except FileExistsError:
            continue


def summary_iterator(path: PathLike) -> Iterator[Event]:
    """The events of a file, one after the other; exported as `tf.train.summary_iterator`.

    A record at the end that is not whole is left out: its writer is at work, or was killed.

    Raises:
        NotFoundError: if there is no such file.
        DataLossError: if it is damaged.
    """
    with open_records(path) as file:
        for record in read_records(file, os.fspath(path), growing=True):
            yield Event.FromString(record)
