"""`thalweg run NOTEBOOK` runs it in a kernel of its own."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from thalweg.cli.main import main
from thalweg.compat.notebook import read
from thalweg.compat.page import page

CODE = [
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nimport tensorflow as tf",
    "y = tf.constant([1.0, 2.0]) * 2\ny",
    "with tf.Session() as session:\n    print(session.run(y))",
    "plt.imshow([[0, 1], [1, 0]])\nplt.show()",
]


def written(path: Path, code: list[str]) -> Path:
    """A notebook as Python 2 wrote it."""
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "metadata": {}, "source": "# A *title*"}
    ]
    for source in code:
        cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": []}
        cells.append({**cell, "execution_count": None})
    python = {"name": "python2", "display_name": "Python 2"}
    whole = {"nbformat": 4, "nbformat_minor": 0, "metadata": {"kernelspec": python}, "cells": cells}
    path.write_text(json.dumps(whole))
    return path


def test_a_notebook_runs_and_is_written_with_its_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "in.ipynb", CODE)
    out = tmp_path / "out.ipynb"
    assert main(["run", "--output", str(out), str(path)]) == 0
    printed = capsys.readouterr().out
    assert "<tf.Tensor 'mul:0' shape=(2,) dtype=float32>\n[2. 4.]\n" in printed
    book = read(out)
    assert book.metadata.kernelspec.name == "python3"
    picture = next(o.data for o in book.cells[-1].outputs if o.output_type == "display_data")
    image = Image.open(io.BytesIO(base64.b64decode(picture["image/png"])))
    assert min(image.size) > 100
    shown = page(book, "out")
    assert "<h1>A <em>title</em></h1>" in shown
    assert '<img alt="a picture" src="data:image/png;base64,iVBOR' in shown
    assert "[2. 4.]" in shown


def test_a_cell_that_fails_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = ["import tensorflow as tf\ntf.nn.ctc_loss()", "print('not reached')"]
    path = written(tmp_path / "in.ipynb", code)
    out = tmp_path / "out.html"
    assert main(["run", "--output", str(out), str(path)]) == 1
    assert "Thalweg has no tf.nn.ctc_loss" in capsys.readouterr().out
    shown = out.read_text()
    assert '<pre class="out error">' in shown
    assert "\x1b" not in shown
    assert '<pre class="out">not reached' not in shown
