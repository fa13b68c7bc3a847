"""The public names that are most like one that is missing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from types import ModuleType

import thalweg

__all__ = ["nearest"]

CUTOFF = 0.76  # of difflib's ratio: what is less alike is no help
MOST = 3


def nearest(name: str) -> list[str]:
    """Public names like `nn.softmax_loss`, most alike first, as users write them: `tf.nn.softmax`.

    The last part counts: a name of another module that ends in the same word is the first.
    """
    own = name.rpartition(".")[2]
    by_last: dict[str, list[str]] = {}
    for path in sorted(_public(thalweg, "tf"), key=len):
        by_last.setdefault(path.rpartition(".")[2].lower(), []).append(path)
    close = difflib.get_close_matches(own.lower(), by_last, n=MOST, cutoff=CUTOFF)
    return [by_last[last][0] for last in close]


def _public(module: ModuleType, path: str) -> Iterator[str]:
    """The names of a module, and those of its modules."""
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            yield from _public(value, f"{path}.{name}")
        else:
            yield f"{path}.{name}"
