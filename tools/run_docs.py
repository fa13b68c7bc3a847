"""Runs the Python blocks of pages in docs/, and writes what they print in the blocks below.

python tools/run_docs.py            write it
python tools/run_docs.py --check    only say whether it is up to date

All blocks of a page are one program. What depends on the processor stands in a block that says so,
of which the check looks at words only; a measured one is not compared. A command is run when the
pages are written, on a machine that has nothing else to do.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import linecache
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [
    DOCS / f"{name}.md"
    for name in (
        "how_it_works",
        "profile",
        "board",
        "checkpoints",
        "models",
        "notebooks",
        "playground",
        "tensorflow1",
        "training",
        "xla",
        "devices",
        "allreduce",
    )
]
PROGRAM = "example.py"  # what the user's lines in messages belong to
VARIES = " (depends on the processor)"
MEASURED = " (measured)"
BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text(?P<note>[^\n]*)\n.*?```\n)?", re.S)

COMMAND = re.compile(r"```sh\npython (?P<words>.*)\n```\n\n```text \(measured\)\n(?s:.*?)```\n")


def rewritten(page: str) -> str:
    """The page with what its program prints now.

    Raises:
        ValueError: if a block prints something and no text block follows.
    """
    program = Program()

    def run(block: re.Match[str]) -> str:
        code, note = block["code"], block["note"]
        printed = program.run(code)
        if (note is None) != (not printed):
            raise ValueError(f"a block prints {printed!r}, and what follows does not fit:\n{code}")
        shown = f"\n```text{note}\n{printed}```\n" if printed else ""
        return f"```python\n{code}```\n{shown}"

    return BLOCK.sub(run, page)


def with_commands_run(page: str) -> str:
    """The page with what its commands print now."""

    def run(block: re.Match[str]) -> str:
        command = [sys.executable, *block["words"].split()]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=DOCS.parent)
        return f"```sh\npython {block['words']}\n```\n\n```text{MEASURED}\n{done.stdout}```\n"

    return COMMAND.sub(run, page)


class Program:
    """Blocks of code that run one after the other, as if they were one file."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._text = ""

    def run(self, code: str) -> str:
        """What a block prints."""
        above = self._text.count("\n")
        self._text += code
        lines = self._text.splitlines(keepends=True)
        linecache.cache[PROGRAM] = (len(self._text), None, lines, PROGRAM)
        output = io.StringIO()
        with redirect_stdout(output):
            exec(compile("\n" * above + code, PROGRAM, "exec"), self._names)
        return output.getvalue()


def differences(old: str, new: str) -> list[str]:
    """Lines that differ, but for what depends on the processor."""
    return list(difflib.unified_diff(list(_comparable(old)), list(_comparable(new)), lineterm=""))


def _comparable(page: str) -> Iterator[str]:
    varies = measured = False
    for line in page.splitlines():
        if line.startswith("```"):
            varies, measured = line.endswith(VARIES), line.endswith(MEASURED)
            yield line
        elif not measured:
            yield " ".join(re.findall(r"[A-Za-z_/]+", _without_tiles(line))) if varies else line


def _without_tiles(line: str) -> str:
    """A line without the sizes of tiles and amounts of bytes: `8i 16j`, `3.17 M`."""
    return re.sub(r"(?<!\S)[\d.,]+ ?[A-Za-z]*(?!\S)", "", line)


def main() -> int:
    """Writes or checks the pages; returns the exit status."""
    changed: list[str] = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ.update(THALWEG_CACHE_DIR=cache, THALWEG_STRICT="1", THALWEG_NUM_THREADS="2")
        import thalweg  # now that it finds this environment

        for path in PAGES:
            thalweg.reset_default_graph()
            page = path.read_text()
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                new = rewritten(page)
            if "--check" in sys.argv:
                changed += differences(page, new)
            else:
                path.write_text(with_commands_run(new))
    print("\n".join(changed))
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
