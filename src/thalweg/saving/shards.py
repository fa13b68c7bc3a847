"""Models in several safetensors files, as the Hugging Face Hub has them.

`NAME.safetensors.index.json` says in which file each tensor is, under `weight_map`.
See https://huggingface.co/docs/transformers/big_models.
"""

from __future__ import annotations

import json
import os

from thalweg.base.errors import DataLossError
from thalweg.saving.files import read_whole
from thalweg.saving.safetensors import SafetensorsFile
from thalweg.saving.tensor_file import Array, TensorFile

__all__ = ["SHARDS", "ShardedFile"]

SHARDS = ".safetensors.index.json"
_MOST_BYTES = 16 << 20  # of the index


class ShardedFile(TensorFile):
    """The tensors of several files beside their index, by name.

    Args:
        path: of the index.

    Raises:
        NotFoundError: if one of the files is missing.
        DataLossError: if one is damaged, or lacks a tensor.
        UnimplementedError: if one has element types that are not known here.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        places = _weight_map(path)
        folder = os.path.dirname(path)
        files = {n: SafetensorsFile(os.path.join(folder, n)) for n in sorted({*places.values()})}
        self._files = {tensor: files[name] for tensor, name in places.items()}
        if lost := [tensor for tensor, file in self._files.items() if tensor not in file]:
            raise DataLossError(f"{self._files[lost[0]].path!r} lacks the tensor {lost[0]!r}")
        self.stored = {tensor: file.stored[tensor] for tensor, file in self._files.items()}

    def _read(self, name: str) -> Array:
        return self._files[name][name]


def _weight_map(path: str) -> dict[str, str]:
    """The names of files, all in the folder of the index, by the names of tensors."""
    data = read_whole(path, _MOST_BYTES)
    try:
        places = json.loads(data)["weight_map"]
        if not all(_is_beside(name) for name in places.values()):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DataLossError(f"{path!r} is not an index of safetensors files") from None
    return dict(places)


def _is_beside(name: object) -> bool:
    return (
        isinstance(name, str) and name.endswith(".safetensors") and os.path.basename(name) == name
    )
