"""The one list of the operations, gathered from the modules that define them."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from thalweg import ops
from thalweg.graph import Op


def _defined() -> tuple[type[Op], ...]:
    """The concrete records of every module of the package, module by module."""
    found: list[type[Op]] = []
    for name in sorted(m.name for m in pkgutil.walk_packages(ops.__path__, f"{ops.__name__}.")):
        if name != __name__:
            module = importlib.import_module(name)
            found += (item for item in vars(module).values() if _is_record(item, name))
    return tuple(found)


def _is_record(item: Any, module: str) -> bool:
    return (
        isinstance(item, type)
        and issubclass(item, Op)
        and item.__module__ == module
        and "type" in vars(item)
    )


ALL: tuple[type[Op], ...] = _defined()
BY_TYPE: dict[str, type[Op]] = {record.type: record for record in ALL}

if len(BY_TYPE) != len(ALL):
    raise AssertionError("two operations have the same type name")
