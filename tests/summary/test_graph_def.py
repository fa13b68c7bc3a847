"""Graphs as TensorBoard draws them."""

from __future__ import annotations

from typing import Any

import numpy as np

import thalweg as tf
from thalweg.protos.graphs import GraphDef, NodeDef
from thalweg.summary.graph_def import graph_def


def nodes() -> dict[str, NodeDef]:
    made = graph_def(tf.get_default_graph())
    names = [node.name for node in made.node]
    assert len(names) == len(set(names))
    return {node.name: node for node in made.node}


def inputs_exist(found: dict[str, NodeDef]) -> None:
    for node in found.values():
        for text in node.input:
            assert text.removeprefix("^").partition(":")[0] in found


def shapes(node: NodeDef) -> list[list[int]]:
    return [[dim.size for dim in s.dim] for s in node.attr["_output_shapes"].list.shape]


def test_inputs_shapes_and_control_inputs() -> None:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    values, places = tf.unique(tf.reshape(x, [-1]), name="unique")
    with tf.control_dependencies([tf.no_op("before")]):
        tf.cast(places, tf.float32, name="after")
    found = nodes()
    inputs_exist(found)
    assert found["after"].input == ["unique:1", "^before"]
    assert shapes(found["x"]) == [[-1, 4]]
    assert shapes(found["unique"]) == [[-1], [-1]]
    assert found["x"].attr["dtype"].type == 1
    assert values.op.name in found


def test_large_constants_are_not_written() -> None:
    tf.constant(np.arange(1000, dtype=np.float32), name="large")
    tf.constant([1.0, 2.0], name="small")
    tf.constant("text", name="text")
    found = nodes()
    assert "value" not in found["large"].attr
    assert tf.make_ndarray(found["small"].attr["value"].tensor).tolist() == [1, 2]
    assert graph_def(tf.get_default_graph()).ByteSize() < 1000


def test_the_body_of_a_loop_is_a_scope() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.Variable(tf.ones([3]), name="w")
    total = tf.scan(lambda h, row: tf.tanh(h * w + row, name="tanh"), x, tf.zeros([3], name="h"))
    tf.identity(total, name="total")
    found = nodes()
    inputs_exist(found)
    assert found["scan"].op == "Loop"
    assert "scan/tanh" in found["scan"].input
    assert found["total"].input == ["scan:1"]
    outside = {
        text for name, node in found.items() if name.startswith("scan/") for text in node.input
    }
    assert {"x", "h"} <= outside  # what goes into the loop goes to its body


def test_branches_are_two_scopes() -> None:
    x = tf.placeholder(tf.float32, [], name="x")
    tf.cond(x > 0, lambda: tf.square(x, name="f"), lambda: tf.abs(x, name="f"), name="choice")
    found = nodes()
    inputs_exist(found)
    assert found["choice"].input == ["Greater", "choice/then/f", "choice/otherwise/f"]
    assert found["choice/then/f"].op == "Square"


def test_gradients_of_loops_and_nested_loops() -> None:
    def outer(h: Any, row: Any) -> Any:
        return h + tf.foldl(lambda a, b: a * b, row)

    x = tf.placeholder(tf.float32, [None, 3], name="x")
    tf.gradients(tf.foldl(outer, x, tf.constant(0.0)), x)
    inputs_exist(nodes())


def test_the_bytes_are_a_graph_to_others() -> None:
    tf.matmul(tf.placeholder(tf.float32, [2, 3]), tf.ones([3, 4]), transpose_b=False, name="y")
    data = graph_def(tf.get_default_graph()).SerializeToString()
    assert GraphDef.FromString(data).versions.producer == 27
