"""Files and folders of this machine: TensorFlow 1's `tf.gfile`.

Names with a scheme, such as `gs://bucket/file`, are refused; `file://` is understood.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, NamedTuple

from thalweg.base.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OpError,
    PermissionDeniedError,
    UnimplementedError,
)

__all__ = [
    "Copy",
    "DeleteRecursively",
    "Exists",
    "FastGFile",
    "FileStatistics",
    "GFile",
    "Glob",
    "IsDirectory",
    "ListDirectory",
    "MakeDirs",
    "MkDir",
    "Open",
    "Remove",
    "Rename",
    "Stat",
    "Walk",
]

Name = str | bytes | os.PathLike[str]

MODES = ("r", "w", "a", "r+", "w+", "a+")


class FileStatistics(NamedTuple):
    """What is known of a file: bytes, the time of the last change in ns, and whether a folder."""

    length: int
    mtime_nsec: int
    is_directory: bool


class GFile:
    """A file. It is opened at the first use, and closed with the last reference; text is UTF-8.

    Args:
        name: its path.
        mode: "r", "w", "a", "r+", "w+" or "a+", with "b" for bytes in place of text.

    Raises:
        InvalidArgumentError: for another mode.
    """

    def __init__(self, name: Name, mode: str = "r") -> None:
        if mode.replace("b", "") not in MODES:
            modes = ", ".join(MODES)
            raise InvalidArgumentError(f"GFile: the mode is {mode!r}, not one of {modes}")
        self._name = _path(name)
        self._mode = mode
        self._file: IO[Any] | None = None

    @property
    def name(self) -> str:
        """Its path."""
        return self._name

    @property
    def mode(self) -> str:
        """How it was opened."""
        return self._mode

    def _open(self) -> IO[Any]:
        if self._file is None:
            encoding = None if "b" in self._mode else "utf-8"
            with _Errors(self._name):
                self._file = open(self._name, self._mode, encoding=encoding)  # noqa: SIM115
        return self._file

    def read(self, n: int = -1) -> Any:
        """The next n characters or bytes; all that are left if n is -1.

        Raises:
            NotFoundError: if there is no such file.
        """
        return self._open().read(n)

    def readline(self) -> Any:
        """The next line with its end; empty behind the last one."""
        return self._open().readline()

    def readlines(self) -> list[Any]:
        """The lines that are left."""
        return self._open().readlines()

    def write(self, file_content: Any) -> None:
        """Write text or bytes."""
        self._open().write(file_content)

    def seek(self, offset: int, whence: int = 0) -> None:
        """Go to a place in the file."""
        self._open().seek(offset, whence)

    def tell(self) -> int:
        """The place in the file."""
        return self._open().tell()

    def size(self) -> int:
        """Its size in bytes."""
        return Stat(self._name).length

    def flush(self) -> None:
        """Write out what is buffered."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close it; the next use opens it anew."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.close()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._open())

    def __enter__(self) -> GFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


Open = GFile
FastGFile = GFile


def Exists(filename: Name) -> bool:
    """Whether there is a file or a folder of that name."""
    return os.path.exists(_path(filename))


def IsDirectory(dirname: Name) -> bool:
    """Whether it is a folder."""
    return os.path.isdir(_path(dirname))


def MakeDirs(dirname: Name) -> None:
    """Make a folder and those that it lies in, unless it exists."""
    path = _path(dirname)
    with _Errors(path):
        os.makedirs(path, exist_ok=True)


def MkDir(dirname: Name) -> None:
    """Make a folder in one that exists."""
    path = _path(dirname)
    with _Errors(path):
        os.mkdir(path)


def ListDirectory(dirname: Name) -> list[str]:
    """The names in a folder, sorted.

    Raises:
        NotFoundError: if there is no such folder.
    """
    path = _path(dirname)
    with _Errors(path):
        return sorted(os.listdir(path))


def Glob(filename: Name | list[Name]) -> list[str]:
    """The files that match a pattern such as `logs/*.txt`, or one of several, sorted."""
    import glob

    patterns = filename if isinstance(filename, list) else [filename]
    return [name for pattern in patterns for name in sorted(glob.glob(_path(pattern)))]


def Remove(filename: Name) -> None:
    """Remove a file, or an empty folder."""
    path = _path(filename)
    with _Errors(path):
        (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.remove)(path)


def DeleteRecursively(dirname: Name) -> None:
    """Remove a folder with everything in it, or a file. It does not follow links."""
    import shutil

    path = _path(dirname)
    if os.path.isdir(path) and not os.path.islink(path):
        with _Errors(path):
            shutil.rmtree(path)
    else:
        Remove(path)


def Copy(oldpath: Name, newpath: Name, overwrite: bool = False) -> None:
    """Copy a file.

    Raises:
        AlreadyExistsError: if the new one exists and may not be overwritten.
    """
    import shutil

    old, new = _path(oldpath), _path(newpath)
    _refuse_existing(new, overwrite)
    with _Errors(old):
        shutil.copyfile(old, new)


def Rename(oldname: Name, newname: Name, overwrite: bool = False) -> None:
    """Give a file or a folder another name.

    Raises:
        AlreadyExistsError: if the new one exists and may not be overwritten.
    """
    old, new = _path(oldname), _path(newname)
    _refuse_existing(new, overwrite)
    with _Errors(old):
        os.replace(old, new)


def Stat(filename: Name) -> FileStatistics:
    """The size of a file, and more.

    Raises:
        NotFoundError: if there is no such file.
    """
    path = _path(filename)
    with _Errors(path):
        found = os.stat(path)
    return FileStatistics(found.st_size, found.st_mtime_ns, os.path.isdir(path))


def Walk(top: Name, in_order: bool = True) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder under one, with the names of its folders and of its files.

    Args:
        top: where to begin.
        in_order: whether a folder comes before those in it, and not after them.
    """
    return os.walk(_path(top), topdown=in_order)


def _path(name: Name) -> str:
    path = os.fsdecode(name)
    if "://" not in path:
        return path
    if path.startswith("file://"):
        return path.removeprefix("file://")
    raise UnimplementedError(f"{path!r} is not a file of this machine")


def _refuse_existing(path: str, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise AlreadyExistsError(f"{path!r} exists")


class _Errors:
    """A block in which the operating system's errors become those of `tf.errors`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            raise _kind(error)(f"{self._path!r}: {error.strerror or error}") from error


def _kind(error: OSError) -> type[OpError]:
    match error:
        case FileNotFoundError():
            return NotFoundError
        case FileExistsError():
            return AlreadyExistsError
        case PermissionError():
            return PermissionDeniedError
    return FailedPreconditionError
