"""`thalweg train mnist`."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thalweg.cli.main import main
from thalweg.datasets import mnist


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first 500 training images, for all purposes."""
    (images, digits), _ = mnist.load_data()
    labels = np.eye(10)[digits[:500]]

    def read(seed: int) -> mnist.Datasets:
        sets = [mnist.DataSet(images[:500, ..., None], labels, seed=seed) for _ in range(3)]
        return mnist.Datasets(*sets)

    monkeypatch.setattr("thalweg.cli.train._read_data", read)


def test_softmax_regression_trains_and_is_tested(
    few: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "mnist", "--model", "softmax", "--steps", "5", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "MNIST, 1 thread, seed 1" in out
    assert "softmax regression: 5 steps of 100 images" in out
    assert "step      5  loss " in out
    assert "test accuracy 0." in out


def test_a_seed_decides_everything(few: None, capsys: pytest.CaptureFixture[str]) -> None:
    def lines(seed: str) -> list[str]:
        main(["train", "mnist", "--model", "softmax", "--steps", "3", "--seed", seed])
        return [line for line in capsys.readouterr().out.splitlines() if "step " in line]

    assert lines("5") == lines("5")
    assert lines("5") != lines("6")


def test_log_has_a_row_for_every_step_of_a_short_run(few: None, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    arguments = ["train", "mnist", "--model", "softmax", "--steps", "20", "--log", str(log)]
    assert main(arguments) == 0
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 21))
    assert all(row["network"] == "softmax" for row in rows)
    assert all(0 <= float(row["train_accuracy"]) <= 1 for row in rows)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert [bool(row["validation_accuracy"]) for row in rows] == [False, True] * 10


def test_convolutional_network(few: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "mnist", "--model", "cnn", "--steps", "2"]) == 0
    out = capsys.readouterr().out
    assert "convolutional network: 2 steps of 50 images" in out
    assert "test accuracy 0." in out


def test_both_networks_are_the_default(few: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "mnist", "--steps", "1", "--full"]) == 0
    out = capsys.readouterr().out
    assert out.index("softmax regression: 1 steps") < out.index("convolutional network: 1 steps")


def test_ctrl_c_before_the_first_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(seed: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thalweg.cli.train._read_data", interrupted)
    assert main(["train", "mnist"]) == 130
    assert "interrupted" in capsys.readouterr().out


def test_in_a_process_of_its_own() -> None:
    command = ["-m", "thalweg", "train", "mnist", "--model", "softmax", "--steps", "2"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "test accuracy 0." in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_ends_with_the_accuracy_so_far() -> None:
    # A shell that starts this in the background makes its children ignore SIGINT.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "import thalweg.cli.progress; thalweg.cli.progress.LINE_SECONDS = 0.01; "
        "from thalweg.cli.main import main; "
        "sys.exit(main('train mnist --model softmax --steps 2000000'.split()))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if "/2,000,000" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130, err
    assert "interrupted in step" in out
    assert ", accuracy 0." in out.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "cifar"], "invalid choice: 'cifar'"),
        (["train", "mnist", "--steps", "0"], "'0' is not a whole number of at least 1"),
        (["train", "mnist", "--threads", "two"], "'two' is not a whole number of at least 1"),
        (["train", "mnist", "--seed", "-1"], "'-1' is not a whole number of at least 0"),
    ],
)
def test_wrong_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_other_errors_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "mnist", "--log", str(tmp_path / "no" / "log.csv")]) == 1
    assert "thalweg: cannot write" in capsys.readouterr().err
    monkeypatch.setenv("THALWEG_NUM_THREADS", "many")
    assert main(["train", "mnist"]) == 1
    assert "THALWEG_NUM_THREADS" in capsys.readouterr().err
