"""`thalweg run SCRIPT` is `python SCRIPT`, with Thalweg as TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.cli.main import main


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "thalweg", "run", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_script_has_its_own_arguments_folder_and_main(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("import tensorflow as tf\nTWO = tf.constant(2)\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, pickle\n"
        "import tensorflow as tf\n"
        "from beside import TWO\n"
        "class Point: pass\n"
        "if __name__ == '__main__':\n"
        "    with tf.Session() as session:\n"
        "        print(session.run(TWO + 1), sys.argv[1:], __file__ == sys.argv[0])\n"
        "    print(type(pickle.loads(pickle.dumps(Point()))) is Point)\n"
        "    sys.exit(3)\n"
    )
    done = run(script, "--steps", "5", "-o", "x")
    assert done.stdout == "3 ['--steps', '5', '-o', 'x'] True\nTrue\n", done.stderr
    assert done.returncode == 3


def test_a_traceback_begins_in_the_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import tensorflow as tf\ntf.nn.ctc_loss()\n")
    done = run(script)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[:2] == [
        "Traceback (most recent call last):",
        f'  File "{script}", line 2, in <module>',
    ]
    assert "Thalweg has no tf.nn.ctc_loss" in done.stderr
    assert lines[-1] == "  at script.py:2: tf.nn.ctc_loss()"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("old.py", 'print "x"\n', "it looks like Python 2"),
        ("wrong.py", "x = (\n", "wrong.py:1: '(' was never closed"),
        ("missing.py", None, "there is no file"),
        ("missing.ipynb", None, "No such file or directory"),
        ("wrong.ipynb", "{}", "is not a notebook"),
    ],
)
def test_what_cannot_be_run(
    name: str, text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    assert main(["run", str(path)]) == 1
    assert message in capsys.readouterr().err


def test_options_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--output", "x.ipynb", "script.py"]) == 1
    assert main(["run", "--output", "x.pdf", "notebook.ipynb"]) == 1
    assert main(["run", "notebook.ipynb", "argument"]) == 1
    said = capsys.readouterr().err
    assert "--output is for notebooks" in said
    assert "must end in .ipynb or .html" in said
    assert "a notebook takes no arguments" in said


def test_without_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "nbformat", None)
    monkeypatch.delitem(sys.modules, "thalweg.compat.notebook", raising=False)
    monkeypatch.delattr("thalweg.compat.notebook", raising=False)
    assert main(["run", "notebook.ipynb"]) == 1
    assert "pip install thalweg[notebook]" in capsys.readouterr().err
