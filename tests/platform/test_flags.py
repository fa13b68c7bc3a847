"""Flags of the command line, and the main function."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.platform import app, flags
from thalweg.platform.flags import FlagsError, FlagValues


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> FlagValues:
    """Flags of each kind, in the place of the program's."""
    made = FlagValues()
    monkeypatch.setattr(flags, "FLAGS", made)
    flags.DEFINE_string("data_dir", "/tmp/data", "where the data is")
    flags.DEFINE_integer("steps", 100, "how many steps")
    flags.DEFINE_float("rate", 0.5, "the learning rate")
    flags.DEFINE_boolean("verbose", False, "whether to say more")
    flags.DEFINE_list("layers", "4,2", "sizes")
    flags.DEFINE_enum("mode", "train", ["train", "test"], "what to do")
    return made


def test_defaults_hold_where_the_command_line_says_nothing(
    values: FlagValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--steps=7"])
    assert values.flag_values_dict() == {
        "data_dir": "/tmp/data",
        "steps": 7,
        "rate": 0.5,
        "verbose": False,
        "layers": ["4", "2"],
        "mode": "train",
    }


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("--steps=0x10", "steps", 16),
        ("-rate=1e-3", "rate", 1e-3),
        ("--verbose", "verbose", True),
        ("--verbose=False", "verbose", False),
        ("--noverbose", "verbose", False),
        ("--data-dir=a=b", "data_dir", "a=b"),
        ("--layers=1,2,3", "layers", ["1", "2", "3"]),
        ("--mode=test", "mode", "test"),
    ],
)
def test_values_are_read(values: FlagValues, word: str, name: str, value: object) -> None:
    assert values(["train.py", word]) == ["train.py"]
    assert values[name] == value


def test_a_value_may_stand_in_the_next_word_and_the_rest_is_returned(values: FlagValues) -> None:
    line = ["train.py", "--steps", "3", "file", "-f", "kernel.json", "--", "--steps=9"]
    assert values(line) == ["train.py", "file", "-f", "kernel.json", "--steps=9"]
    assert values.steps == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps=many"], "--steps=many: it must be a whole number"),
        (["--rate=x"], "--rate=x: it must be a number"),
        (["--verbose=perhaps"], "it must be true or false"),
        (["--mode=run"], "it must be one of train, test"),
        (["--steps"], "--steps needs a value"),
        (["--step=3"], "there is no flag --step; did you mean --steps?"),
    ],
)
def test_mistakes(values: FlagValues, words: list[str], message: str) -> None:
    with pytest.raises(FlagsError) as caught:
        values(["train.py", *words])
    assert message in str(caught.value)


def test_an_undefined_flag_is_an_attribute_error(values: FlagValues) -> None:
    assert not hasattr(values, "depth")
    with pytest.raises(FlagsError, match="no flag 'depth' was defined; there are --data_dir"):
        _ = values.depth


def test_required_flags(values: FlagValues) -> None:
    flags.DEFINE_string("out", None, "where to write")
    flags.mark_flag_as_required("out")
    with pytest.raises(FlagsError, match="a value is needed for --out"):
        values(["train.py"])
    values(["train.py", "--out=x"])
    assert values.out == "x"


def test_values_can_be_set_and_flags_defined_again(values: FlagValues) -> None:
    values(["train.py", "--steps=3"])
    values.steps = 4
    assert values.steps == 4
    flags.DEFINE_integer("steps", 5, "how many steps")
    values(["train.py"])
    assert values.steps == 5


def test_main_gets_the_rest_and_its_result_is_the_status(values: FlagValues) -> None:
    seen: list[list[str]] = []

    def main(argv: list[str]) -> int:
        seen.append(argv)
        return int(values.steps)

    with pytest.raises(SystemExit) as stop:
        app.run(main, ["train.py", "--steps=3", "file"])
    assert (stop.value.code, seen) == (3, [["train.py", "file"]])


def test_in_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import thalweg as tf\n"
        "tf.app.flags.DEFINE_integer('steps', 1, 'how many steps')\n"
        "FLAGS = tf.app.flags.FLAGS\n"
        "def main(_):\n    print(FLAGS.steps)\n"
        "if __name__ == '__main__':\n    tf.app.run()\n"
    )

    def run(*words: str) -> str:
        command = [sys.executable, str(script), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert run("--steps", "12") == "12\n"
    assert "--steps: how many steps (default: 1)" in run("--help")
