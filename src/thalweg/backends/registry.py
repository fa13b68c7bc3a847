"""The backends and their devices. Each registers itself, and is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from thalweg.backends.protocol import Backend, BackendSettings
from thalweg.base import settings
from thalweg.base.record import Record

__all__ = ["LocalDevice", "Registered", "make_backend", "register", "registered", "serving"]


class LocalDevice(Record):
    """A device of this machine that a backend can use.

    Attributes:
        kind: such as "CPU", "XLA_CPU", "GPU" or "TPU".
        index: its number among those of its kind.
        memory_bytes: how much memory it has; 0 if that is not known.
        description: the model, for people.
    """

    kind: str
    index: int
    memory_bytes: int = 0
    description: str = ""

    @property
    def name(self) -> str:
        """Kind and number: "GPU:0"."""
        return f"{self.kind}:{self.index}"


def this_cpu() -> Sequence[LocalDevice]:
    """The processor that Python runs on."""
    return [LocalDevice("CPU", 0, settings.memory_bytes(), settings.cpu_model())]


Maker: TypeAlias = Callable[[BackendSettings], Backend]
Lister: TypeAlias = Callable[[], Sequence[LocalDevice]]


class Registered(Record, eq=False):
    """What is registered of a backend.

    Attributes:
        name: of the backend.
        make: makes one; imports what it needs only then.
        kinds: of devices that it serves, the one that it prefers first.
        devices: lists those that are there, in the order of `kinds`. It may import what that takes,
            and raises ImportError if it is not installed.
        extra: of the package, which installs what it needs.
    """

    name: str
    make: Maker
    kinds: tuple[str, ...]
    devices: Lister
    extra: str = ""


_backends: dict[str, Registered] = {}
_aliases: dict[str, str] = {}


def register(
    name: str,
    make: Maker,
    aliases: Sequence[str] = (),
    kinds: Sequence[str] = ("CPU",),
    devices: Lister = this_cpu,
    extra: str = "",
) -> None:
    """Let a backend be asked for by its name, or by that of a device that it serves.

    Of several backends for one kind of devices, the first to be registered serves it if a session
    does not ask for another one.

    Args:
        name: of the backend.
        make: see `Registered`, as for what follows `aliases`.
        aliases: other names for it.
        kinds: of devices.
        devices: lists those that are there.
        extra: of the package.
    """
    _backends[name] = Registered(name, make, tuple(kinds), devices, extra)
    _aliases.update(dict.fromkeys(aliases, name))


def registered(name: str) -> Registered:
    """The backend of a name.

    Raises:
        ValueError: there is none.
    """
    backend = _backends.get(_aliases.get(name, name))
    if backend is None:
        known = " and ".join(map(repr, sorted(_backends)))
        raise ValueError(f"there is no backend {name!r}; there are {known}")
    return backend


def make_backend(name: str, settings: BackendSettings) -> Backend:
    """A new backend of a name.

    Raises:
        ValueError: there is none of this name.
    """
    return registered(name).make(settings)


def serving() -> dict[str, Registered]:
    """The backend of each kind of devices that there can be."""
    found: dict[str, Registered] = {}
    for backend in _backends.values():
        for kind in backend.kinds:
            found.setdefault(kind, backend)
    return found
