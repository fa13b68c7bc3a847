"""Lets `import tensorflow` find Thalweg."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from thalweg.compat.facade import Facade, MissingModuleError, exists, missing

__all__ = ["install", "uninstall"]

ROOT = "tensorflow"


class _Finder(MetaPathFinder, Loader):
    """Finds `tensorflow` and what lies below it, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `MetaPathFinder`.

        Raises:
            MissingModuleError: for a module of TensorFlow that Thalweg does not have.
        """
        if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        if not exists(fullname):
            raise MissingModuleError(missing(fullname), name=fullname)
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """See `Loader`."""
        return Facade(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """See `Loader`; there is nothing to run."""


_finder = _Finder()


def install() -> None:
    """From now on, `import tensorflow` in this process imports Thalweg.

    It does not matter whether TensorFlow is installed, but it must not have been imported.

    Raises:
        ImportError: if TensorFlow itself has been imported.
    """
    present = sys.modules.get(ROOT)
    if present is not None and not isinstance(present, Facade):
        raise ImportError("tensorflow has been imported already; call thalweg.compat.install first")
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Take back what `install` did, for later imports."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    for name in [name for name, module in sys.modules.items() if isinstance(module, Facade)]:
        del sys.modules[name]
