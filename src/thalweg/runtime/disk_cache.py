"""A folder of bytes by key: bounded in size, shared by processes, never trusted blindly."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time

_ENTRY, _PARTIAL = ".entry", ".partial"
_DIGEST_BYTES = 32
_KEEP = 0.75  # evicting down to less than the limit keeps scans of the folder rare
_ABANDONED_S = 3600.0  # a partial file this old belongs to a process that died
_RECENT_S = 3600.0  # an entry that was used so lately is not marked again


class DiskCache:
    """Bytes kept in one file per key, least recently used out first, to the hour.

    Several processes and threads may use one folder at once. A cache is only ever a help: where the
    folder cannot be written or the disk is full, entries are not kept and nothing is raised.
    """

    def __init__(self, folder: str | os.PathLike[str], limit_bytes: int) -> None:
        self._folder = os.fspath(folder)
        self._limit = limit_bytes
        self._used: int | None = None  # an estimate: other processes write here too

    def get(self, key: str) -> bytes | None:
        """What was put under `key` (a name fit for a file), or None; a damaged entry is removed."""
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as file:
                content, used = file.read(), os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != digest:
            _note("removing a damaged cache entry: %s", path)
            _remove(path)
            return None
        if abs(time.time() - used) > _RECENT_S:
            with contextlib.suppress(OSError):
                os.utime(path)
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key`, replacing what was there, unless it is over the limit itself."""
        content = hashlib.sha256(data).digest() + data
        if len(content) > self._limit:
            return
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            _write(self._folder, self._path(key), content)
            self._make_room(len(content))
        except OSError as error:
            _note("not cached in %s: %s", self._folder, error)

    def _path(self, key: str) -> str:
        return f"{self._folder}{os.sep}{key}{_ENTRY}"

    def _make_room(self, added: int) -> None:
        if self._used is not None:
            self._used += added
        if self._used is None or self._used > self._limit:
            self._used = self._evict()

    def _evict(self) -> int:
        """Remove the oldest entries if there are too many; returns the bytes that are left."""
        self._remove_abandoned()
        files = sorted(_stats(self._folder, _ENTRY))
        used = sum(size for _, size, _ in files)
        if used <= self._limit:
            return used
        for _, size, path in files:
            if used <= self._limit * _KEEP:
                break
            _remove(path)
            used -= size
        return used

    def _remove_abandoned(self) -> None:
        for modified, _, path in _stats(self._folder, _PARTIAL):
            if modified < time.time() - _ABANDONED_S:
                _remove(path)


def _write(folder: str, path: str, content: bytes) -> None:
    """Write a whole file or nothing: readers see the old entry or the new one."""
    import tempfile  # 6 ms, seldom needed

    handle, partial = tempfile.mkstemp(suffix=_PARTIAL, dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(partial, path)
    except BaseException:
        _remove(partial)
        raise


def _stats(folder: str, suffix: str) -> list[tuple[float, int, str]]:
    """When modified, size and path of each file; files that vanish meanwhile are left out."""
    found = []
    with os.scandir(folder) as entries:  # a fifth of the time that `Path.glob` takes
        for entry in entries:
            if entry.name.endswith(suffix):
                with contextlib.suppress(OSError):
                    stat = entry.stat()
                    found.append((stat.st_mtime, stat.st_size, entry.path))
    return found


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _note(message: str, *args: object) -> None:
    """Say something to whoever looks for why entries are not found."""
    import logging  # seldom needed, and 3 ms

    logging.getLogger(__name__).debug(message, *args)
