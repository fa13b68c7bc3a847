"""A worker process, seen from the command."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parent.parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "THALWEG_NUM_THREADS")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}


def confine(threads: int) -> None:
    """Let this process, and those it starts, use so many CPUs, where the system can do that.

    JAX has no other setting; the others are told the number of threads as well.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


class Worker:
    """Runs a worker's module, and asks it things. Between two requests it sleeps.

    Args:
        name: for messages.
        python: the interpreter of its environment.
        module: what to run.
        threads: how many threads it is to use.
        environment: further variables.
    """

    def __init__(
        self,
        name: str,
        python: Path | str,
        module: str,
        threads: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [str(python), "-m", module, str(threads)],
            cwd=ROOT,
            env=os.environ | QUIET | dict.fromkeys(THREADS, str(threads)) | dict(environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """The answer to a request of `benchmarks.protocol`.

        Raises:
            BenchmarkError: the worker failed, or ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps({"do": do, **details}), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise BenchmarkError(f"{self.name}: the worker ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"{self.name}: {do} failed:\n{answer['error']}")
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def printed_numbers(python: Path | str, program: Sequence[str], runs: int) -> list[float]:
    """What a short program prints, a number, in each of several fresh processes."""
    command = [str(python), "-c", "\n".join(program)]
    with tempfile.TemporaryDirectory() as folder:  # bytecode is kept, as it is after an install
        env = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.check_output(command, cwd=ROOT, env=env)
        return [float(subprocess.check_output(command, cwd=ROOT, env=env)) for _ in range(runs)]
