"""Tensors by name in a file, of whatever format."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from thalweg.base.errors import NotFoundError
from thalweg.base.record import Record

Array = np.ndarray[Any, Any]

__all__ = ["MOST_RANK", "Stored", "TensorFile", "nearest", "remark_on_nearest"]

MOST_RANK = 64  # NumPy's
_MOST_COMPARED = 5000  # names, when the nearest is looked for


class Stored(Record):
    """What is known of a tensor in a file without reading it.

    Attributes:
        dtype: of its elements; that of objects for strings.
        shape: of the tensor.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class TensorFile(Mapping[str, Array]):
    """The tensors of a file, by name. One is read, and checked, when it is asked for.

    Attributes:
        path: of the file, for people to read.
        stored: the tensors' types and shapes, by name.
        aliases: further names that tensors can be asked for by, with those in `stored`.
        metadata: strings that whoever wrote the file has put beside the tensors.
    """

    path: str
    stored: Mapping[str, Stored]
    aliases: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}

    def find(self, name: str) -> Stored | None:
        """What is known of a tensor; None if there is none of this name."""
        return self.stored.get(self.aliases.get(name, name))

    def __getitem__(self, name: str) -> Array:
        name = self.aliases.get(name, name)
        if name not in self.stored:
            near = remark_on_nearest(name, self.stored)
            raise UnknownTensorError(f"there is no tensor {name!r} in {self.path!r}{near}")
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def __contains__(self, name: object) -> bool:
        return name in self.stored or name in self.aliases

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path!r}, {len(self)} tensors>"

    @abstractmethod
    def _read(self, name: str) -> Array:
        """The tensor of a name that is there; it may be read-only.

        Raises:
            DataLossError: if it is damaged.
        """


class UnknownTensorError(NotFoundError, KeyError):
    """No tensor of this name."""

    def __str__(self) -> str:
        return str(self.args[0])


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Those of some names that may have been meant, the likeliest first."""
    from difflib import get_close_matches  # only for an error

    candidates = [one for one, _ in zip(known, range(_MOST_COMPARED), strict=False)]
    return get_close_matches(name, candidates)


def remark_on_nearest(name: str, known: Iterable[str]) -> str:
    """What to add to an error about a name; nothing if no other is similar."""
    found = nearest(name, known)
    return f"; the nearest: {', '.join(map(repr, found))}" if found else ""
