"""Saved models on disk.

    saved_model.json          the meta graphs: operations, variables, collections, signatures
    variables.safetensors     the values of the variables, by name
    constants.safetensors     the large constants of the graphs, if there are any
    assets/                   further files that the model needs, if there are any

The folder is whole or not there, and may be moved and renamed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from typing import ClassVar

from thalweg.base.errors import DataLossError, GraphError, NotFoundError, UnimplementedError
from thalweg.base.record import Record, field
from thalweg.saving.files import sync_folder, write_atomically
from thalweg.saving.graph_def import Message
from thalweg.saving.import_meta_graph import read_file
from thalweg.saving.meta_graph import MetaGraphDef
from thalweg.saving.plain import Array, Plain
from thalweg.saving.safetensors import read_tensors, write_tensors
from thalweg.saving.signatures import fields_of
from thalweg.saving.tensor_file import TensorFile

GRAPHS, VARIABLES, CONSTANTS = "saved_model.json", "variables.safetensors", "constants.safetensors"
ASSETS = "assets"
TENSORFLOW = ("saved_model.pb", "saved_model.pbtxt")


class SavedModelDef(Message, frozen=False):
    """The meta graphs of a saved model.

    Attributes:
        meta_graphs: of different tags.
    """

    format: ClassVar[str] = "thalweg.saved_model"
    meta_graphs: list[MetaGraphDef] = field(default_factory=list)

    def to_plain(self) -> dict[str, Plain]:
        """As plain data."""
        return {"meta_graphs": [meta.to_plain() for meta in self.meta_graphs]}

    @classmethod
    def of_plain(cls, value: dict[str, Plain]) -> SavedModelDef:
        """From plain data.

        Raises:
            DataLossError: if it is something else.
        """
        (graphs,) = fields_of(value, meta_graphs=list)
        if not all(isinstance(graph, dict) for graph in graphs):
            raise DataLossError("a meta graph is an object")
        return cls(list(map(MetaGraphDef.of_plain, graphs)))


class SavedModel(Record, eq=False):
    """A saved model that has been read, but for its values.

    Attributes:
        path: of the folder.
        meta_graphs: of different tags.
        variables: the values by name, which are read from the disk when they are used.
    """

    path: str
    meta_graphs: list[MetaGraphDef]
    variables: TensorFile

    def meta_graph(self, tags: Collection[str]) -> MetaGraphDef:
        """The meta graph of just these tags.

        Raises:
            NotFoundError: if there is none.
        """
        for meta in self.meta_graphs:
            if set(meta.meta_info_def.tags) == set(tags):
                return meta
        known = " and ".join(str(sorted(meta.meta_info_def.tags)) for meta in self.meta_graphs)
        raise NotFoundError(f"{self.path!r} has no graph of the tags {sorted(tags)}, only {known}")

    def asset_path(self, filename: str) -> str:
        """Where a file is that the model needs.

        Raises:
            DataLossError: if it does not lie in the folder of assets.
        """
        if not filename or os.path.basename(filename) != filename or filename in (".", ".."):
            raise DataLossError(f"{filename!r} is not the name of a file in {ASSETS!r}")
        return os.path.join(self.path, ASSETS, filename)


def is_saved_model(path: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a saved model, of Thalweg's or of TensorFlow's."""
    return any(os.path.isfile(os.path.join(path, name)) for name in (GRAPHS, *TENSORFLOW))


def read_saved_model(path: str | os.PathLike[str]) -> SavedModel:
    """The saved model of a folder.

    Raises:
        NotFoundError: if there is none.
        DataLossError: if it is damaged.
        UnimplementedError: if it is of a later version, or of TensorFlow's.
    """
    folder = os.fspath(path)
    if not os.path.isfile(os.path.join(folder, GRAPHS)):
        if is_saved_model(folder):
            raise UnimplementedError(
                f"{folder!r} is a saved model of TensorFlow's, which Thalweg does not read yet"
            )
        raise NotFoundError(f"{folder!r} holds no saved model: it has no {GRAPHS}")
    try:
        constants = _constants(folder)
        text = read_file(os.path.join(folder, GRAPHS))
        made = SavedModelDef.from_json(text, constants)
    except (DataLossError, UnimplementedError, GraphError) as error:
        raise type(error)(f"{folder!r}: {error}") from None
    return SavedModel(folder, made.meta_graphs, read_tensors(os.path.join(folder, VARIABLES)))


def _constants(folder: str) -> Mapping[str, Array]:
    path = os.path.join(folder, CONSTANTS)
    return read_tensors(path) if os.path.exists(path) else {}


def write_saved_model(
    path: str | os.PathLike[str],
    meta_graphs: list[MetaGraphDef],
    variables: Mapping[str, Array],
    assets: Mapping[str, str],
) -> None:
    """Write a saved model to a folder that is empty, or not there.

    Args:
        path: of the folder.
        meta_graphs: of different tags.
        variables: the values by name.
        assets: the paths of further files, by the names that they get.

    Raises:
        OSError: if it cannot be written; then nothing is there.
    """
    target = os.path.abspath(path)
    parent, name = os.path.split(target)
    os.makedirs(parent, exist_ok=True)
    partial = os.path.join(parent, f".{name[:200]}.{os.urandom(6).hex()}.partial")
    try:
        _write_parts(partial, SavedModelDef(meta_graphs), variables, assets)
        os.rename(partial, target)  # in the place of an empty folder, too
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(parent)


def _write_parts(
    folder: str, model: SavedModelDef, variables: Mapping[str, Array], assets: Mapping[str, str]
) -> None:
    constants: dict[str, Array] = {}
    data = model.to_json(constants).encode()
    if constants:
        write_tensors(os.path.join(folder, CONSTANTS), constants)
    write_tensors(os.path.join(folder, VARIABLES), variables)
    for name, source in assets.items():
        _copy(source, os.path.join(folder, ASSETS, name))
    write_atomically(os.path.join(folder, GRAPHS), lambda file: file.write(data))


def _copy(source: str, target: str) -> None:
    with open(source, "rb") as file:
        write_atomically(target, lambda copy: shutil.copyfileobj(file, copy))
