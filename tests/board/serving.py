"""The real TensorBoard, on a folder of logs."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thalweg.board.server import command

WAIT = 120  # seconds, on a busy machine


@contextmanager
def tensorboard(folder: Path, *more: str) -> Iterator[str]:
    """Its address; it ends with the block."""
    arguments = command(str(folder), "127.0.0.1", 0, "--reload_interval=1", *more)
    log = folder.with_name(f"{folder.name}.log")
    with log.open("w") as output:
        process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(WAIT)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + WAIT
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()):
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"TensorBoard did not start:\n{log.read_text()}")


def get(address: str, path: str) -> Any:
    """What it answers: JSON, or text."""
    with urllib.request.urlopen(address + path, timeout=WAIT) as answer:
        data = answer.read()
    return json.loads(data) if "json" in answer.headers["Content-Type"] else data


def when_there(address: str, path: str, run: str = "train") -> Any:
    """What it answers, once it has read a run."""
    end, answer = time.monotonic() + WAIT, get(address, path)
    while run not in answer and time.monotonic() < end:
        time.sleep(0.2)
        answer = get(address, path)
    assert run in answer
    return answer
