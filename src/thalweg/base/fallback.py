"""A failure of the compiler is not the end of the user's program: there is a slower way."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

from thalweg.base import settings
from thalweg.base.errors import CompilerError, ThalwegError

T = TypeVar("T")

_told: set[str] = set()


def first_working(what: str, *ways: Callable[[], T]) -> T:
    """The result of the first of several ways that does not fail.

    A failure other than the last is a bug of the compiler. It is told in a warning, once each; with
    `THALWEG_STRICT` it is raised. Errors that are the user's to mend are always raised.

    Args:
        what: is to be done, for the warning.
        ways: in the order in which they are tried, the fastest first.
    """
    for way in ways[:-1]:
        try:
            return way()
        except MemoryError:
            raise
        except Exception as error:
            if settings.is_strict() or _is_the_users(error):
                raise
            _tell(what, error)
    return ways[-1]()


def _is_the_users(error: Exception) -> bool:
    return isinstance(error, ThalwegError) and not isinstance(error, CompilerError)


def _tell(what: str, error: Exception) -> None:
    first = str(error).partition("\n")[0]
    text = f"{type(error).__name__}: {first}" if first else type(error).__name__
    if text in _told:
        return
    _told.add(text)
    warnings.warn(
        f"thalweg failed {what}, and goes on in a slower way; the results are right.\n"
        f"  {text}\n"
        "  Please report this as a bug, with the program or with what it prints when the "
        "environment variable THALWEG_STRICT is 1.",
        RuntimeWarning,
        stacklevel=2,
    )
