"""Which files a checkpoint is, by whatever name it is called.

A checkpoint has a *prefix*, such as `folder/model.ckpt-1000`, and is in one of two formats:

    PREFIX.safetensors                          Thalweg's: all values, with the progress
    PREFIX.index, PREFIX.data-00000-of-00001    TensorFlow's: a tensor bundle

Beside it may lie PREFIX.meta, the graph.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from thalweg.base.errors import NotFoundError, OpError, UnimplementedError
from thalweg.saving.bundle.bundle import BundleFile
from thalweg.saving.files import open_regular
from thalweg.saving.safetensors import SafetensorsFile
from thalweg.saving.shards import SHARDS, ShardedFile
from thalweg.saving.tensor_file import TensorFile, remark_on_nearest

__all__ = ["INDEX", "VALUES", "files_of", "is_checkpoint", "is_whole", "open_tensors", "prefix_of"]

VALUES, INDEX = ".safetensors", ".index"
_PART = re.compile(r"\.data-\d{5}-of-\d{5}$|\.index$|\.meta$|\.safetensors$")
_DATA = re.compile(r"\.data-\d{5}-of-\d{5}$")
_MARK_BYTES = 8
_TABLE_MARK = 0xDB4775248B80FB57  # at the end of a table: an index, or a checkpoint of version 1


def prefix_of(path: str | os.PathLike[str]) -> str:
    """The prefix of a checkpoint that is called by its prefix, or by one of its files."""
    return _PART.sub("", os.fspath(path))


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Whether there is a checkpoint of this name, or one of its files."""
    return _format(prefix_of(path)) is not None


def is_whole(path: str | os.PathLike[str]) -> bool:
    """Whether there is a checkpoint of this name that can be opened, and has all its bytes."""
    try:
        open_tensors(path)
    except (OpError, OSError):
        return False
    return True


def open_tensors(path: str | os.PathLike[str]) -> TensorFile:
    """The tensors of a checkpoint, or of a safetensors file.

    Args:
        path: a checkpoint's prefix, or one of its files, of whatever format; or any safetensors
            file, or the index of several.

    Raises:
        NotFoundError: if there is no such checkpoint.
        DataLossError: if it is damaged.
        UnimplementedError: if it is in a format that is not known here.
    """
    name = os.fspath(path)
    if name.endswith(SHARDS):
        return ShardedFile(name)
    prefix = name if os.path.isfile(name) and name.endswith(VALUES) else prefix_of(name)
    suffix = VALUES if prefix.endswith(VALUES) else _format(prefix)
    if suffix == VALUES:
        return SafetensorsFile(prefix.removesuffix(VALUES) + VALUES)
    if suffix == INDEX:
        return BundleFile(prefix)
    if os.path.isfile(name):
        return _by_content(name)
    raise NotFoundError(_not_found(prefix))


def files_of(prefix: str) -> list[str]:
    """The files of a checkpoint that hold values; first the one without which it is none."""
    folder, name = os.path.split(prefix)
    present = [prefix + suffix for suffix in (VALUES, INDEX) if os.path.isfile(prefix + suffix)]
    with os.scandir(folder or ".") as entries:
        parts = [e.name for e in entries if e.name.startswith(name) and _is_data(e.name, name)]
    return present + [os.path.join(folder, part) for part in sorted(parts)]


def _is_data(name: str, prefix: str) -> bool:
    return _DATA.fullmatch(name[len(prefix) :]) is not None


def _format(prefix: str) -> str | None:
    """What the name of a checkpoint's first file ends with; of the newer one if there are two."""
    times = {}
    for suffix in (VALUES, INDEX):
        if os.path.isfile(prefix + suffix):
            times[suffix] = os.stat(prefix + suffix).st_mtime_ns
    return max(times, key=times.__getitem__, default=None)


def _by_content(path: str) -> TensorFile:
    """The tensors of a file whose name says nothing."""
    with open(open_regular(path), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _MARK_BYTES))
        mark = int.from_bytes(file.read(), "little")
    if mark == _TABLE_MARK:
        raise UnimplementedError(
            f"{path!r} is a checkpoint in TensorFlow's version 1, which is not read here: "
            f"restore it with TensorFlow and save it in version 2"
        )
    return SafetensorsFile(path)


def _not_found(prefix: str) -> str:
    folder, name = os.path.split(prefix)
    if not os.path.isdir(folder or "."):
        return f"there is no checkpoint {prefix!r}: there is no folder {folder!r}"
    there = sorted(set(_checkpoints(folder or ".")))
    listed = remark_on_nearest(name, there) or (f"; the folder has {there[-1]!r}" if there else "")
    return f"there is no checkpoint {prefix!r}, with {VALUES} or {INDEX} after its name{listed}"


def _checkpoints(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((VALUES, INDEX)):
                yield prefix_of(entry.name)
