"""`thalweg convert`: checkpoints in another format have the same values, and go on the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import thalweg as tf
from thalweg.cli.main import main


def test_back_and_forth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, back = tmp_path / "tf" / "model.index", tmp_path / "back.safetensors"
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        v = tf.Variable(tf.random_normal([3, 2]), name="v")
        tf.Variable([1.5, -2], dtype=tf.bfloat16, name="half")
        x = tf.random_normal([4])
        session.run(x)
        saver = tf.train.Saver()
        path = saver.save(session, tmp_path / "model")
        expected = session.run([x, v])
        assert main(["convert", path, str(bundle)]) == 0
        assert main(["convert", str(bundle), str(back)]) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"2 tensors written to {bundle}",
            f"2 tensors written to {back}",
        ]
        for form in (bundle, back):
            saver.restore(session, form)
            for a, b in zip(session.run([x, v]), expected, strict=True):
                np.testing.assert_array_equal(a, b)
    assert tf.train.list_variables(bundle) == tf.train.list_variables(path)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("nothing", "out.safetensors", "there is no checkpoint"),
        ("model", "out", "ends neither in .safetensors nor in .index"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, target: str, message: str
) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.Variable(1.0)
        tf.train.Saver().save(session, tmp_path / "model")
    assert main(["convert", str(tmp_path / source), str(tmp_path / target)]) == 1
    assert message in capsys.readouterr().err
