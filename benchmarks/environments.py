"""The peers' environments: made once by the command, and never Thalweg's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.peers import Peer

FOLDER = Path(__file__).resolve().parent / ".envs"


def ensure(peer: Peer) -> Path:
    """The Python of a peer's environment, which is made if there is none or another one.

    Raises:
        BenchmarkError: it cannot be made.
    """
    if not peer.requirements:
        return Path(sys.executable)
    folder = FOLDER / peer.name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "requirements.txt"
    wanted = "\n".join(peer.requirements) + "\n"
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"making the environment of {peer.name} in {folder} ...", file=sys.stderr, flush=True)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call([sys.executable, "-m", "venv", "--clear", str(folder)])
    _call([str(python), *pip, *peer.requirements])
    stamp.write_text(wanted)
    return python


def _call(command: list[str]) -> None:
    if status := subprocess.call(command, stdout=sys.stderr):
        raise BenchmarkError(f"{' '.join(command)}: exit status {status}")
