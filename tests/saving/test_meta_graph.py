"""Meta graphs: variables, collections and savers come back with the graph."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf

IMAGES = np.linspace(-1, 1, 20, dtype=np.float32).reshape(5, 4)


def net() -> dict[str, Any]:
    """A network with a dynamic RNN and dropout, and a training step."""
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    with tf.variable_scope("layer"):
        weights = tf.get_variable("weights", [4, 3], regularizer=lambda w: 0.1 * tf.nn.l2_loss(w))
    steps = tf.tanh(tf.matmul(x, weights))[:, None, :]
    cell = tf.nn.rnn_cell.BasicLSTMCell(2)
    outputs, _ = tf.nn.dynamic_rnn(cell, tf.concat([steps, steps], 1), dtype=tf.float32)
    y = tf.identity(tf.nn.dropout(outputs[:, -1], 0.5, seed=3), name="y")
    frozen = tf.Variable([1.0], trainable=False, name="frozen")
    loss = tf.reduce_sum(y * y) + tf.add_n(tf.get_collection("regularization_losses")) + frozen[0]
    train = tf.train.AdamOptimizer(0.1).minimize(loss)
    tf.add_to_collection("train_op", train)
    for value in (1, 2.5, "text", b"\xff", True, None):
        tf.add_to_collection("settings", value)
    return {"x": x, "y": y, "train": train}


AGAIN = """
import sys, numpy as np, thalweg as tf
folder = sys.argv[1]
saver = tf.train.import_meta_graph(f"{folder}/model-2.meta")
data = np.load(f"{folder}/data.npy")
with tf.Session() as session:
    saver.restore(session, f"{folder}/model-2")
    found = []
    for _ in range(2):
        session.run(tf.get_collection("train_op")[0], {"x:0": data})
        found.append(session.run("y:0", {"x:0": data}))
