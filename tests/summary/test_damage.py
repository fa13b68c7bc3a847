"""A share of the writers that are killed, and of the files that are damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.summary.mutations import run


def test_killed_writers_lose_nothing_that_was_added() -> None:
    """In a process of its own, which has no threads that a fork would lose."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.summary.kills", "--count", "10"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 writers killed" in done.stdout


@pytest.mark.parametrize("checked", [False, True], ids=["files", "messages"])
def test_damaged_files_are_errors_or_right(checked: bool) -> None:
    assert run(60, seed=1, checked=checked) > 10
