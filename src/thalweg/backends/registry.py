"""The backends that there are, by name. Each registers itself, and is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from thalweg.backends.protocol import Backend, BackendSettings

__all__ = ["check_name", "make_backend", "register"]

Maker: TypeAlias = Callable[[BackendSettings], Backend]

_makers: dict[str, Maker] = {}
_aliases: dict[str, str] = {}


def register(name: str, make: Maker, aliases: Sequence[str] = ()) -> None:
    """Let a backend be asked for by its name.

    Args:
        name: of the backend.
        make: makes one; imports what it needs only then.
        aliases: other names for it.
    """
    _makers[name] = make
    _aliases.update(dict.fromkeys(aliases, name))


def make_backend(name: str, settings: BackendSettings) -> Backend:
    """A new backend of a name.

    Raises:
        ValueError: there is none of this name.
    """
    check_name(name)
    return _makers[_aliases.get(name, name)](settings)


def check_name(name: str) -> None:
    """Check that there is a backend of a name.

    Raises:
        ValueError: there is none.
    """
    if _aliases.get(name, name) not in _makers:
        known = " and ".join(map(repr, sorted(_makers)))
        raise ValueError(f"there is no backend {name!r}; there are {known}")
