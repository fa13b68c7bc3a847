"""The notebooks of examples/ run, and show what they are committed with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from thalweg.compat.notebook import read
from tools.run_notebooks import EXAMPLES, executed


@pytest.mark.parametrize("name", ["softmax", "cnn"])
def test_a_notebook_shows_what_is_committed(name: str) -> None:
    path = EXAMPLES / f"{name}.ipynb"
    committed, now = read(path), executed(path)
    assert kinds(now) == kinds(committed)
    assert kinds(now).count("image/png") >= 3
    # The same seed trains alike on every machine, but for rounding.
    assert accuracy(now) == pytest.approx(accuracy(committed), abs=0.02)
    assert accuracy(now) > 0.9


def kinds(notebook: Any) -> list[str]:
    """What is shown: text, pictures, or what a page can show."""
    return [kind for output in outputs(notebook) for kind in sorted(output.get("data", ["text"]))]


def accuracy(notebook: Any) -> float:
    printed = "".join(output.get("text", "") for output in outputs(notebook))
    found = re.search(r"accuracy on .*: ([\d.]+)", printed)
    assert found is not None
    return float(found[1])


def outputs(notebook: Any) -> list[Any]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [output for cell in cells for output in cell.outputs]


def test_no_notebook_is_forgotten() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.ipynb")) == ["cnn", "softmax"]
    assert Path(EXAMPLES, "softmax.py").exists()
