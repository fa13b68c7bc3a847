"""A folder of entries by key: bounded in size, shared by processes, and this user's alone.

What is found here is run. So, as `ssh` does with its keys, the folder and its entries are used
only if they belong to this user or to root, and nobody else can write to them. An entry is a
regular file: links, pipes and devices are none, and nothing is waited for. Parents of the folder
need no such care: what somebody puts in its place does not belong to this user.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import warnings

from thalweg.backends.native.cache.entry import OVERHEAD, seal, unseal

_ENTRY, _PARTIAL = ".entry", ".partial"
_KEEP = 0.75  # evicting down to less than the limit keeps scans of the folder rare
_ABANDONED_S = 60.0  # a partial file this old belongs to a process that died
_RECENT_S = 3600.0  # an entry that was used so lately is not marked again
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class DiskCache:
    """Bytes kept in one file per key, least recently used out first, to the hour.

    Several processes and threads may use one folder at once. A cache is only ever a help: where the
    folder cannot be written or the disk is full, entries are not kept and nothing is raised. What
    is no sound entry is removed, and made again by whoever needs it.

    Args:
        folder: made when something is kept; None for no cache at all.
        limit_bytes: what all entries together may take; 0 for no cache at all.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, limit_bytes: int) -> None:
        self._folder = os.path.abspath(folder or os.devnull)
        self._limit = limit_bytes
        self._off = folder is None or limit_bytes == 0
        self._checked = False  # whether the folder is known to be safe
        self._warned = False
        self._used: int | None = None  # an estimate: other processes write here too

    def get(self, key: str) -> bytes | None:
        """What was put under `key` (a name fit for a file), or None."""
        if not self._is_safe():
            return None
        path = self._path(key)
        content = self._content(path)
        if content is None:
            return None
        data = unseal(key, content)
        if data is None:
            _note("removing what is no entry for its name: %s", path)
            _remove(path)
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key`, replacing what was there, unless it is over the limit itself."""
        if self._off or len(data) + len(key) + OVERHEAD > self._limit:
            return
        try:
            _make_private(self._folder)
            if self._is_safe():
                content = seal(key, data)
                _write(self._path(key), content)
                self._make_room(len(content))
        except OSError as error:
            _note("not cached in %s: %s", self._folder, error)

    def _path(self, key: str) -> str:
        return f"{self._folder}{os.sep}{key}{_ENTRY}"

    def _is_safe(self) -> bool:
        """Whether the folder is there and nobody else can write to it; if not, warns once."""
        if self._off or self._checked:
            return not self._off
        try:
            found = os.stat(self._folder)
        except OSError:
            return False  # it may be made later
        problem = _problem(found) if stat.S_ISDIR(found.st_mode) else "it is no folder"
        self._off, self._checked = problem is not None, True
        if problem is not None:
            self._warn(f"the cache folder {self._folder!r} is not used: {problem}")
        return not self._off

    def _content(self, path: str) -> bytes | None:
        """What a file holds that may be an entry; None if there is none, and none is left then."""
        try:
            file = os.open(path, _READ)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):  # a link, or a socket
                _remove(path)
            return None
        try:
            found = os.fstat(file)
            if self._is_entry(path, found):
                _mark_used(file, found.st_mtime)
                return os.read(file, found.st_size + 1)
        except OSError as error:
            _note("cannot read %s: %s", path, error)
            return None
        finally:
            os.close(file)
        _remove(path)
        return None

    def _is_entry(self, path: str, found: os.stat_result) -> bool:
        if not stat.S_ISREG(found.st_mode) or found.st_size > self._limit:
            return False
        problem = _problem(found)
        if problem is not None:
            self._warn(f"the cache entry {path!r} is not used: {problem}")
        return problem is None

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(message, RuntimeWarning, stacklevel=2)

    def _make_room(self, added: int) -> None:
        if self._used is not None:
            self._used += added
        if self._used is None or self._used > self._limit:
            self._used = self._evict()

    def _evict(self) -> int:
        """Remove the oldest entries if there are too many; returns the bytes that are left."""
        files = sorted(_files(self._folder))
        used = sum(size for _, size, _ in files)
        most = self._limit if used <= self._limit else self._limit * _KEEP
        for modified, size, path in files:
            is_abandoned = path.endswith(_PARTIAL) and modified < time.time() - _ABANDONED_S
            if is_abandoned or (used > most and path.endswith(_ENTRY)):
                _remove(path)
                used -= size
        return used


def _problem(found: os.stat_result) -> str | None:
    """Why a file or folder may hold what this user has not put there."""
    if found.st_uid not in (os.geteuid(), 0):
        return f"it belongs to another user (its uid is {found.st_uid})"
    if found.st_mode & _OTHERS_WRITE:
        return f"others may write to it (its mode is {stat.S_IMODE(found.st_mode):o})"
    return None


def _make_private(folder: str) -> None:
    """Make a folder with the parents that it lacks, for this user alone whatever the umask."""
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    if parent != folder:
        _make_private(parent)
    with contextlib.suppress(FileExistsError):  # another process was faster
        os.mkdir(folder, _PRIVATE_FOLDER)
        os.chmod(folder, _PRIVATE_FOLDER)


def _write(path: str, content: bytes) -> None:
    """Write a whole file or nothing: readers see the old entry or the new one.

    That the disk has it is not waited for: what a power cut leaves of it is no sound entry.
    """
    partial = f"{path}.{os.urandom(8).hex()}{_PARTIAL}"
    file = os.open(partial, _CREATE, _PRIVATE_FILE)
    try:
        with open(file, "wb", buffering=0) as stream:
            os.fchmod(file, _PRIVATE_FILE)
            if stream.write(content) != len(content):
                raise OSError(errno.ENOSPC, "not all of it could be written")
        os.replace(partial, path)
    except BaseException:
        _remove(partial)
        raise


def _mark_used(file: int, modified: float) -> None:
    if abs(time.time() - modified) > _RECENT_S:
        with contextlib.suppress(OSError):
            os.utime(file)


def _files(folder: str) -> list[tuple[float, int, str]]:
    """When modified, size and path of each file of the cache; those that vanish are left out."""
    found = []
    with os.scandir(folder) as entries:  # a fifth of the time that `Path.glob` takes
        for entry in entries:
            if entry.name.endswith((_ENTRY, _PARTIAL)):
                with contextlib.suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    found.append((about.st_mtime, about.st_size, entry.path))
    return found


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _note(message: str, *args: object) -> None:
    """Say something to whoever looks for why entries are not found."""
    import logging  # seldom needed, and 3 ms

    logging.getLogger(__name__).debug(message, *args)
