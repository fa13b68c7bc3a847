"""Stages import only what comes before them, read from the source itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.structure import Module, cycles, imports, modules

# One road, one direction: a stage may import itself and those before it.
STAGES = [
    "base",
    "protos",
    "formula",
    "graph",
    "ops",
    "autodiff",
    "passes",
    "kernels",
    "backends",
    "session",
    "inspect",
]
# Beside the road: what each may import.
BESIDE = {
    "nn": {"base", "formula", "graph", "ops"},
    "linalg": {"graph", "ops"},
    "math": {"graph", "ops", "nn"},
    "initializers": {"graph", "ops"},
    "losses": {"base", "graph", "ops", "nn"},
    "metrics": {"base", "graph", "ops"},
    "layers": {"base", "graph", "ops", "nn", "initializers"},
    "contrib": {
        "base",
        "graph",
        "ops",
        "nn",
        "initializers",
        "layers",
        "train",
        "session",
        "saving",
        "saved_model",
    },
    "train": {
        "base",
        "protos",
        "formula",
        "graph",
        "ops",
        "autodiff",
        "nn",
        "saving",
        "summary",
        "session",
        "platform",
        "profiler",
    },
    "datasets": set[str](),
    "platform": {"base", "graph", "session"},
    "profiler": {"base", "graph", "session", "inspect"},
    "python": {"profiler", "session"},
    "compat": set(STAGES) | {"", "datasets", "platform"},
    "saved_model": {"base", "graph", "ops", "session", "saving"},
    "graph_util": {"graph", "saving"},
    "python_io": {"graph", "saving"},
    "playground": {"", "base", "datasets", "session", "inspect"},
    "board": {"base", "graph", "ops", "protos", "saving"},
    "summary": {"base", "graph", "ops", "protos", "saving"},
    "saving": {"base", "protos", "graph", "ops", "backends", "session"},
    "cluster": {"base", "graph", "ops", "session", "saving", "train"},
}


FREE = {"", "cli", "__main__", "tutorial"}  # may import anything


def stage_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def allowed(stage: str) -> set[str]:
    if stage in BESIDE:
        return {stage, *BESIDE[stage]}
    return set(STAGES[: STAGES.index(stage) + 1])


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_imports_run_one_way(module: Module) -> None:
    """The root package, too, is imported by nobody below it."""
    stage = stage_of(module.name)
    if stage in FREE:
        return
    wrong = {name for name in imports(module) if stage_of(name) not in allowed(stage)}
    assert not wrong, f"{module.name} imports a later stage: {wrong}"


def test_every_module_has_a_place() -> None:
    assert {stage_of(module.name) for module in modules()} == {*STAGES, *BESIDE, *FREE}


def test_no_module_imports_itself_through_others() -> None:
    assert not cycles({module.name: imports(module) for module in modules()})


def test_cycles_and_imports_are_found_wherever_they_hide() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]
    assert not cycles({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    text = "def f():\n    from thalweg import constant\n    import thalweg.session.feeds\n"
    module = Module("thalweg.ops.x", Path("x.py"), ast.parse(text), 3)
    assert imports(module) == {"thalweg", "thalweg.session.feeds"}


def test_importing_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys, numpy; before = set(sys.modules); import thalweg; "
        "heavy = {'llvmlite', 'ml_dtypes', 'scipy', 'lzma', 'pathlib', 'concurrent', 'hashlib'}; "
        "print(sorted(heavy & set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
