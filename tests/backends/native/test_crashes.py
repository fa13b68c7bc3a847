"""A few of the kills, races and mutations that `crashes.py` makes any number of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_kills_races_and_mutations() -> None:
    options = ["--kills", "3", "--races", "1", "--processes", "3", "--mutations", "30"]
    command = [sys.executable, "-m", "tests.backends.native.crashes", *options]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
