"""Which names operations and scopes may have: TensorFlow 1's rules, which saved graphs rely on."""

from __future__ import annotations

import re

from thalweg.base.errors import GraphError
from thalweg.base.source import caller

_SCOPE = re.compile(r"[A-Za-z0-9_.\\/-]*")
_OPERATION = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/-]*")


def check_name(name: object, kind: str, inside: bool) -> None:
    """Check the name that a user gives to an operation or a scope.

    Args:
        name: what was given.
        kind: what it is for, for the error.
        inside: whether a scope is open: only the first name of a path must not begin with "_",
            "-", "/" or a backslash.

    Raises:
        GraphError: if it is no string, or has other characters than letters, digits and `_.-/`.
    """
    if isinstance(name, str) and (_SCOPE if inside else _OPERATION).fullmatch(name):
        return
    raise GraphError(
        f"{name!r} is not a valid name for {kind}: a name consists of letters, digits and the "
        f"characters . _ - / and begins with a letter, a digit or a dot\n  at {caller()}"
    )
