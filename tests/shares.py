"""Large tables of cases, of which a run of the suite takes a share.

`THALWEG_ALL_TESTS=1` in the environment makes it take all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

ALL = bool(os.environ.get("THALWEG_ALL_TESTS"))


def one_in(n: int, cases: Iterable[T]) -> list[T]:
    """Every n-th case; which one of each n is left to the order of the cases."""
    return list(cases)[:: 1 if ALL else n]


def at_most(share: int, whole: int) -> int:
    """How many of a row of cases are tried."""
    return whole if ALL else share
