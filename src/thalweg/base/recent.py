"""A dictionary that does not grow without end."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 1000


class Recent(dict[K, V]):
    """Forgets the oldest of its entries beyond `MOST`.

    Only what is set by `d[key] = value` is counted.
    """

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= MOST and key not in self:
            del self[next(iter(self))]
        super().__setitem__(key, value)
