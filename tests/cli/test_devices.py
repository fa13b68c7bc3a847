"""`thalweg devices` says what there is, and what is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from thalweg.cli.main import main


def test_the_devices_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["device", "backend", "memory", "model"]
    name, backend, memory, unit, *model = lines[0].split()
    assert (name, backend, unit) == ("/device:CPU:0", "native", "GiB")
    assert float(memory) > 0.1
    assert model


def test_what_to_install_is_said() -> None:
    code = (
        "import sys; sys.modules['jax'] = None; "
        "from thalweg.cli.main import main; sys.exit(main(['devices']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "/device:CPU:0" in done.stdout
    assert done.stdout.endswith(
        "GPU, TPU, XLA_CPU: not looked for; they need `pip install thalweg[xla]`\n"
    )
