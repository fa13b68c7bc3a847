"""Checkpoints on disk: to write, find, list, read and remove them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, NotFoundError
from thalweg.saving.bundle.bundle import MANIFEST, MANIFEST_KEY
from thalweg.saving.bundle.write import write_bundle
from thalweg.saving.checkpoint_state import latest_checkpoint
from thalweg.saving.files import remove
from thalweg.saving.formats import INDEX, VALUES, files_of, is_checkpoint, open_tensors, prefix_of
from thalweg.saving.manifest import manifest_text
from thalweg.saving.safetensors import write_tensors
from thalweg.saving.tensor_file import Array, TensorFile
from thalweg.session.progress import Progress

__all__ = [
    "FORMATS",
    "CheckpointReader",
    "NewCheckpointReader",
    "checkpoint_exists",
    "get_checkpoint_mtimes",
    "list_variables",
    "load_checkpoint",
    "load_variable",
    "open_checkpoint",
    "remove_checkpoint",
    "write_checkpoint",
]

FORMATS = ("thalweg", "tensorflow")


def write_checkpoint(
    prefix: str, values: Mapping[str, Array], progress: Progress, format: str
) -> None:
    """Write a checkpoint, which is whole or absent; one of the other format goes.

    Raises:
        OSError: if it cannot be written.
    """
    text = manifest_text(progress)
    old = files_of(prefix) if os.path.isdir(os.path.dirname(prefix) or ".") else []
    if format == "thalweg":
        write_tensors(prefix + VALUES, values, {MANIFEST_KEY: text})
        keep = {prefix + VALUES}
    else:
        write_bundle(prefix, {**values, MANIFEST: np.array(text.encode(), object)})
        keep = {prefix + INDEX, f"{prefix}.data-00000-of-00001"}
    for path in old:
        if path not in keep:
            remove(path)


def open_checkpoint(path: str | os.PathLike[str]) -> TensorFile:
    """The tensors of a checkpoint; of a folder's latest one.

    Raises:
        NotFoundError, DataLossError, UnimplementedError: as `open_tensors` does.
    """
    name = os.fspath(path)
    if not os.path.isdir(name) or is_checkpoint(name):
        return open_tensors(name)
    latest = latest_checkpoint(name)
    if latest is None:
        raise NotFoundError(f"the folder {name!r} has no checkpoint: {_what_is_there(name)}")
    return open_tensors(latest)


def _what_is_there(folder: str) -> str:
    if not os.path.isfile(os.path.join(folder, "checkpoint")):
        return "there is no file 'checkpoint' in it"
    return "none of those that its file 'checkpoint' names is whole"


def checkpoint_exists(checkpoint_prefix: str | os.PathLike[str]) -> bool:
    """Whether there is a checkpoint of this prefix, in whatever format."""
    return is_checkpoint(checkpoint_prefix)


def get_checkpoint_mtimes(checkpoint_prefixes: Iterable[str]) -> list[float]:
    """When checkpoints were written, in seconds since 1970; those that are gone are left out."""
    return [
        os.stat(files_of(prefix_of(prefix))[0]).st_mtime
        for prefix in checkpoint_prefixes
        if is_checkpoint(prefix)
    ]


def remove_checkpoint(
    checkpoint_prefix: str | os.PathLike[str],
    checkpoint_format_version: int = 2,
    meta_graph_suffix: str = "meta",
) -> None:
    """Remove the files of a checkpoint, and its graph.

    Args:
        checkpoint_prefix: its prefix.
        checkpoint_format_version: accepted for TensorFlow 1; the format is found out.
        meta_graph_suffix: what the name of the graph's file ends with.
    """
    prefix = prefix_of(checkpoint_prefix)
    if os.path.isdir(os.path.dirname(prefix) or "."):
        for path in files_of(prefix):
            remove(path)
    remove(f"{prefix}.{meta_graph_suffix}")


class CheckpointReader:
    """The tensors of a checkpoint, under TensorFlow's names.

    Args:
        path: a prefix, one of the checkpoint's files, or a folder.

    Raises:
        NotFoundError: if there is no such checkpoint.
        DataLossError: if it is damaged.
        UnimplementedError: if it is in a format that is not known here.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = open_checkpoint(path)

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """The shape of each tensor, by name."""
        return {name: list(stored.shape) for name, stored in self._file.stored.items()}

    def get_variable_to_dtype_map(self) -> dict[str, DType | np.dtype[Any]]:
        """The dtype of each tensor, by name; NumPy's for one that graphs do not have."""
        return {name: _dtype(stored.dtype) for name, stored in self._file.stored.items()}

    def has_tensor(self, tensor_str: str) -> bool:
        """Whether there is a tensor of this name."""
        return tensor_str in self._file

    def get_tensor(self, tensor_str: str) -> Array:
        """A tensor: an array of its own.

        Raises:
            NotFoundError: if there is none of this name.
            DataLossError: if it is damaged.
        """
        return self._file[tensor_str].copy()

    def __repr__(self) -> str:
        return f"<tf.train.CheckpointReader of {self._file.path!r}, {len(self._file)} tensors>"


def load_checkpoint(ckpt_dir_or_file: str | os.PathLike[str]) -> CheckpointReader:
    """The tensors of a checkpoint; see `CheckpointReader`."""
    return CheckpointReader(ckpt_dir_or_file)


def NewCheckpointReader(filepattern: str | os.PathLike[str]) -> CheckpointReader:  # noqa: N802
    """The older name of `load_checkpoint`."""
    return CheckpointReader(filepattern)


def load_variable(ckpt_dir_or_file: str | os.PathLike[str], name: str) -> Array:
    """One tensor of a checkpoint; a name that ends with `:0` may be a variable's.

    Raises:
        NotFoundError, DataLossError, UnimplementedError: as `CheckpointReader` does.
    """
    return CheckpointReader(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


def list_variables(ckpt_dir_or_file: str | os.PathLike[str]) -> list[tuple[str, list[int]]]:
    """The names of a checkpoint's tensors, sorted, with their shapes.

    Raises:
        NotFoundError, DataLossError, UnimplementedError: as `CheckpointReader` does.
    """
    return sorted(CheckpointReader(ckpt_dir_or_file).get_variable_to_shape_map().items())


def _dtype(kind: np.dtype[Any]) -> DType | np.dtype[Any]:
    try:
        return as_dtype(kind)
    except DTypeError:
        return kind
