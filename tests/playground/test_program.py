"""An exported program has the losses of the playground, to the bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError
from thalweg.compat.script import run_script
from thalweg.playground import program
from thalweg.playground.experiment import Experiment
from thalweg.playground.points import own_points
from thalweg.playground.state import parsed


def losses(printed: str) -> list[np.float32]:
    return [
        np.float32(line.split("loss ")[1].split(",")[0])
        for line in printed.splitlines()
        if " loss " in line
    ]


def measured(experiment: Experiment) -> list[np.float32]:
    return [np.float32(experiment.engine.measure(part).loss) for part in ("train", "test")]


def a_day(link: str) -> Experiment:
    """A network that somebody has played with."""
    one = Experiment(parsed(f"{link}&seed=0.25"))
    one.train(100)
    one.train(57)
    one.set({"learningRate": 0.01, "batchSize": 7})
    one.train(33)
    one.edit(1, (0, 0), 0.25)
    one.edit(1, (0, 0), 0.5)
    one.train(10)
    one.edit(1, (0,), -0.125)
    if one.data.is_images:
        one.set({"percTrainData": 70})
    else:
        one.regenerate()
    one.train(20)
    one.engine.measure("train")  # a run in between changes no random number
    one.train(11)
    return one


LINKS = [
    "regularization=L1&regularizationRate=0.03&learningRate=0.1&xSquared=true&noise=20",
    "regularization=L2&regularizationRate=0.01&sinX=true&dropout=0.2&activation=relu",
    "classes=3&dataset=spiral&optimizer=adam&dropout=0.2&activations=leakyrelu,elu",
    "problem=regression&regDataset=reg-gauss&networkShape=8,8,8&optimizer=rmsprop",
    "initZero=true&optimizer=nesterov&networkShape=",
    "dataset=digits&networkShape=",
]
FORMS = ("thalweg", "tensorflow1")


@pytest.mark.parametrize(("link", "form"), [(link, FORMS[n % 2]) for n, link in enumerate(LINKS)])
def test_programs_repeat_a_run(
    link: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = a_day(link)
    wanted = measured(experiment)
    assert _printed(experiment, form, tmp_path, capsys) == wanted
    experiment.close()


def _printed(
    experiment: Experiment, form: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> list[np.float32]:
    path = folder / "program.py"
    path.write_text(program.text(experiment.journal, form))
    capsys.readouterr()
    tf.reset_default_graph()
    if form == "tensorflow1":
        assert run_script(path, []) == 0
    else:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__"})
    return losses(capsys.readouterr().out)


def test_what_was_learned_before_goes_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With another activation it is another network, which begins with these weights."""
    experiment = Experiment(parsed("seed=0.5&networkShape=9,9"))
    experiment.train(50)
    experiment.set({"activations": ["relu", "tanh"], "optimizer": "adam"})
    experiment.train(50)
    assert experiment.engine.step == 100
    assert _printed(experiment, "thalweg", tmp_path, capsys) == measured(experiment)


def test_own_points_are_in_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment = Experiment(parsed("seed=0.5"))
    experiment.give(own_points([[n * 0.1, n * -0.3, n % 3] for n in range(40)]))
    experiment.train(50)
    assert _printed(experiment, "tensorflow1", tmp_path, capsys) == measured(experiment)


def test_undoing_is_in_no_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment = Experiment(parsed("seed=0.5&dropout=0.1"))
    experiment.train(50)
    known = measured(experiment)
    experiment.edit(2, (1, 1), 5.0)
    experiment.train(10)
    experiment.set({"optimizer": "adam"})
    experiment.train(10)
    assert experiment.undo()
    assert experiment.undo()
    assert measured(experiment) == known
    experiment.train(10)
    assert _printed(experiment, "thalweg", tmp_path, capsys) == measured(experiment)


def test_programs_run_by_themselves(tmp_path: Path) -> None:
    """As their first lines say, in processes of their own."""
    experiment = a_day("regularization=L1&regularizationRate=0.03&dropout=0.1")
    for form, command in (("thalweg", []), ("tensorflow1", ["-m", "thalweg", "run"])):
        path = tmp_path / f"network_for_{form}.py"
        path.write_text(program.text(experiment.journal, form))
        done = subprocess.run(
            [sys.executable, *command, str(path)], capture_output=True, text=True, check=True
        )
        assert losses(done.stdout) == measured(experiment)


def test_an_unknown_form_is_an_error() -> None:
    with pytest.raises(InvalidArgumentError, match="form must be one of thalweg, tensorflow1"):
        program.text(Experiment(parsed("")).journal, "pytorch")
