"""Names of a module that are imported when they are first used.

A program that saves nothing, say, starts without what saves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from thalweg.graph.calls import explain_errors


def later(module: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module with such names; their errors are explained as all others.

    Args:
        module: its name.
        places: by name the module that defines it, or that is meant itself.
    """

    def found(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        place = import_module(places[name])
        namespace = vars(sys.modules[module])
        namespace[name] = getattr(place, name, place)
        if namespace[name] is not place:
            explain_errors(namespace, [name])
        return namespace[name]

    return found
