"""A run that is resumed has the bits of one that was never interrupted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.saving.manifest import manifest_text, progress_of
from thalweg.session.progress import LoopPosition, Progress

ROWS, SIZE = 37, 8
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((ROWS, 5)).astype(np.float32)
Y = RANDOM.standard_normal((ROWS, 1)).astype(np.float32)


class Model:
    """Dropout and Adam, in a graph of its own."""

    def __init__(self) -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf.set_random_seed(3)
            self.x = tf.placeholder(tf.float32, [None, 5])
            self.y = tf.placeholder(tf.float32, [None, 1])
            W = tf.Variable(tf.truncated_normal([5, 16]))
            V = tf.Variable(tf.truncated_normal([16, 1]))
            hidden = tf.nn.dropout(tf.nn.relu(tf.matmul(self.x, W)), 0.5)
            self.loss = tf.reduce_mean(tf.square(tf.matmul(hidden, V) - self.y))
            self.train = tf.train.AdamOptimizer(0.01).minimize(self.loss)
            self.saver = tf.train.Saver(max_to_keep=None)

    def session(self) -> tf.Session:
        return tf.Session(graph=self.graph)

    def steps(self, session: tf.Session, steps: int, **further: Any) -> Any:
        losses, _ = session.run_steps(
            [self.loss, self.train],
            steps,
            batches={self.x: X, self.y: Y},
            batch_size=SIZE,
            **further,
        )
        return losses

    def state(self, session: tf.Session) -> dict[str, bytes]:
        with self.graph.as_default():
            variables = tf.global_variables()
        return {v.op.name: session.run(v).tobytes() for v in variables}


@pytest.mark.parametrize("background", [False, True])
def test_between_two_calls(tmp_path: Path, background: bool) -> None:
    whole, first, second = Model(), Model(), Model()
    with whole.session() as session:
        expected = [whole.steps(session, 9), whole.steps(session, 11)]
        values = whole.state(session)
    with first.session() as session:
        got = [first.steps(session, 9)]
        first.saver.save(session, tmp_path / "model", background=background)
        first.steps(session, 3)  # what came after the save is forgotten
        first.saver.wait()
    with second.session() as session:
        second.saver.restore(session, tmp_path / "model")
        got.append(second.steps(session, 11))
        assert second.state(session) == values
    np.testing.assert_array_equal(np.concatenate(got), np.concatenate(expected))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("at", [2, 8])  # within the first epoch of five batches, and after it
def test_in_the_middle_of_a_loop(tmp_path: Path, at: int, shuffle: bool) -> None:
    whole, first, second = Model(), Model(), Model()
    with whole.session() as session:
        whole.steps(session, 4)
        expected = whole.steps(session, 20, shuffle=shuffle)
        values = whole.state(session)

    def save(step: int, _: Any) -> None:
        first.saver.save(session, tmp_path / "model", global_step=step)
        if step == at:
            raise KeyboardInterrupt

    with first.session() as session:
        first.steps(session, 4)
        with pytest.raises(KeyboardInterrupt):
            first.steps(session, 20, shuffle=shuffle, every=2, callback=save)
    with second.session() as session:
        second.saver.restore(session, tf.train.latest_checkpoint(tmp_path))
        loop = session.progress.loop
        assert loop == LoopPosition(4, at, ROWS, SIZE, shuffle)
        second.saver.save(session, tmp_path / "again")  # before it goes on, that is not lost
        second.saver.restore(session, tmp_path / "again")
        got = second.steps(session, 20 - at, shuffle=shuffle)
        assert session.progress.loop is None
        assert second.state(session) == values
    np.testing.assert_array_equal(got, expected[at:])


def test_a_loop_over_other_rows_begins_anew(tmp_path: Path) -> None:
    model = Model()
    with model.session() as session:
        save = lambda *_: model.saver.save(session, tmp_path / "model")  # noqa: E731
        model.steps(session, 3, every=3, callback=save)
        expected = model.steps(session, 2)
    with model.session() as session:
        model.saver.restore(session, tmp_path / "model")
        assert session.progress.loop is not None
        rows = session.run_steps(model.x, 1, batches={model.x: X[:8]}, batch_size=8, shuffle=False)
        np.testing.assert_array_equal(rows[0], X[:8])
        assert session.progress.loop is not None  # and still waits for its own
    assert len(expected) == 2


def test_in_another_process(tmp_path: Path) -> None:
    code = (
        "import sys; from tests.saving.test_resume import Model\n"
        "model = Model()\n"
        "with model.session() as session:\n"
        "    model.saver.restore(session, sys.argv[1])\n"
        "    print(model.steps(session, 6).tobytes().hex())\n"
    )
    model = Model()
    with model.session() as session:
        model.steps(session, 5)
        path = model.saver.save(session, tmp_path / "model")
        expected = model.steps(session, 6)
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True)
    assert bytes.fromhex(done.stdout.decode()) == expected.tobytes()


def test_manifests() -> None:
    for progress in (Progress(7), Progress(2**40, LoopPosition(5, 6, 7, 8, True))):
        assert progress_of(manifest_text(progress)) == progress


@pytest.mark.parametrize(
    "change",
    [
        {"runs": -1},
        {"runs": 1.5},
        {"runs": True},
        {"format": "other"},
        {"version": "1"},
        {"loop": {}},
        {"loop": []},
        {"loop": {"run": 1, "batches": 1, "rows": 1, "batch_size": 1, "shuffled": 1}},
        {"more": "x" * 5000},
    ],
    ids=str,
)
def test_malformed_manifests(change: dict[str, Any]) -> None:
    text = json.dumps(json.loads(manifest_text(Progress(1))) | change)
    with pytest.raises(tf.errors.DataLossError, match="its manifest is malformed"):
        progress_of(text)
    with pytest.raises(tf.errors.DataLossError, match="its manifest is malformed"):
        progress_of("[" * 3000)
    with pytest.raises(tf.errors.UnimplementedError, match="of version 2, and this release"):
        progress_of(manifest_text(Progress(1)).replace('"version": 1', '"version": 2'))
