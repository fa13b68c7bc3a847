"""Runs the notebooks of examples/, and keeps what they show.

python tools/run_notebooks.py            write it
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from thalweg.compat.notebook import read, run_notebook, write

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def executed(path: Path) -> Any:
    """The notebook of a file with what its cells show now.

    Raises:
        RuntimeError: with what went wrong, if a cell fails.
    """
    notebook = read(path)
    shown: list[str] = []
    if not run_notebook(notebook, path.parent, shown.append):
        raise RuntimeError(f"{path.name} failed:\n{shown[-1]}")
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which are others in each run
    return notebook


def main() -> int:
    for path in sorted(EXAMPLES.glob("*.ipynb")):
        write(executed(path), path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
