"""Whole files, or none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from thalweg.base.errors import DataLossError, NotFoundError
from thalweg.saving.files import open_regular, remove_abandoned, write_atomically


def test_a_file_is_written_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    write_atomically(path, lambda file: file.write(b"abc"))
    assert path.read_bytes() == b"abc"
    assert os.listdir(path.parent) == ["file"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"new")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_killed_process_leaves_is_removed_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from thalweg.saving.files import write_atomically\n"
        "def die(file):\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomically(sys.argv[1], die)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "file")], check=False)
    (left,) = os.listdir(tmp_path)
    assert left.endswith(".partial")

    def write(file: BinaryIO) -> None:
        assert len(os.listdir(tmp_path)) == 2
        remove_abandoned(tmp_path)  # not what is being written now
        file.write(b"whole")

    write_atomically(tmp_path / "file", write)
    assert os.listdir(tmp_path) == ["file"]


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no file"):
        open_regular(tmp_path / "missing")
    with pytest.raises(DataLossError, match="is not a regular file"):
        open_regular(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataLossError, match="is not a regular file"):
        open_regular(tmp_path / "pipe")
