"""The benchmark command's checks and writers, on made-up figures and without a peer."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import machine, report
from benchmarks.errors import BenchmarkError
from benchmarks.measure import check, relative_difference
from benchmarks.process import ROOT, Worker
from benchmarks.protocol import Model, Server
from benchmarks.results import ImportTime, Machine, Report, Result, Side
from benchmarks.workloads import WORKLOADS


def made_up(others: float = 0.0) -> Report:
    where = Machine(
        "A CPU", 4, 2, "Linux", {"Thalweg": {"thalweg": "1"}, "PyTorch": {"torch": "2"}}
    )
    ours = Side([0.5, 0.4, 9.0], [3.0])
    peer = Side([1.5, 1.25, 1.0], [3.0], "eager")
    result = Result(
        "tiny", "Tiny network", ours, peer, difference=2e-7, tolerance=1e-4, others=others
    )
    return Report("2000-01-01", 3, where, [result], [ImportTime("thalweg", [3.0, 1.0, 2.0])])


def test_table_shows_medians_and_their_ratio() -> None:
    lines = report.table(made_up()).splitlines()
    assert [c.strip() for c in lines[2].split("|")[1:-1]] == ["Tiny network", "0.5", "1.25", "2.50"]
    assert len({len(line) for line in lines}) == 1


def test_json_holds_the_rounds_and_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figures.json"
    report.write_json(made_up(), path)
    data = json.loads(path.read_text())
    (result,) = data["results"]
    assert result["peer"] == {
        "ms_per_step": [1.5, 1.25, 1.0],
        "losses": [3.0],
        "variant": "eager",
        "median_ms": 1.25,
    }
    assert result["ratio"] == 2.5
    assert data["imports"][0]["median_ms"] == 2.0
    assert data["machine"]["cpu"] == "A CPU"
    assert data["machine"]["versions"]["PyTorch"] == {"torch": "2"}


def test_page_says_everything() -> None:
    page = report.page(made_up())
    for text in ("Tiny network", "0.4 to 9", "`import thalweg`", "2.0e-07", "eager", "torch 2"):
        assert text in page
    assert "Disturbed" not in page
    assert "Disturbed" in report.page(made_up(others=1.5))


def test_busy_cores_leaves_out_idle_and_waiting(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 2 30 9999 9999 4 5 6 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    assert machine._busy_ticks(stat) == 147
    assert machine.busy_cores(0.0001, stat) == 0.0
    assert machine.busy_cores(0.0001, tmp_path / "none") == 0.0


def test_relative_difference() -> None:
    assert relative_difference(2.0, 1.0) == 0.5
    assert relative_difference(0.0, 0.0) == 0.0
    assert relative_difference(math.nan, 1.0) == math.inf


def test_sides_that_disagree_are_an_error() -> None:
    workload = WORKLOADS["softmax"]
    workers = cast("list[Worker]", [SimpleNamespace(name="A"), SimpleNamespace(name="B")])
    assert check(workload, workers, [[1.0, 2.0], [1.0, 2.0]]) == 0.0
    with pytest.raises(BenchmarkError, match=r"softmax: the sides do not agree.*\n  A: .*\n  B: "):
        check(workload, workers, [[1.0, 2.0], [1.0, 2.1]])


def test_a_worker_that_dies_is_an_error() -> None:
    with (
        Worker("gone", sys.executable, "benchmarks.no_such_module", 1) as worker,
        pytest.raises(BenchmarkError, match="gone: the worker ended with 1"),
    ):
        worker.ask("hello")


class Counter(Model):
    """Counts steps."""

    def __init__(self) -> None:
        self.steps = 0

    def reset(self) -> None:
        self.steps = 0

    def check(self, batch: int) -> float:
        return float(batch)

    def loss(self) -> float:
        return float(self.steps)

    def train(self, steps: int) -> None:
        self.steps += steps


def test_server_answers(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", W=np.ones(2))
    seen: list[Any] = []

    def build(name: str, arrays: dict[str, Any]) -> Model:
        seen.append((name, list(arrays)))
        return Counter()

    server = Server({"python": "3"}, build)
    assert server.answer({"do": "hello"}) == {"versions": {"python": "3"}}
    with pytest.raises(RuntimeError, match="nothing was prepared"):
        server.answer({"do": "check", "steps": 1})
    path = str(tmp_path / "data.npz")
    assert server.answer({"do": "prepare", "workload": "w", "data": path}) == {"variant": ""}
    assert seen == [("w", ["W"])]
    assert server.answer({"do": "check", "steps": 3}) == {"losses": [0.0, 1.0, 2.0]}
    timed = server.answer({"do": "time", "warm_up": 2, "steps": 5})
    assert timed["loss"] == 7.0
    assert timed["seconds"] >= 0.0
    with pytest.raises(ValueError, match="no such request"):
        server.answer({"do": "dance"})


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--only", "softmax", "--write-docs"]])
def test_options_that_make_no_sense(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments)


@pytest.mark.parametrize("name", list(WORKLOADS))
def test_every_peer_has_every_workload(name: str) -> None:
    source = Path(ROOT, "benchmarks", "peers", "torch_worker.py").read_text()
    assert f'"{name}": {name}' in source
