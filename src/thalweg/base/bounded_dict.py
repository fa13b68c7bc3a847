"""A dictionary that does not grow without end."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_ENTRIES = 1000  # unless a dictionary says otherwise


class BoundedDict(dict[K, V]):
    """Forgets the oldest of its entries when there are too many.

    Only what is set by `d[key] = value` is counted. Several threads may use one.

    Args:
        most: how many entries it keeps; `MAX_ENTRIES` if not given.
    """

    def __init__(self, most: int | None = None) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= (self._most or MAX_ENTRIES) and key not in self:
            oldest, *_ = tuple(self)  # copied in one go, whatever other threads do
            self.pop(oldest, None)
        super().__setitem__(key, value)

    def renewed(self, key: K) -> V | None:
        """The value of a key, which is the newest entry now; None if there is none."""
        value = self.pop(key, None)
        if value is not None:
            super().__setitem__(key, value)
        return value
