"""Frozen graphs compute the same bits, without variables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import thalweg as tf
from tests.saving.test_meta_graph import IMAGES


def test_a_frozen_graph_computes_the_same_bits(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph, tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        weights = tf.Variable(tf.truncated_normal([4, 3]), name="weights")
        hidden = tf.check_numerics(tf.identity(tf.matmul(x, weights)), "hidden")
        scan = tf.scan(lambda a, row: a + tf.stop_gradient(row), hidden)
        y = tf.nn.softmax(scan, name="y")
        session.run(
            tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(y * y)), {x: IMAGES}
        )
        frozen = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["y"])
        expected = session.run(y, {x: IMAGES})
        path = tf.train.write_graph(frozen, tmp_path / "new", "frozen.json")
    slim = tf.graph_util.remove_training_nodes(frozen, ["y"])
    ops = {node.op for node in frozen.node}
    assert not ops & {"VariableV2", "ReadVariable", "Assign", "NoOp"}
    assert not {node.op for node in slim.node} & {"Identity", "CheckNumerics", "StopGradient"}
    assert len(slim.node) < len(frozen.node) < len(graph.operations)
    for graph_def in (slim, tf.GraphDef.FromString(Path(path).read_bytes())):
        with tf.Graph().as_default(), tf.Session() as session:
            (again,) = tf.import_graph_def(graph_def, return_elements=["y:0"])
            np.testing.assert_array_equal(session.run(again, {"import/x:0": IMAGES}), expected)


def test_some_variables_stay() -> None:
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.add(tf.Variable(1.0, name="a"), tf.Variable(2.0, name="b"), name="y")
        for kwargs, left in (
            ({"variable_names_whitelist": ["a"]}, ["b"]),
            ({"variable_names_blacklist": ["a"]}, ["a"]),
        ):
            made = tf.graph_util.convert_variables_to_constants(
                session, graph.as_graph_def(), ["y"], **kwargs
            )
            assert [node.name for node in made.node if node.op == "VariableV2"] == left


def test_what_cannot_be_frozen() -> None:
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.Variable(1.0, name="v").assign_add(1.0, name="add")
        graph_def = graph.as_graph_def()
        with pytest.raises(tf.errors.GraphError, match="needs the variable 'v' itself"):
            tf.graph_util.convert_variables_to_constants(session, graph_def, ["add"])
        with pytest.raises(tf.errors.GraphError, match="'z' is not in the graph"):
            tf.graph_util.extract_sub_graph(graph_def, ["z"])
        with pytest.raises(TypeError, match="a list of names"):
            tf.graph_util.extract_sub_graph(graph_def, "v")


def test_nodes_that_others_wait_for_stay() -> None:
    with tf.Graph().as_default() as graph:
        checked = tf.identity(tf.constant(1.0), name="waited_for")
        with tf.control_dependencies([checked]):
            tf.square(tf.identity(tf.constant(2.0), name="passed_by"), name="y")
    made = tf.graph_util.remove_training_nodes(graph.as_graph_def())
    names = [node.name for node in made.node]
    assert "waited_for" in names
    assert len(made.node) == len(graph.operations)  # all of them wait, or are waited for
