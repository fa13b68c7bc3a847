"""The command line finds its commands."""

from __future__ import annotations

import subprocess
import sys

import pytest

import thalweg as tf
from thalweg.cli.main import COMMANDS, main


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"thalweg {tf.__version__}\n"
    assert main([]) == 2
    listed = [line.split()[:1] for line in capsys.readouterr().out.splitlines()]
    assert [name for name in COMMANDS if [name] not in listed] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"usage: thalweg {name}" in capsys.readouterr().out


def test_help_loads_no_compiler() -> None:
    code = (
        "import sys; from thalweg.cli.main import _parser; _parser(); "
        "print(sorted({'llvmlite', 'matplotlib', 'nbclient', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
