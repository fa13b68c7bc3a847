"""Graphs as text."""

from __future__ import annotations

import numpy as np

import thalweg as tf
from thalweg.graph.printer import show_graph


def test_operations_stand_in_order_with_inputs_and_specs() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with tf.name_scope("layer"):
        W = tf.Variable(tf.constant(0.5, shape=[3, 2]), name="W")
        tf.reduce_sum(tf.matmul(x, W), 1)
    assert str(tf.get_default_graph()) == (
        "graph of 7 operations\n"
        "  %x = Placeholder : float32[?, 3]\n"
        "  %layer/Const = Const(all 0.5) : float32[3, 2]\n"
        "  %layer/W = VariableV2 : float32[3, 2]\n"
        "  %layer/W/Assign = Assign(%layer/W, %layer/Const) : float32[3, 2]\n"
        "  %layer/W/read = ReadVariable(%layer/W) : float32[3, 2]\n"
        "  %layer/MatMul = MatMul(%x, %layer/W/read) : float32[?, 2]\n"
        "  %layer/Sum = Sum(axes=[1])(%layer/MatMul) : float32[?]"
    )


def test_bodies_stand_below_the_operation_that_holds_them() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    p = tf.placeholder(tf.bool, [], name="p")
    tf.foldl(lambda a, e: a + e, x, 0.0, name="total")
    tf.cond(p, lambda: x, lambda: -x, name="sign")
    assert str(tf.get_default_graph()).splitlines()[3:] == [
        "  %total/Const = Const(0) : float32[]",
        "  %total = Loop(condition=None, carried=1, sequences=1)(%total/Const, %x) : float32[]",
        "    body(%total/arg_0, %total/arg_1) -> %total/add:",
        "      %total/add = Add(%total/arg_0, %total/arg_1) : float32[]",
        "  %sign = Cond(%p, %x) : float32[?]",
        "    then(%x) -> %x:",
        "    otherwise(%x) -> %sign/Neg:",
        "      %sign/Neg = Neg(%x) : float32[?]",
    ]


def _lines() -> list[str]:
    return [line.strip() for line in str(tf.get_default_graph()).splitlines()[1:]]


def test_constants_are_abbreviated() -> None:
    tf.constant([1.5, -2.0], name="few")
    tf.constant(np.arange(1000), name="many")
    tf.constant([7] * 9, name="equal")
    tf.constant([True, False], name="truth")
    assert _lines() == [
        "%few = Const([1.5, -2]) : float32[2]",
        "%many = Const([0, 1, 2, 3, ... 1,000 elements]) : int64[1000]",
        "%equal = Const(all 7) : int32[9]",
        "%truth = Const([True, False]) : bool[2]",
    ]


def test_control_inputs_slices_and_several_outputs() -> None:
    x = tf.placeholder(tf.float32, [None, 4, 4, 1], name="x")
    first = tf.no_op(name="first")
    with tf.control_dependencies([first]):
        tf.identity(x, name="then")
    pooled = tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME", name="pool")
    pooled[0, :, 1:2]
    assert _lines()[1:] == [
        "%first = NoOp",
        "%then = Identity(%x) : float32[?, 4, 4, 1] after %first",
        "%pool = MaxPool(size=[2, 2], strides=[2, 2])(%x) : float32[?, 2, 2, 1], int32[?, 2, 2, 1]",
        "%strided_slice = StridedSlice([0, :, 1:2])(%pool:0) : float32[2, 1, 1]",
    ]


def test_text_is_the_same_whatever_the_random_seed() -> None:
    texts = set()
    for _ in range(2):
        with tf.Graph().as_default() as graph:
            tf.random_normal([2])
            texts.add(str(graph))
    assert len(texts) == 1


def test_sources_are_shown_on_demand() -> None:
    tf.no_op()
    shown = show_graph(tf.get_default_graph(), sources=True)
    assert "# test_printer.py:" in shown
    assert "tf.no_op()" in shown


def test_empty_graph_and_repr() -> None:
    graph = tf.Graph()
    assert str(graph) == "graph of 0 operations"
    assert repr(graph) == "<tf.Graph with 0 operations>"
