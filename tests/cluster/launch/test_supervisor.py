"""Processes are started with what they need to know, started again, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.launched import launched
from thalweg.cluster.launch.task import Task


def test_each_process_knows_its_place() -> None:
    code = "import os; print(os.environ['TF_CONFIG'], os.environ.get('THALWEG_RANK'))"
    found = launched("-c", code, servers=1, threads=3)
    assert found.status == 0
    for number in range(2):
        (line,) = found.said(Task("worker", number))
        text, _, rank = line.rpartition(" ")
        told = json.loads(text)
        assert rank == str(number)
        assert told["task"] == {"type": "worker", "index": number}
        assert {job: len(list_) for job, list_ in told["cluster"].items()} == {"ps": 1, "worker": 2}


def test_servers_end_with_the_workers() -> None:
    code = """if 1:
        import json, os, time
        if json.loads(os.environ["TF_CONFIG"])["task"]["type"] == "ps":
            time.sleep(600)"""
    assert launched("-c", code, servers=2).status == 0


def test_the_worst_exit_status_counts() -> None:
    code = "import os, sys; sys.exit(3 if os.environ['THALWEG_RANK'] == '1' else 0)"
    found = launched("-c", code)
    assert found.status == 3
    assert found.said(None) == ["worker 1 (exit status 3) failed; all others are ended"]


def test_a_process_that_has_joined_nobody_starts_again_alone(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        f"path = {str(tmp_path)!r} + '/' + os.environ['THALWEG_RANK']\n"
        "count = len(open(path).read()) if os.path.exists(path) else 0\n"
        "open(path, 'a').write('x')\n"
        "if os.environ['THALWEG_RANK'] == '0' and count < 2: os.abort()\n"
    )
    found = launched("-c", code, restarts=2)
    assert found.status == 0
    assert [len((tmp_path / rank).read_text()) for rank in "01"] == [3, 1]
    assert launched("-c", "import os; os.abort()", workers=1, restarts=1).status == 128 + 6


GROUP = """
import os, sys
import numpy as np
from thalweg.cluster.collective import process
from thalweg.ops.host.collective import group_of_process
folder = sys.argv[1]
process.init()
rank = process.rank()
path = f"{folder}/state-{rank}"
start = int(open(path).read()) if os.path.exists(path) else 0
(first,) = group_of_process().broadcast("start", [np.array(start)], 0)
start = int(first)
print("from", start, flush=True)
for step in range(start, 6):
    (total,) = group_of_process().all_reduce("x", [np.full(9000, step)], False)
    assert (total == 2 * step).all()
    with open(path + "-new", "w") as file:
        file.write(str(step + 1))
    if step == 3 and rank == 1 and not os.path.exists(f"{folder}/hit"):
        open(f"{folder}/hit", "w").close()
        os.kill(os.getpid(), %s)
    os.rename(path + "-new", path)
"""


@pytest.mark.parametrize("number", ["9", "19"], ids=["killed", "stopped"])
def test_a_group_goes_on_from_its_last_checkpoint(
    tmp_path: Path, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THALWEG_WARN_SECONDS", "0.3")
    monkeypatch.setenv("THALWEG_GIVE_UP_SECONDS", "0.6")
    found = launched("-c", GROUP % number, str(tmp_path), restarts=1)
    assert found.status == 0
    (text,) = found.said(None)
    assert text.endswith("failed; all workers start again (0 times left)")
    assert [(tmp_path / f"state-{rank}").read_text() for rank in range(2)] == ["6", "6"]
    lines = "\n".join(found.said(Task("worker", 0)))
    assert "rank 1 (process" in lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(tmp_path: Path, number: int) -> None:
    """Not even of processes that the script itself has started, nor when the launcher is killed."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('pid', os.getpid(), child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-m", "thalweg", "launch", "--workers", "2", str(script)]
    # A shell lets what it starts in the background ignore Ctrl-C, and so would the launcher.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        pids = [int(word) for line in lines for word in line.split()[-2:]]
        process.send_signal(number)
        process.stdout.read()
    expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert process.returncode == expected[signal.Signals(number)]
    end = time.monotonic() + 20
    while any(map(_runs, pids)):
        assert time.monotonic() < end, "processes are left"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
