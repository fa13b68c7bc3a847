"""Saved models: written whole, moved, and answering with the same bits in another process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.saving.test_meta_graph import IMAGES

SERVE = [tf.saved_model.tag_constants.SERVING]


def save(folder: Path) -> Any:
    """A model that was trained a little; returns what it answers."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        weights = tf.Variable(tf.truncated_normal([4, 500]), name="weights")
        table = tf.constant(np.arange(2000, dtype=np.float32).reshape(4, 500), name="table")
        y = tf.nn.softmax(tf.matmul(x, weights + table), name="y")
        train = tf.train.AdamOptimizer().minimize(tf.reduce_sum(y * y))
        session.run(train, {x: IMAGES})
        tf.saved_model.simple_save(session, folder, {"images": x}, {"labels": y})
        return session.run(y, {x: IMAGES})


AGAIN = """
import sys, numpy as np, thalweg as tf
predict = tf.contrib.predictor.from_saved_model(sys.argv[1])
np.save(sys.argv[3], predict({"images": np.load(sys.argv[2])})["labels"])
"""


def test_another_process_predicts_the_same_bits_from_a_moved_folder(tmp_path: Path) -> None:
    expected = save(tmp_path / "models" / "1")
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "models" / "1", moved)
    assert os.listdir(tmp_path / "models") == []
    assert sorted(os.listdir(moved)) == [
        "constants.safetensors", "saved_model.json", "variables.safetensors",
    ]  # fmt: skip
    data, found = tmp_path / "data.npy", tmp_path / "found.npy"
    np.save(data, IMAGES)
    subprocess.run([sys.executable, "-c", AGAIN, moved, data, found], check=True)
    np.testing.assert_array_equal(np.load(found), expected)


def test_the_loader_adds_to_the_sessions_graph(tmp_path: Path) -> None:
    expected = save(tmp_path / "m")
    assert tf.saved_model.loader.maybe_saved_model_directory(tmp_path / "m")
    with tf.Graph().as_default(), tf.Session() as session:
        meta = tf.saved_model.loader.load(session, SERVE, tmp_path / "m", import_scope="model")
        signature = meta.signature_def["serving_default"]
        assert signature.method_name == "tensorflow/serving/predict"
        info = signature.inputs["images"]
        assert (info.name, info.dtype, info.tensor_shape.as_list()) == (
            "x:0", tf.float32, [None, 4],
        )  # fmt: skip
        x = tf.saved_model.utils.get_tensor_from_tensor_info(info, import_scope="model")
        np.testing.assert_array_equal(session.run("model/y:0", {x: IMAGES}), expected)


def test_the_values_are_a_checkpoint_too(tmp_path: Path) -> None:
    save(tmp_path / "m")
    with tf.Graph().as_default(), tf.Session() as session:
        weights = tf.Variable(tf.zeros([4, 500]), name="weights")
        tf.train.Saver().restore(session, tmp_path / "m" / "variables.safetensors")
        assert np.abs(session.run(weights)).max() > 0


def test_several_graphs_assets_and_an_operation_to_begin_with(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a b")
    builder = tf.saved_model.Builder(tmp_path / "m")
    with tf.Graph().as_default(), tf.Session() as session:
        path = tf.constant(str(words), name="path")
        tf.identity(path, name="same_path")
        count = tf.Variable(1, trainable=False, collections=["local_variables"], name="count")
        begin = count.assign_add(10, name="begin").op
        tf.Variable(5.0, name="v")
        builder.add_meta_graph_and_variables(
            session, ["train"], assets_collection=[path], main_op=begin
        )
    with tf.Graph().as_default():
        v = tf.Variable(0.0, name="v")
        signature = tf.saved_model.signature_def_utils.predict_signature_def({"v": v}, {"w": v * 2})
        builder.add_meta_graph(SERVE, {"double": signature})
    builder.save()
    words.unlink()
    with tf.Graph().as_default(), tf.Session() as session:
        tf.saved_model.load(session, ["train"], tmp_path / "m")
        assert Path(session.run("same_path:0").decode()).read_text() == "a b"
        assert session.run(["count:0", "v:0"]) == [11, 5]
    predict = tf.contrib.predictor.from_saved_model(tmp_path / "m", "double")
    assert predict({}) == {"w": 10}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"no input 'x'; it has \['v'\]"):
        predict({"x": 1})
    with pytest.raises(tf.errors.NotFoundError, match=r"no graph of the tags \['gpu'\], only \['t"):
        tf.saved_model.load(tf.Session(), ["gpu"], tmp_path / "m")


def test_signatures() -> None:
    utils = tf.saved_model.signature_def_utils
    with tf.Graph().as_default():
        x, y = tf.placeholder(tf.string, [None]), tf.zeros([2, 3])
        regress, classify = (
            utils.regression_signature_def(x, y),
            utils.classification_signature_def(x, None, y),
        )
        assert list(classify.outputs) == ["scores"]
        assert all(map(utils.is_valid_signature, (regress, classify)))
        assert not utils.is_valid_signature(utils.build_signature_def())
        assert regress.inputs["inputs"] == tf.saved_model.utils.build_tensor_info(x)
        with pytest.raises(tf.errors.InvalidArgumentError, match="classes or scores"):
            utils.classification_signature_def(x, None, None)


# -- what goes wrong


def test_a_save_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("thalweg.saving.saved_model.os.rename", fail)
    with pytest.raises(OSError, match="the disk is full"):
        save(tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(tf.errors.InvalidArgumentError, match="exists and is not empty"):
        tf.saved_model.Builder(tmp_path)


def test_a_graph_comes_after_one_with_variables(tmp_path: Path) -> None:
    builder = tf.saved_model.Builder(tmp_path / "m")
    with pytest.raises(tf.errors.FailedPreconditionError, match="with its variables first"):
        builder.add_meta_graph(SERVE)


def test_no_saved_model(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.NotFoundError, match="holds no saved model"):
        tf.saved_model.load(tf.Session(), SERVE, tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(tf.errors.UnimplementedError, match="a saved model of TensorFlow's"):
        tf.saved_model.load(tf.Session(), SERVE, tmp_path)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", ""])
def test_assets_lie_in_their_folder(tmp_path: Path, name: str) -> None:
    save(tmp_path / "m")
    path = tmp_path / "m" / "saved_model.json"
    value = json.loads(path.read_text())
    asset = {"tensor_name": "table:0", "filename": name}
    value["meta_graphs"][0]["asset_file_def"] = [asset]
    path.write_text(json.dumps(value))
    with pytest.raises(tf.errors.DataLossError, match="not the name of a file in 'assets'"):
        tf.saved_model.load(tf.Session(graph=tf.Graph()), SERVE, tmp_path / "m")


def test_values_that_do_not_fit(tmp_path: Path) -> None:
    save(tmp_path / "m")
    os.unlink(tmp_path / "m" / "variables.safetensors")
    with pytest.raises(tf.errors.NotFoundError, match="variables"):
        tf.saved_model.load(tf.Session(graph=tf.Graph()), SERVE, tmp_path / "m")
