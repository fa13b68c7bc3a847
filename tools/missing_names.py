"""Says which of the names that TensorFlow 1 scripts use most Thalweg does not have.

python tools/missing_names.py

The list, tests/compat/names.tsv, has the hundred names that most of 939 public scripts use, with
the number of the scripts.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from thalweg import compat

NAMES = Path(__file__).resolve().parents[1] / "tests" / "compat" / "names.tsv"


def missing() -> Iterator[tuple[str, int]]:
    """The names that are missing, each with the number of scripts that use it."""
    compat.install()
    try:
        for line in NAMES.read_text().splitlines():
            name, scripts = line.split("\t")
            if not _is_there(name):
                yield name, int(scripts)
    finally:
        compat.uninstall()


def _is_there(name: str) -> bool:
    found = importlib.import_module("tensorflow")
    for part in name.split(".")[1:]:
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


if __name__ == "__main__":
    for name, scripts in missing():
        print(f"{name}: {scripts} scripts")
