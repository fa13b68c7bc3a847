"""How systems are asked, compared and timed, with workers that stand in for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import environments, graphs, machine, measure
from benchmarks.errors import BenchmarkError, WorkerError
from benchmarks.measure import System, relative_difference
from benchmarks.models import ALIGNMENT, Data, Model, Predictor, aligned
from benchmarks.neighbours import Neighbours
from benchmarks.peers import PEERS, Peer
from benchmarks.process import ROOT, Worker
from benchmarks.protocol import Server, fastest
from benchmarks.recipes import PREDICTIONS, RECIPES
from benchmarks.results import Limits, Result
from benchmarks.workloads import OVERHEADS, WORKLOADS, Cost, Workload
from tests.benchmarks.fake_worker import Summing

LIMITS = Limits(flops=1e9, bandwidths={1: 1e9})


class FakePeer(Peer):
    @property
    def module(self) -> str:
        return f"tests.benchmarks.{self.name}_worker"


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
SOUND = System(FakePeer("sound", "Sound", "json"), sys.executable, 1)


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


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on how quiet the machine is."""
    monkeypatch.setattr(measure, "SETTLE", 0.0)
    monkeypatch.setattr(measure, "LISTEN", 0.001)


def sides(name: str, rounds: int = 3, patience: float = 60.0) -> dict[str, tuple[int, str]]:
    """How many rounds each side of a workload has, and what the table says of it."""
    systems = [replace(SYSTEMS[0], patience=patience), SOUND]
    result = measure.measure(workload(name), systems, rounds, LIMITS)
    return {side.name: (len(side.ms_per_step), side.missing) for side in result.sides}


@pytest.mark.parametrize("when", ["now", "later"])
def test_a_side_that_raises_is_not_run(when: str) -> None:
    do = "prepare" if when == "now" else "time"
    assert sides(f"raise-{when}") == {
        "Fake good": (3, ""),
        "Fake broken": (0, f"not run: {do}: ArithmeticError: five | six"),
        "Sound good": (3, ""),
    }


@pytest.mark.parametrize("when", ["now", "later"])
@pytest.mark.parametrize(
    ("what", "reason"), [("die", "the worker ended with -6"), ("hang", "no answer within 3 s")]
)
def test_a_worker_that_dies_or_hangs_does_not_stop_the_others(
    what: str, reason: str, when: str
) -> None:
    measured = sides(f"{what}-{when}", patience=3.0)
    do = "prepare" if when == "now" else "time"
    assert measured.pop("Sound good") == (3, "")
    assert set(measured) == {"Fake good", "Fake broken"}  # they share a process
    assert measured["Fake broken"] == (0, f"not run: {do}: {reason}")
    assert measured["Fake good"] == (0, f"not run: time: {reason}")


def test_a_worker_that_does_not_start_is_not_run() -> None:
    absent = System(Peer("absent", "Absent", "absent"), sys.executable, 1)
    result = measure.measure(workload("good"), [absent, SYSTEMS[0]], 1, LIMITS)
    assert [side.missing for side in result.sides] == ["not run: open: the worker ended with 1", ""]
    assert absent.checked().not_run == "hello: the worker ended with 1"
    assert set(SYSTEMS[0].checked().versions) == {"numpy", "cache"}


def test_wrong_values_are_not_timed() -> None:
    differ = "FAILED: values differ by 2.0e-01, relatively; 1e-06 is allowed"
    assert sides("majority") == {
        "Fake good": (3, ""),
        "Fake bad": (0, differ),
        "Fake other": (3, ""),
        "Fake nan": (0, differ.replace("2.0e-01", "inf")),
        "Fake third": (3, ""),
        "Sound good": (3, ""),
    }
    result = measure.measure(workload("quarrel"), SYSTEMS[:1], 1, LIMITS)
    assert [side.missing[:6] for side in result.sides] == ["FAILED", "FAILED"]  # one to one
    assert sides("diverge")["Fake diverging"] == (
        0,
        "FAILED: after the timed steps, its values are not finite",
    )


def run_command(
    monkeypatch: pytest.MonkeyPatch, path: Path, names: list[str], *arguments: str
) -> int:
    """The exit status of the command, with workloads by these names and stand-ins for systems."""
    monkeypatch.setattr(command, "WORKLOADS", {name: workload(name) for name in names})
    monkeypatch.setattr(command, "OVERHEADS", ())
    monkeypatch.setattr(command, "STARTED", [workload("raise-now")])
    monkeypatch.setattr(command, "PEERS", {"fake": FAKE, "sound": SOUND.peer})
    monkeypatch.setattr(command, "confine", lambda threads: None)
    monkeypatch.setattr("benchmarks.roofline.measure", lambda threads: LIMITS)
    return command.main(["--rounds", "1", "--json", str(path), *arguments])


