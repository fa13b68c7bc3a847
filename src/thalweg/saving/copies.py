"""Copies of arrays in memory that is used again, since new memory takes three times as long."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Thread
from typing import Any, TypeAlias

import numpy as np

from thalweg.saving.tensor_file import Array

__all__ = ["Copies"]

_LARGE = 16 << 20  # bytes from which on a second thread helps: one rarely gets all the bandwidth

Pair: TypeAlias = tuple[Array, Array]


class Copies:
    """Holds the copies that it made last."""

    def __init__(self) -> None:
        self._held: dict[str, Array] = {}

    def of(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Copies of contiguous arrays, in the memory of those before as far as it fits."""
        self._held = {name: self._target(name, array) for name, array in arrays.items()}
        _copy([(self._held[name], array) for name, array in arrays.items()])
        return dict(self._held)

    def _target(self, name: str, array: Array) -> Array:
        held = self._held.get(name)
        if held is not None and held.dtype == array.dtype and held.shape == array.shape:
            return held
        return np.empty(array.shape, array.dtype)


def _copy(pairs: list[Pair]) -> None:
    if sum(source.nbytes for _, source in pairs) < _LARGE:
        _copy_each(pairs)
        return
    halves = [_halves(target.reshape(-1), source.reshape(-1)) for target, source in pairs]
    helper = Thread(target=_copy_each, args=([second for _, second in halves],))
    helper.start()
    _copy_each([first for first, _ in halves])
    helper.join()


def _copy_each(pairs: list[Pair]) -> None:
    for target, source in pairs:
        np.copyto(target, source)


def _halves(target: Any, source: Any) -> tuple[Pair, Pair]:
    middle = source.size // 2
    return (target[:middle], source[:middle]), (target[middle:], source[middle:])
