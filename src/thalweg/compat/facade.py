"""A module of TensorFlow 1 that takes its names from modules of Thalweg."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from thalweg.base.errors import ThalwegError
from thalweg.base.source import Source, is_ours
from thalweg.compat.nearest import nearest
from thalweg.compat.table import HOMES, ONLY_PACKAGES, VALUES

__all__ = ["Facade", "MissingModuleError", "MissingNameError", "exists", "homes", "missing"]

V1 = "tensorflow.compat.v1."


class MissingNameError(ThalwegError, AttributeError):
    """A name of TensorFlow that Thalweg does not have."""


class MissingModuleError(ThalwegError, ImportError):
    """A module of TensorFlow, or a name in a `from` import, that Thalweg does not have."""


class Facade(ModuleType):
    """A module whose names are looked up when they are used.

    Args:
        name: TensorFlow's, such as "tensorflow.python.ops.array_ops".
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, f"Thalweg under the name {name}.")
        self.__path__: list[str] = []
        vars(self).update(VALUES.get(_plain(name), dict)())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        full = f"{self.__name__}.{name}"
        for home in map(_imported, homes(self.__name__)):
            if hasattr(home, name) and not _is_import(home, name):
                value = getattr(home, name)
                return importlib.import_module(full) if isinstance(value, ModuleType) else value
        if exists(full):
            return importlib.import_module(full)
        raise MissingNameError(missing(full))

    def __repr__(self) -> str:
        return f"<module {self.__name__!r} from Thalweg>"

    def __dir__(self) -> list[str]:
        own = [name for name in vars(self) if not name.startswith("_")]
        found = (getattr(_imported(home), "__all__", ()) for home in homes(self.__name__))
        return sorted({*own, *(name for names in found for name in names)})


def homes(name: str) -> Sequence[str]:
    """The modules of Thalweg in which the names of a module of TensorFlow are looked up."""
    name = _plain(name)
    if name in HOMES:
        return [home for home in HOMES[name] if _is_module(home)]
    if name in ONLY_PACKAGES:
        return []
    parent, _, last = name.rpartition(".")
    for home in map(_imported, homes(parent)) if parent else ():
        value = getattr(home, last, None)
        if isinstance(value, ModuleType) and not _is_import(home, last):
            return [value.__name__]
    return []


def exists(name: str) -> bool:
    """Whether there is something under this name of a module of TensorFlow."""
    return bool(homes(name)) or _plain(name) in ONLY_PACKAGES


def _plain(name: str) -> str:
    """The name without `compat.v1`, of which a program may have more than one."""
    while f"{name}.".startswith(V1):
        name = f"tensorflow.{name.removeprefix(V1[:-1]).lstrip('.')}".rstrip(".")
    return name


def missing(full: str) -> str:
    """What to say of a name such as "tensorflow.nn.ctc_loss"."""
    name = _plain(full).removeprefix("tensorflow.")
    near = nearest(name)
    like = f"the nearest {'is' if len(near) == 1 else 'are'} {', '.join(near)}" if near else ""
    source = _caller()
    return "\n".join(
        [f"Thalweg has no tf.{name}" + (f"; {like}" if like else ""), f"  at {source}"]
    )


def _caller() -> Source:
    """The user's line: neither of this package nor of Python's import system."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_skipped(frame.f_code.co_filename):
        frame = frame.f_back
    return Source(frame.f_code.co_filename, frame.f_lineno)


def _is_skipped(file: str) -> bool:
    return is_ours(file) or file.startswith("<frozen ")


def _is_import(home: ModuleType, name: str) -> bool:
    """Whether a name is only something that the module imports for itself."""
    public = getattr(home, "__all__", None)
    return public is not None and name not in public and name != "__version__"


def _is_module(name: str) -> bool:
    """Whether Thalweg has a module, or a name that is one, of this full name."""
    try:
        _imported(name)
    except ImportError:
        return False
    return True


def _imported(name: str) -> ModuleType:
    """A module of Thalweg, by the name of its file or by that under which users know it."""
    parent, _, last = name.rpartition(".")
    public = getattr(sys.modules.get(parent), last, None) if parent else None
    if isinstance(public, ModuleType):
        return public
    return importlib.import_module(name)
