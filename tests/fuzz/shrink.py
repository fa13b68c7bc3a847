"""Makes a failing program smaller for as long as it fails in the same way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.fuzz.generator import NAMES, Program

PATIENCE = 120  # seconds for one run
SIMPLER = [
    (r", (steps|threads|loop)=\d+", ""),
    (r", fed=\[\w+\]", ""),
    (r"(sizes=\[\d+), [^\]]*", r"\1"),
]


def shrink(program: Program, prelude: str = "") -> Program:
    """A smaller program that fails in the same way, or the same if it does not fail."""

    def outcome(candidate: Program) -> str | None:
        return failure(prelude + candidate.text)

    wanted = outcome(program)
    if wanted is None:
        return program
    while (smaller := _first(program, lambda p: outcome(p) == wanted)) is not None:
        program = smaller
    return program


def failure(text: str) -> str | None:
    """How a program ends: a signal, an exception without its figures, or None if it is right."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"
        path.write_text(text)
        command = [sys.executable, str(path)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                env={**os.environ, "THALWEG_STRICT": "1"},
            )
        except subprocess.TimeoutExpired:
            return "hang"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return re.sub(r"[\d.]+|\w+:0", "", last.split(", is ")[0])[:40]


def _first(program: Program, fails: Callable[[Program], bool]) -> Program | None:
    """The first smaller program that fails."""
    return next((p for p in _smaller(program) if p.fetches and fails(p)), None)


def _smaller(program: Program) -> Iterator[Program]:
    for pattern, to in SIMPLER:
        options = re.sub(pattern, to, program.options)
        if options != program.options:
            yield replace(program, options=options)
    for line in reversed(program.lines):
        yield program.without(line.name)
    if len(program.fetches) > 1:
        for fetch in program.fetches:
            yield _tidied(replace(program, fetches=(fetch,)))
        for fetch in program.fetches:
            yield _tidied(replace(program, fetches=tuple(f for f in program.fetches if f != fetch)))


def _tidied(program: Program) -> Program:
    """The program without lines that nothing needs."""
    needed = {name for f in (*program.fetches, program.options) for name in NAMES.findall(f)}
    kept = []
    for line in reversed(program.lines):
        if line.name in needed or line.code.startswith("b.update"):
            kept.append(line)
            needed |= line.needs
    return replace(program, lines=tuple(reversed(kept)))
