"""What a folder of logs is said to hold."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg import board
from thalweg.cli.main import main


def write(folder: Path, values: dict[int, float], tag: str = "loss") -> Path:
    with tf.summary.FileWriter(folder) as writer:
        for step, value in values.items():
            writer.add_summary(
                tf.Summary(value=[tf.Summary.Value(tag=tag, simple_value=value)]), step
            )
    return next(folder.glob("events.*"))


def test_runs_tags_and_last_steps(written: Path) -> None:
    train, test = sorted(board.logs(written).runs, key=lambda run: run.last_step)[::-1]
    assert (train.name, train.last_step) == ("train", 59)
    assert (test.name, test.last_step) == ("test", 50)
    assert {kind: len(tags) for kind, tags in train.tags.items()} == {
        "graph": 1, "hparam": 2, "text": 2, "image": 4, "histogram": 2, "scalar": 2, "PR curve": 1,
        "audio": 1, "tensor": 1, "run metadata": 1,
    }  # fmt: skip
    assert "train: 1 graph, 2 hparams, 2 texts, 4 images" in str(board.logs(written))


def test_scalars_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a", {0: 0.1, 5: math.nan})
    write(tmp_path / "b" / "c", {7: -3}, 'with "quotes", and commas')
    assert main(["board", str(tmp_path), "--csv", "-"]) == 0
    output = capsys.readouterr()
    lines = [line.split(",") for line in output.out.splitlines()]
    assert [(line[0], line[1], line[2], line[-1]) for line in lines[:3]] == [
        ("run", "tag", "step", "value"),
        ("a", "loss", "0", "0.100000001"),
        ("a", "loss", "5", "nan"),
    ]
    assert output.out.splitlines()[3].startswith('b/c,"with ""quotes"", and commas",7,')
    assert "3 scalars of 2 runs" in output.err


@pytest.mark.parametrize("kind", ["none", "file", "empty", "above", "no events"])
def test_why_there_is_nothing_to_see(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "logs"
    expected = "There is no such folder"
    if kind != "none":
        folder.mkdir()
        expected = "of 0 files here, none has 'tfevents' in its name"
    if kind == "file":
        (folder / "log.txt").write_text("loss 1")
        expected = "of 1 files here"
    if kind == "above":
        write(tmp_path, {1: 1})
        expected = f"{tmp_path} has event files"
    if kind == "no events":
        write(folder, {})
        expected = "the files hold no events"
    assert expected in str(board.logs(folder))


def test_damage_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a", {1: 1, 2: 2, 3: 3})
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    (run,) = board.logs(tmp_path).runs
    assert run.last_step == 2
    assert "does not fit its checksum" in run.problem
    file = io.StringIO()
    assert board.logs(tmp_path).write_csv(file) == 2


def test_the_command_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a", {1200: 1})
    assert main(["board", str(tmp_path), "--list"]) == 0
    assert "a: 1 scalar; last step 1,200\n  loss" in capsys.readouterr().out
    assert main(["board", str(tmp_path / "none")]) == 1
    assert main(["board", str(tmp_path / "none"), "--csv", "-"]) == 1
    assert "There is no such folder" in capsys.readouterr().err


def test_without_tensorboard_the_command_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {1: 1})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["board", str(tmp_path)]) == 1
    assert "needs `pip install thalweg[board]`" in capsys.readouterr().err


def test_tensorboard_is_started_on_this_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    calls: list[list[str]] = []

    def call(command: list[str]) -> int:
        calls.append(command)
        return 0

    monkeypatch.setattr("subprocess.call", call)
    assert main(["board", str(tmp_path), "--port", "7", "--samples", "images=3"]) == 0
    assert calls[0][3:] == [
        f"--logdir={tmp_path}", "--host=127.0.0.1", "--port=7", "--samples_per_plugin=images=3",
    ]  # fmt: skip


def test_precision_and_recall_are_those_of_numpy() -> None:
    random = np.random.default_rng(3)
    labels, sure = random.random(200) < 0.3, random.random(200).astype(np.float32)
    weights = random.random(200).astype(np.float32)
    op = board.pr_curve("curve", labels, sure, 11, weights)
    with tf.Session() as session:
        made = tf.Summary.FromString(session.run(op)).value[0]
    found: Any = tf.make_ndarray(made.tensor)
    for n in range(11):
        above = np.floor(sure * 10) >= n
        tp, fp = weights[labels & above].sum(), weights[~labels & above].sum()
        tn, fn = weights[~labels & ~above].sum(), weights[labels & ~above].sum()
        expected = tp, fp, tn, fn, tp / max(tp + fp, 1e-7), tp / (tp + fn)
        # Sums of some 200 numbers up to 1, in float32.
        np.testing.assert_allclose(found[:, n], expected, rtol=1e-5, atol=1e-4)
    assert (made.tag, made.metadata.plugin_data.plugin_name) == ("curve", "pr_curves")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: board.pr_curve("c", [1.0], [0.5]), "labels must be bool, not float32"),
        (lambda: board.pr_curve("c", [True], [0.5], 1), "at least 2 thresholds, not 1"),
        (lambda: board.hparams({"a": [1]}), "'a' must be a number, a string or a bool, not [1]"),
        (lambda: board.hparams_end("done"), "must be one of 'success', 'failure', 'running'"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert message in str(caught.value)
