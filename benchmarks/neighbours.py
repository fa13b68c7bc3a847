"""Processes that do nothing but keep CPUs busy, as other programs on a machine would."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType

# It ends by itself when the command that started it is killed.
SPIN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(100_000):
        pass
"""


class Neighbours:
    """So many spinning processes, on the CPUs that this process may use, in a `with` block.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Neighbours:
        command = [sys.executable, "-S", "-c", SPIN, str(os.getpid())]
        self._processes = [subprocess.Popen(command) for _ in range(self._count)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
