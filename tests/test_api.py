"""The public names, and the page that lists them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import thalweg as tf

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_MODULES = {
    "app",
    "contrib",
    "errors",
    "flags",
    "gfile",
    "initializers",
    "graph_util",
    "layers",
    "linalg",
    "logging",
    "losses",
    "math",
    "metrics",
    "nn",
    "saved_model",
    "profiler",
    "python_io",
    "summary",
    "test",
    "train",
}


def test_all_lists_every_public_name() -> None:
    found = {
        name
        for name, value in (vars(tf) | tf._LATER).items()
        if not name.startswith("_")
        and (not isinstance(value, ModuleType) or name in PUBLIC_MODULES)
    }
    assert set(tf.__all__) == found, "correct __all__ in src/thalweg/__init__.py"
    assert len(set(tf.__all__)) == len(tf.__all__)


def test_mathematics_has_the_names_of_its_own() -> None:
    assert tf.math.tan is tf.tan
    assert tf.math.softplus is tf.nn.softplus
    assert tf.math.floormod is tf.mod
    assert all(callable(getattr(tf.math, name)) for name in tf.math.__all__)


def test_page_lists_every_public_name() -> None:
    command = [sys.executable, str(ROOT / "tools" / "list_api.py"), "--check"]
    done = subprocess.run(command, check=False)
    assert done.returncode == 0, "docs/api.md is out of date: run python tools/list_api.py"


def test_every_public_name_has_a_docstring() -> None:
    def has_one(value: object) -> bool:
        return bool((getattr(value, "__doc__", None) or "").strip())

    assert [name for name in tf.__all__ if not has_one(getattr(tf, name))] == []
