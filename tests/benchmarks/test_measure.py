"""How systems are asked, compared and timed, with workers that stand in for them."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import environments, machine, measure
from benchmarks.errors import BenchmarkError
from benchmarks.measure import System, relative_difference
from benchmarks.models import ALIGNMENT, Data, Model, Predictor, aligned
from benchmarks.peers import PEERS, Peer
from benchmarks.process import ROOT, Worker
from benchmarks.protocol import Server, fastest
from benchmarks.results import Limits
from benchmarks.workloads import WORKLOADS, Cost, Workload
from tests.benchmarks.fake_worker import Summing

LIMITS = Limits(flops=1e9, bandwidths={1: 1e9})


class FakePeer(Peer):
    @property
    def module(self) -> str:
        return "tests.benchmarks.fake_worker"


def data() -> Data:
    inputs = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    return Data({"out_w": np.ones((2, 2), np.float32)}, inputs, np.zeros((2, 2), np.int64))


def workload(name: str) -> Workload:
    def build(data: Data, threads: int) -> Model:
        return Summing(data)

    def cost(data: Data) -> Cost:
        return Cost(flops=5e6, bytes=1e6, footprint=1)

    return Workload(name, "Sums", data, build, 1, 2, tolerance=1e-6, cost=cost)


FAKE = FakePeer("fake", "Fake", "json")
SYSTEMS = [
    System(FAKE, sys.executable, 1),
    System(Peer("gone", "Gone", "gone"), "", 1, not_run="no environment"),
]


def test_sides_are_measured_in_every_variant_or_say_why_not() -> None:
    result = measure.measure(workload("some"), SYSTEMS, 2, LIMITS)
    names = [(side.name, len(side.ms_per_step), side.not_run) for side in result.sides]
    assert names == [
        ("Fake good", 2, ""),
        ("Fake nowhere", 0, "no machine can"),
        ("Gone", 0, "no environment"),
    ]
    assert result.difference == 0.0
    assert result.limit_ms == pytest.approx(5.0)


def test_sides_that_disagree_are_an_error() -> None:
    with pytest.raises(BenchmarkError, match=r"quarrel: the sides do not agree.*\n  Fake good: "):
        measure.measure(workload("quarrel"), SYSTEMS[:1], 1, LIMITS)


def test_starts_are_measured_with_a_cache_of_their_own() -> None:
    starts = measure.starts(workload("some"), SYSTEMS[0], 2)
    assert [start.name for start in starts] == ["Fake good"]
    assert all(len(runs) == 2 for runs in (starts[0].cold_seconds, starts[0].peak_bytes))
    assert min(starts[0].cold_seconds) > 0.0
    assert min(starts[0].peak_bytes) > 1e6  # a Python with NumPy
    environment = {k: v.format("/cache") for k, v in measure.CACHES.items()}
    with SYSTEMS[0].start(environment) as worker:
        assert worker.ask("hello")["versions"]["cache"] == "/cache"


def test_import_time_is_that_of_the_package() -> None:
    time = measure.import_time(SYSTEMS[0], 2)
    assert (time.system, time.package, len(time.ms)) == ("Fake", "json", 2)
    assert time.median > 0.0


def test_relative_difference_is_that_of_the_worst_step() -> None:
    one = np.array([[1.0, 4.0], [2.0, 8.0]])
    assert relative_difference([one, one]) == 0.0
    other = np.array([[1.0, 4.0], [3.0, 8.0]])
    third = np.array([[1.0, 3.0], [1.0, 8.0]])
    assert relative_difference([one, other]) == 1 / 8
    assert relative_difference([one, other, third]) == 1 / 4
    assert relative_difference([one, one * np.nan]) == np.inf
    assert relative_difference([one * 0, one * 0]) == 0.0


def test_a_worker_that_dies_is_an_error() -> None:
    with (
        Worker("gone", sys.executable, "benchmarks.no_such_module", 1) as worker,
        pytest.raises(BenchmarkError, match="gone: the worker ended with 1"),
    ):
        worker.ask("hello")


def test_busy_cores_leaves_out_idle_and_waiting(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 2 30 9999 9999 4 5 6 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    assert machine._busy_ticks(stat) == 147
    assert machine.busy_cores(0.0001, stat) == 0.0
    assert machine.busy_cores(0.0001, tmp_path / "none") == 0.0


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no affinity")
def test_confine_leaves_so_many_cpus() -> None:
    program = "import os; from benchmarks.process import confine; confine(1)\n"
    program += "print(len(os.sched_getaffinity(0)))"
    assert subprocess.check_output([sys.executable, "-c", program], cwd=ROOT).strip() == b"1"


def test_server_answers(tmp_path: Path) -> None:
    data().save(tmp_path / "data.npz")
    seen: list[Any] = []

    def variants(name: str, data: Data) -> dict[str, Any]:
        seen.append((name, list(data.weights), data.inputs.shape))
        return {"v": [partial(Summing, data)]}

    server = Server({"python": "3"}, variants)
    assert server.answer({"do": "hello"}) == {"versions": {"python": "3"}}
    opened = server.answer({"do": "open", "workload": "w", "data": str(tmp_path / "data.npz")})
    assert opened == {"variants": ["v"]}
    assert seen == [("w", ["out_w"], (2, 2, 2))]
    with pytest.raises(RuntimeError, match="'v' was not prepared"):
        server.answer({"do": "check", "variant": "v", "steps": 1})
    prepared = server.answer({"do": "prepare", "variant": "v", "trials": False})
    assert prepared["way"] == ""
    checked = server.answer({"do": "check", "variant": "v", "steps": 3})
    assert checked == {"values": [[6.0], [23.0], [8.0]]}  # from the start: a step adds one
    timed = server.answer({"do": "time", "variant": "v", "warm_up": 2, "steps": 5})
    assert timed["finite"]
    assert timed["seconds"] >= 0.0
    assert "seconds" in server.answer({"do": "new_batch", "variant": "v", "size": 1})
    assert server.answer({"do": "memory"})["bytes"] > 1e6
    with pytest.raises(ValueError, match="no such request"):
        server.answer({"do": "dance"})


class Sleeper(Summing):
    def __init__(self, seconds: float) -> None:
        super().__init__(data())
        self.way = f"{seconds}"
        self._seconds = seconds

    def run(self, steps: int) -> None:
        import time

        time.sleep(self._seconds * steps)


def test_trials_choose_the_fastest_way() -> None:
    ways = [partial(Sleeper, seconds) for seconds in (0.02, 0.0, 0.01)]
    assert fastest(ways, seconds=0.03).way == "0.0"


def test_data_come_back_aligned(tmp_path: Path) -> None:
    data().save(tmp_path / "data.npz")
    loaded = Data.load(tmp_path / "data.npz")
    np.testing.assert_array_equal(loaded.inputs, data().inputs)
    assert loaded.labels.dtype == np.int64
    for array in (loaded.inputs, loaded.weights["out_w"], aligned(np.ones(3)[1:])):
        assert array.ctypes.data % ALIGNMENT == 0


def test_predictors_check_what_they_answer() -> None:
    class Doubler(Predictor):
        def predict(self, inputs: Any) -> Any:
            return 2 * inputs

    inputs = data().inputs
    expected = 2 * np.stack([inputs[0], inputs[1], inputs[0]])
    np.testing.assert_array_equal(Doubler(data()).check(3), expected)


@pytest.mark.parametrize(
    "arguments",
    [["--rounds", "0"], ["--only", "softmax", "--write-docs"], ["--peers", "jax", "--write-docs"]],
)
def test_options_that_make_no_sense(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(arguments)


def test_an_environment_that_cannot_be_made_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(peer: Peer) -> Path:
        raise BenchmarkError("pip: exit status 1")

    monkeypatch.setattr(environments, "ensure", fail)
    assert command.system("jax", 1).not_run == "no environment: pip: exit status 1"


@pytest.mark.parametrize("peer", [p for p in PEERS.values() if p.requirements])
def test_every_peer_has_a_worker(peer: Peer) -> None:
    source = Path(ROOT, *peer.module.split(".")).with_suffix(".py").read_text()
    assert "def variants(workload: str, data: Data" in source
    assert "thalweg" not in source.lower()


@pytest.mark.parametrize("name", [n for n in WORKLOADS if WORKLOADS[n].cost])
@pytest.mark.parametrize("peer", ["torch", "tensorflow", "jax"])
def test_every_peer_has_every_network(peer: str, name: str) -> None:
    from benchmarks.recipes import PREDICTIONS, RECIPES

    source = (ROOT / "benchmarks" / "peers" / f"{peer}_networks.py").read_text()
    network = PREDICTIONS.get(name) or RECIPES[name].network
    assert f'\n    "{network}": ' in source
