"""Stages import only what comes before them, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import thalweg

ROOT = Path(thalweg.__file__).parent

# One road, one direction: a stage may import itself and those before it.
STAGES = [
    "base",
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
    "math": {"graph", "ops", "nn"},
    "train": {"base", "formula", "graph", "ops", "autodiff", "nn"},
    "datasets": set[str](),
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def stage_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def module_name(path: Path) -> str:
    relative = path.relative_to(ROOT.parent).with_suffix("")
    return ".".join(relative.parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "thalweg":
                yield from (f"thalweg.{alias.name}" for alias in node.names)


def allowed(stage: str) -> set[str]:
    if stage in BESIDE:
        return {stage, *BESIDE[stage]}
    return set(STAGES[: STAGES.index(stage) + 1])


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    stage = stage_of(module_name(path))
    if stage not in STAGES and stage not in BESIDE:
        return  # the public package and the command line may import anything
    wrong = [
        name
        for name in imports(path)
        if name.startswith("thalweg.") and stage_of(name) not in allowed(stage)
    ]
    assert not wrong, f"{path} imports a later stage: {wrong}"


def test_every_module_has_a_place() -> None:
    free = {"", "cli", "__main__", "tutorial"}
    stages = {stage_of(module_name(path)) for path in modules()}
    assert stages - free == {*STAGES, *BESIDE} & stages
    assert stages - free <= {*STAGES, *BESIDE}


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