def test_the_command_goes_on_after_a_side_that_died(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "results.json"
    assert run_command(monkeypatch, path, ["die-now", "good"]) == 0
    made = json.loads(path.read_text())
    assert [result["name"] for result in made["results"]] == ["die-now", "good"]
    assert [start["system"] for start in made["starts"]] == ["Fake", "Sound"]
    assert made["notes"] == [
        "start of Fake broken with raise-now: prepare: ArithmeticError: five | six"
    ]
    shown = capsys.readouterr().out
    assert "not run: prepare: the worker ended with -6" in shown
    assert "- not measured: start of Fake broken with raise-now: " in shown


def test_on_a_busy_machine_our_own_system_runs_on_one_thread_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "results.json"
    monkeypatch.setattr(command, "THALWEG", FAKE)
    monkeypatch.setattr(command, "SINGLE", SOUND.peer)
    assert run_command(monkeypatch, path, ["good"], "--busy", "1", "--peers", "fake") == 0
    made = json.loads(path.read_text())
    assert made["busy"] == 1
    (result,) = made["results"]
    assert [side["system"] for side in result["sides"]] == ["Fake", "Sound"]
    assert not made["starts"]


def test_neighbours_keep_cpus_busy_and_end() -> None:
    with Neighbours(2) as neighbours:
        processes = neighbours._processes
        assert [process.poll() for process in processes] == [None, None]
    assert [process.poll() for process in processes] == [-9, -9]


def test_neighbours_do_not_outlive_who_started_them() -> None:
    program = (
        "from benchmarks.neighbours import Neighbours\n"
        "import os\n"
        "(process,) = Neighbours(1).__enter__()._processes\n"
        "print(process.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, timeout=60)
    for _ in range(1000):
        try:
            os.kill(int(printed), 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("it is still there")


def test_the_command_fails_at_the_end_if_values_are_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    names = ["quarrel", "good"]
    assert run_command(monkeypatch, path, names, "--only", *names) == 1
    made = json.loads(path.read_text())
    times = [[len(s["ms_per_step"]) for s in result["sides"]] for result in made["results"]]
    assert times == [[1, 0, 1], [1, 1]]
    shown = capsys.readouterr()
    assert "- **Wrong values**: quarrel: Fake bad: values differ by 2.0e-01" in shown.out
    assert "benchmarks: wrong values: quarrel: Fake bad" in shown.err


def test_what_was_measured_is_kept_when_the_command_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = measure.measure

    def interrupted(workload: Workload, *arguments: Any) -> Result:
        if workload.name == "second":
            raise KeyboardInterrupt
        return real(workload, *arguments)

    monkeypatch.setattr(measure, "measure", interrupted)
    path = tmp_path / "results.json"
    with pytest.raises(KeyboardInterrupt):
        run_command(monkeypatch, path, ["good", "second"])
    assert [result["name"] for result in json.loads(path.read_text())["results"]] == ["good"]


def test_starts_are_measured_with_a_cache_of_their_own() -> None:
    starts, failed = measure.starts(workload("some"), SYSTEMS[0], 2)
    assert not failed  # "nowhere" can run on no machine, which is no failure
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
    gone = System(Peer("gone", "Gone", "no_such_module"), sys.executable, 1)
    with pytest.raises(BenchmarkError, match="no_such_module"):
        measure.import_time(gone, 1)


def test_relative_difference_is_that_of_the_worst_step() -> None:
    one = np.array([[1.0, 4.0], [2.0, 8.0]])
    assert relative_difference([one, one]) == 0.0
    other = np.array([[1.0, 4.0], [3.0, 8.0]])
    third = np.array([[1.0, 3.0], [1.0, 8.0]])
    assert relative_difference([one, other]) == 1 / 8
    assert relative_difference([one, other, third]) == 1 / 4
    assert relative_difference([one, one * np.nan]) == np.inf
    assert relative_difference([one * 0, one * 0]) == 0.0
    assert relative_difference([one, one[:, :1]]) == np.inf


def test_a_worker_that_dies_is_an_error() -> None:
    with (
        Worker("gone", sys.executable, "benchmarks.no_such_module", 1) as worker,
        pytest.raises(WorkerError, match="hello: the worker ended with 1"),
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
    [
        ["--rounds", "0"],
        ["--busy", "-1"],
        ["--only", "softmax", "--write-docs"],
        ["--peers", "jax", "--write-docs"],
        ["--busy", "1", "--write-docs"],
    ],
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


@pytest.mark.parametrize("peer", ["torch", "tensorflow", "jax"])
def test_every_peer_has_every_network(peer: str) -> None:
    source = (ROOT / "benchmarks" / "peers" / f"{peer}_networks.py").read_text()
    networks = {recipe.network for recipe in RECIPES.values()} | set(PREDICTIONS.values())
    for network in networks - {"embedding"}:
        assert f'\n    "{network}": ' in source


@pytest.mark.parametrize("peer", ["torch", "tensorflow", "jax"])
def test_every_peer_has_every_loop_and_a_table_of_rows(peer: str) -> None:
    peers = ROOT / "benchmarks" / "peers"
    own = peers / f"{peer}_loops.py"
    source = (own if own.exists() else ROOT / "benchmarks" / "graphs.py").read_text()
    for loop in graphs.LOOPS:
        assert f'\n    "{loop}": ' in source
    assert "(FedModel)" in (peers / f"{peer}_embedding.py").read_text()


def test_engines_that_predict_have_every_prediction() -> None:
    source = (ROOT / "benchmarks" / "peers" / "onnx_models.py").read_text()
    for network in PREDICTIONS.values():
        assert f'\n    "{network}": ' in source


def test_every_workload_is_known_to_the_peers() -> None:
    overheads = {workload.name for workload in OVERHEADS}
    assert set(WORKLOADS) == {*RECIPES, *PREDICTIONS, *graphs.LOOPS, *overheads}
