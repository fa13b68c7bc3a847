#!/usr/bin/env python3
"""Sets up Thalweg in .venv and runs it. Needs Python 3.11 or newer with its venv module, no more.

python3 dev.py train [ARGS]   train on MNIST: `thalweg train mnist ARGS`
python3 dev.py test [ARGS]    every check: ruff, mypy, then `pytest ARGS`
python3 dev.py lint           the checks that run no code: ruff and mypy
python3 dev.py setup          only make .venv, with the development tools
"""
# An older Python must be able to read this file far enough to be told that it is too old.

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "thalweg-dev.stamp"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

LINT = [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]]


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns the process's exit status."""
    command, *rest = arguments or ["help"]
    if command == "train":
        set_up("core", "dev")
        return become(["thalweg", "train", "mnist", *rest])
    if command == "test":
        set_up("dev")
        return lint() or test(rest)
    if command == "lint" and not rest:
        set_up("dev")
        return lint()
    if command == "setup" and not rest:
        set_up("dev")
        return 0
    print(__doc__.strip())
    return 0 if command in ("help", "-h", "--help") else 2


def lint() -> int:
    """Runs the checks of LINT up to the first that fails; returns its exit status, or 0."""
    for module in LINT:
        announce(" ".join(module))
        status = subprocess.call([str(PYTHON), "-m", *module], cwd=ROOT)
        if status != 0:
            return status
    return 0


def test(arguments: Sequence[str]) -> int:
    """Runs pytest, in one process more than there are CPUs: some tests wait for other processes."""
    workers = str((os.cpu_count() or 1) + 1)
    command = ["pytest", "-n", workers, "--dist", "worksteal", *arguments]
    announce(" ".join(command))
    os.chdir(ROOT)
    return become(command)


def become(module: Sequence[str]) -> int:
    """Runs a Python module in place of this process, so that it alone gets a Ctrl-C."""
    command = [str(PYTHON), "-m", *module]
    if os.name == "nt":
        return subprocess.call(command)
    os.execv(command[0], command)


def announce(step: str) -> None:
    """Prints the name of a step, before anything that the step prints."""
    print(f"== {step} ==", flush=True)


def set_up(lock: str, *as_good: str) -> None:
    """Makes .venv from requirements/`lock`.lock, unless it holds that or one of `as_good` already.

    The stamp is written last, and an environment without the right one is made anew, so it does
    no harm to interrupt this.
    """
    found = STAMP.read_text() if STAMP.exists() else ""
    if found in {stamp(name) for name in (lock, *as_good)}:
        return
    check_python()
    announce(f"setting up .venv from requirements/{lock}.lock (once; a minute or two)")
    STAMP.unlink(missing_ok=True)
    must_run("making .venv", [sys.executable, "-m", "venv", "--clear", str(VENV)])
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-compile"]  # which takes it most of a minute, on one CPU
    locked = ["--require-hashes", "--only-binary=:all:", "-r", str(lock_file(lock))]
    must_run("installing the locked packages", [*pip, *locked])
    must_run("installing thalweg", [*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    compile_all()
    STAMP.write_text(stamp(lock))


def compile_all() -> None:
    """Writes the bytecode of all packages and of thalweg, on all CPUs.

    Some packages hold files for other Pythons, which cannot be compiled, so its status says little.
    """
    command = [str(PYTHON), "-m", "compileall", "-qq", "-j", "0", str(VENV), str(ROOT / "src")]
    subprocess.call(command)


def check_python() -> None:
    """Exits with advice if this Python cannot make the environment."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"dev.py: {sys.executable} lacks the venv module or the pip that goes into it\n"
            "  on Debian and Ubuntu: apt install python3-venv"
        )


def lock_file(lock: str) -> Path:
    """The lock of that name."""
    return ROOT / "requirements" / f"{lock}.lock"


def stamp(lock: str) -> str:
    """Everything that an environment made from the lock depends on, as one line."""
    parts = [lock_file(lock).read_text(), str(ROOT), sys.base_prefix, sys.version]
    return f"{lock} {hashlib.sha256(repr(parts).encode()).hexdigest()}\n"


def must_run(doing: str, command: Sequence[str]) -> None:
    """Runs a command of the set-up; exits if it fails."""
    status = subprocess.call(command)
    if status != 0:
        sys.exit(f"dev.py: {doing} failed (exit status {status})")


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        oldest, this = (".".join(map(str, v[:2])) for v in (OLDEST, sys.version_info))
        sys.exit(
            f"dev.py: Thalweg needs Python {oldest} or newer; {sys.executable} is {this}\n"
            "  if a newer one is installed, name it: python3.12 dev.py ..."
        )
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