np.save(f"{folder}/found.npy", found)
"""


def test_another_process_goes_on_to_the_bit(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        made = net()
        saver = tf.train.Saver()
        for _ in range(2):
            session.run(made["train"], {made["x"]: IMAGES})
        saver.save(session, tmp_path / "model", 2)
        expected = []
        for _ in range(2):
            session.run(made["train"], {made["x"]: IMAGES})
            expected.append(session.run(made["y"], {made["x"]: IMAGES}))
    np.save(tmp_path / "data.npy", IMAGES)
    subprocess.run([sys.executable, "-c", AGAIN, str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), expected)


def imported(data: bytes, **kwargs: Any) -> tuple[tf.Graph, Any]:
    with tf.Graph().as_default() as graph:
        return graph, tf.train.import_meta_graph(tf.MetaGraphDef.FromString(data), **kwargs)


def test_what_a_graph_has_comes_back() -> None:
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(5)
        net()
        data = tf.train.export_meta_graph().SerializeToString()
        further = tf.random_normal([])
    again, saver = imported(data)
    for key in ("variables", "trainable_variables", "regularization_losses", "train_op"):
        before, after = graph.get_collection(key), again.get_collection(key)
        assert [item.name for item in after] == [item.name for item in before]
        assert [type(item) for item in after] == [type(item) for item in before]
    assert again.get_collection("settings") == [1, 2.5, "text", b"\xff", True, None]
    trainable = again.get_collection("trainable_variables")
    assert trainable[0] is again.get_collection("variables")[0]
    assert not next(v for v in again.get_collection("variables") if v.name == "frozen:0").trainable
    assert len(saver.as_saver_def().fields) > 0
    with again.as_default():
        assert tf.random_normal([]).op.record == further.op.record
        assert tf.train.export_meta_graph().SerializeToString() != data  # it has one more
    copy, _ = imported(data)
    with copy.as_default():
        assert tf.train.export_meta_graph().SerializeToString() == data
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            assert session.run("frozen:0") == [1]


def test_the_saver_comes_back_with_its_settings_and_names(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable(3.0, name="v")
        tf.Variable(4.0, name="other")
        saver = tf.train.Saver({"renamed": v}, max_to_keep=2)
        path = saver.save(session, tmp_path / "model")
        assert saver.export_meta_graph().saver_def == saver.export_meta_graph().saver_def
    with tf.Graph().as_default(), tf.Session() as session:
        again = tf.train.import_meta_graph(f"{path}.meta")
        assert again is not None
        assert again.as_saver_def().max_to_keep == 2
        again.restore(session, path)
        assert session.run(["v:0", "other:0"]) == [3, 4]
        assert tf.train.list_variables(path) == [("renamed", [])]


def test_a_graph_with_a_python_function_is_saved_without_its_graph(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.py_func(lambda: 1.0, [], tf.float32)
        tf.Variable(1.0)
        with pytest.warns(UserWarning, match="the graph is not saved beside the values"):
            path = tf.train.Saver().save(session, tmp_path / "model")
    assert not Path(f"{path}.meta").exists()
    assert tf.train.checkpoint_exists(path)


def test_what_is_no_data_is_left_out_of_collections_with_a_warning() -> None:
    with tf.Graph().as_default():
        tf.add_to_collection("things", object())
        tf.add_to_collection("things", 1)
        with pytest.warns(UserWarning, match="1 elements of the collection 'things' are no data"):
            meta = tf.train.export_meta_graph()
    assert meta.collection_def == {"things": [1]}


def test_import_in_a_scope_and_without_devices() -> None:
    with tf.Graph().as_default():
        with tf.device("/cpu:0"):
            x = tf.placeholder(tf.float32, [], name="x")
            tf.while_loop(lambda n: n < 3, lambda n: n + x, [0.0], name="loop")
            tf.add_to_collection("mine", tf.Variable(2.0, name="v"))
        data = tf.train.export_meta_graph().SerializeToString()
    graph, saver = imported(data, import_scope="in", clear_devices=True)
    (v,) = graph.get_collection("mine")
    assert (v.name, v.op.record.name, v.op.device) == ("in/v:0", "in/v", "")
    assert saver is not None
    assert b"device" not in graph.as_graph_def().SerializeToString()
    with graph.as_default(), tf.Session() as session:
        assert session.run(v) == 2


def test_a_scope_is_exported_and_gets_other_inputs() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [2], name="a/x")
        with tf.variable_scope("layer"):
            tf.multiply(x, tf.get_variable("v", initializer=3.0), name="y")
        meta = tf.train.export_meta_graph(export_scope="layer")
    assert "$unbound_inputs_a_x" in {name for n in meta.graph_def.node for name in n.input}
    with tf.Graph().as_default() as graph, tf.Session() as session:
        given = {"$unbound_inputs_a_x": tf.constant([1.0, 2.0])}
        tf.train.import_meta_graph(meta, input_map=given, import_scope="new")
        assert [v.name for v in graph.get_collection("variables")] == ["new/v:0"]
        np.testing.assert_array_equal(session.run("new/y:0"), [3, 6])
    with tf.Graph().as_default(), pytest.raises(tf.errors.GraphError, match="which is not there"):
        tf.train.import_meta_graph(meta)


# -- what is refused


def changed(change: Any) -> bytes:
    with tf.Graph().as_default():
        tf.Variable(1.0, name="v")
        tf.add_to_collection("c", tf.Variable(2.0, name="w"))
        tf.placeholder(tf.float32, name="x")
        value = json.loads(tf.train.export_meta_graph().SerializeToString())
    change(value)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(version=9), "version 9"),
        (lambda v: v.pop("node"), "not an object with"),
        (lambda v: v["variable_def"][0].update(variable_name="x:0"), "not made up of"),
        (lambda v: v["variable_def"][0].update(variable_name="w:0"), "not made up of"),
        (lambda v: v["variable_def"][0].update(initializer_name="x"), "not made up of"),
        (lambda v: v["variable_def"][0].update(snapshot_name="w/read:0"), "not made up of"),
        (lambda v: v["variable_def"][0].update(trainable=1), "'trainable' is a int"),
        (lambda v: v["collection_def"].update(c=[{"variable": "z:0"}]), "no element of a coll"),
        (lambda v: v["collection_def"].update(c=[{"eval": "z:0"}]), "no element of a coll"),
        (lambda v: v["collection_def"].update(c=[{"tensor": "z:0"}]), "has no 'z:0'"),
        (lambda v: v["collection_def"].update(c=1), "a collection is a list"),
        (lambda v: v["random_def"].update(seed="x"), "'seed' is a str"),
    ],
)
def test_damaged_meta_graphs_are_refused(change: Any, message: str) -> None:
    with pytest.raises(tf.errors.ThalwegError, match=message):
        imported(changed(change))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.NotFoundError, match="there is no file"):
        tf.train.import_meta_graph(tmp_path / "no.meta")
    (tmp_path / "pb.meta").write_bytes(b"\x0a\x05hello")
    with pytest.raises(tf.errors.UnimplementedError, match=r"pb\.meta.*protocol buffer"):
        tf.train.import_meta_graph(tmp_path / "pb.meta")
