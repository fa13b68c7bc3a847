"""A worker process, seen from the command."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.errors import BenchmarkError, WorkerError

ROOT = Path(__file__).resolve().parent.parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "THALWEG_NUM_THREADS")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}
CELLS = {"TF_USE_LEGACY_KERAS": "1"}  # where TensorFlow keeps the cells of TensorFlow 1
BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}  # it is kept: starts are not about compiling Python
PATIENCE = 600.0  # seconds for an answer: several times what the slowest compilation takes
LAST_WORDS = 5.0  # seconds that a worker which has closed its output may take to end


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
        patience: seconds that it may take for an answer.
    """

    def __init__(
        self,
        name: str,
        python: Path | str,
        module: str,
        threads: int,
        environment: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.name = name
        self._patience = patience
        self._ended = ""  # why, if it has
        self._process = subprocess.Popen(
            [str(python), "-m", module, str(threads)],
            cwd=ROOT,
            env={
                **os.environ,
                **QUIET,
                **CELLS,
                **BYTECODE,
                **dict.fromkeys(THREADS, str(threads)),
                **(environment or {}),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, do: str, **details: Any) -> dict[str, Any]:
        """The answer to a request of `benchmarks.protocol`.

        Raises:
            WorkerError: the worker could not do it, ended, or took too long, upon which it is
                killed. Once it has ended, every request raises the same.
        """
        line = "" if self._ended else self._line(json.dumps({"do": do, **details}))
        if not line:
            raise WorkerError(f"{do}: {self._ended}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            trace = answer["error"].rstrip()
            raise WorkerError(f"{do}: {trace.splitlines()[-1]}", trace)
        return answer

    def _line(self, request: str) -> str:
        """The line that answers another one; none if the worker has ended."""
        pipe = self._process
        assert pipe.stdin is not None
        assert pipe.stdout is not None
        line = ""
        try:
            print(request, file=pipe.stdin, flush=True)
            if not select.select([pipe.stdout], [], [], self._patience)[0]:
                self._ended = f"no answer within {self._patience:g} s"
                pipe.kill()
                return ""
            line = pipe.stdout.readline()
        except BrokenPipeError:
            pass
        if not line.endswith("\n"):
            self._ended = f"the worker ended with {self._status()}"
            return ""
        return line

    def _status(self) -> int:
        """The exit status of a worker that has closed its output."""
        try:
            return self._process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

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
    """What a short program prints, a number, in each of several fresh processes.

    Raises:
        BenchmarkError: it failed, or took too long.
    """
    command = [str(python), "-c", "\n".join(program)]
    with tempfile.TemporaryDirectory() as folder:  # bytecode is kept, as it is after an install
        env = os.environ | BYTECODE | {"PYTHONPYCACHEPREFIX": folder}

        def printed() -> float:
            return float(subprocess.check_output(command, cwd=ROOT, env=env, timeout=PATIENCE))

        try:
            return [printed() for _ in range(1 + runs)][1:]
        except (subprocess.SubprocessError, ValueError) as error:
            raise BenchmarkError(str(error)) from error
