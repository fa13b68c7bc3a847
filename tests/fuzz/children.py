"""Runs numbered cases in child processes, so that one that crashes or hangs is a finding too."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.guard import NOTES, last_kernel

CHUNK = 25  # cases that a process is for
PATIENCE = 120.0  # seconds for one case
SAYS = "\x1e"  # what begins a line of the child's that is meant for the parent


@dataclass(frozen=True)
class Finding:
    """A case that went wrong.

    Attributes:
        case: its number.
        kind: "wrong", "error", "crash" or "hang".
        text: what is known about it.
    """

    case: int
    kind: str
    text: str


def say(*words: object) -> None:
    """Tell the parent something."""
    text = " ".join(str(word).replace("\n", "\x1f") for word in words)
    print(f"{SAYS}{text}", flush=True)


def serve(first: int, count: int, run: Callable[[int], None], wrong: type[Exception]) -> None:
    """Run the cases in this process, and tell the parent how each ends."""
    for case in range(first, first + count):
        say("begin", case)
        try:
            run(case)
        except wrong as error:
            say("wrong", case, error)
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__, limit=-4))
            say("error", case, f"{type(error).__name__}: {str(error)[:400]}\n{where}")
        else:
            say("right", case)


def findings(
    arguments: Sequence[str], first: int, count: int, jobs: int = 1
) -> Iterator[Finding | None]:
    """What comes of each case, in order: None if it is right.

    Args:
        arguments: of Python, for a child that calls `serve`; the first case and the count follow.
        first: the first case.
        count: how many.
        jobs: how many processes run at the same time.
    """
    starts = range(first, first + count, CHUNK)
    with ThreadPoolExecutor(jobs) as pool:
        ends = [min(start + CHUNK, first + count) for start in starts]
        for found in pool.map(lambda start, end: _chunk(arguments, start, end), starts, ends):
            yield from found


def _chunk(arguments: Sequence[str], first: int, end: int) -> list[Finding | None]:
    found: list[Finding | None] = []
    while first + len(found) < end:
        start = first + len(found)
        found += _child([*arguments, str(start), str(end - start)], start)
    return found


def _child(arguments: Sequence[str], first: int) -> Iterator[Finding | None]:
    """The cases up to the end, or to the first that ends the process.

    The compiler checks its work, and does not go on in a slower way where it fails.
    """
    command, pipe = [sys.executable, "-X", "faulthandler", *arguments], subprocess.PIPE
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, stdout=pipe, stderr=subprocess.STDOUT, bufsize=0,
            env={**os.environ, NOTES: folder, "THALWEG_STRICT": "1"},
        ) as child,
    ):  # fmt: skip
        current, other = None, []
        try:
            for line in _lines(child):
                if not line.startswith(SAYS):
                    other.append(line)
                    continue
                word, number, *text = line[1:].split(" ", 2)
                current = int(number)
                if word == "begin":
                    other = []
                elif word == "right":
                    current = None
                    yield None
                else:
                    current, said = None, text[0] if text else ""
                    yield Finding(int(number), word, said.replace("\x1f", "\n"))
        except TimeoutError:
            child.kill()
            yield Finding(first if current is None else current, "hang", _tail(other))
            return
        code = child.wait()
        if current is not None or (code and not current):
            name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            case = first if current is None else current
            kernel = last_kernel(Path(folder))
            yield Finding(case, "crash", f"{name} in or after: {kernel}\n{_tail(other)}")


def _lines(child: subprocess.Popen[bytes]) -> Iterator[str]:
    assert child.stdout is not None
    buffer, descriptor = b"", child.stdout.fileno()
    while True:
        ready, _, _ = select.select([descriptor], [], [], PATIENCE)
        if not ready:
            raise TimeoutError
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return
        *lines, buffer = (buffer + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def _tail(lines: Sequence[str]) -> str:
    return "\n".join(lines[:30])
