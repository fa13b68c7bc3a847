"""`tf.profiler`, as TensorFlow 1's programs use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError
from thalweg.profiler import GraphNode, MultiGraphNode, ProfileOptionBuilder

SILENT = {"output": "none"}


def _network() -> tuple[tf.Tensor, tf.Operation]:
    x = tf.placeholder(tf.float32, [None, 30], name="x")
    with tf.name_scope("dense"):
        W = tf.Variable(tf.zeros([30, 20]), name="W")
        b = tf.Variable(tf.zeros([20]), name="b")
        y = tf.nn.relu(tf.matmul(x, W) + b, name="y")
    tf.Variable(0, trainable=False, name="step")
    return x, y.op


def _traced(fetch: Any, feeds: Any) -> tf.RunMetadata:
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        session.run(fetch, feeds, tf.RunOptions(trace_level=3), metadata)
    return metadata


def _child(node: GraphNode, name: str) -> GraphNode:
    return next(child for child in node.children if child.name == name)


def test_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    _network()
    found = tf.profiler.profile(
        tf.get_default_graph(), options=ProfileOptionBuilder.trainable_variables_parameter()
    )
    assert found.total_parameters == 30 * 20 + 20
    assert _child(_child(found, "dense"), "dense/W").parameters == 600
    lines = capsys.readouterr().out.splitlines()
    assert "==================Model Analysis Report======================" in lines
    assert "_TFProfRoot (--/620 params)" in lines
    assert "    dense/W (600/600 params)" in lines
    assert not any("step" in line for line in lines)


def test_float_operations(capsys: pytest.CaptureFixture[str]) -> None:
    _network()
    found = tf.profiler.profile(options=ProfileOptionBuilder.float_operation())
    assert found.total_float_ops == 2 * 30 * 20 + 20 + 20
    assert "    dense/MatMul (1.20k/1.20k flops)" in capsys.readouterr().out.splitlines()


def test_a_run_has_its_own_shapes_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = _network()
    metadata = _traced(y.outputs[0], {x: np.ones((50, 30))})
    options = ProfileOptionBuilder(ProfileOptionBuilder.time_and_memory()).order_by("micros")
    found = tf.profiler.profile(run_meta=metadata, options=options.build())
    assert found.total_float_ops == 50 * (2 * 30 * 20 + 20 + 20)
    assert _child(_child(found, "dense"), "dense/MatMul").requested_bytes == 4 * 50 * 20
    assert metadata.trace is not None
    seconds = sum(unit.seconds for unit in metadata.trace.units)
    assert found.total_exec_micros == pytest.approx(seconds * 1e6, abs=3)
    assert "execution time | requested bytes" in capsys.readouterr().out


def test_groups() -> None:
    x, y = _network()
    metadata = _traced(y.outputs[0], {x: np.ones((5, 30))})
    graph = tf.get_default_graph()
    by_type = tf.profiler.profile(graph, metadata, cmd="op", options=SILENT)
    assert isinstance(by_type, MultiGraphNode)
    product = _child(by_type, "MatMul")
    assert isinstance(product, MultiGraphNode)
    assert [node.name for node in product.graph_nodes] == ["dense/MatMul"]
    by_line = tf.profiler.profile(graph, metadata, cmd="code", options=SILENT)
    (line,) = [child for child in by_line.children if "tf.matmul" in child.name]
    assert line.name.startswith("test_profiler.py:")
    assert line.total_float_ops == 5 * (2 * 30 * 20 + 20 + 20)
    by_inputs = tf.profiler.profile(graph, metadata, cmd="graph", options=SILENT)
    assert by_inputs.total_float_ops == line.total_float_ops
    below = _child(_child(_child(by_inputs, "dense/y"), "dense/add"), "dense/MatMul")
    assert below.float_ops == 5 * 2 * 30 * 20
    with pytest.raises(InvalidArgumentError, match="scope, graph, op, code"):
        tf.profiler.profile(graph, metadata, cmd="time")


def test_what_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _network()
    builder = ProfileOptionBuilder(ProfileOptionBuilder.float_operation())
    builder.with_min_float_operations(100).with_max_depth(2).select(["float_ops", "params"])
    file = tmp_path / "report.txt"
    tf.profiler.profile(options=builder.with_file_output(str(file)).build())
    assert capsys.readouterr().out == ""
    lines = file.read_text().splitlines()
    assert "node name | # float_ops | # parameters" in lines
    assert any("dense/MatMul" in line for line in lines)
    assert not any("dense/add" in line for line in lines)
    hidden = builder.with_node_names(hide_name_regexes=["dense"]).with_stdout_output().build()
    tf.profiler.profile(options=hidden)
    assert "  dense/MatMul (1.20k/1.20k flops, 0/0 params)" in capsys.readouterr().out.splitlines()


def test_profiler_keeps_steps(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = _network()
    profiler = tf.profiler.Profiler(tf.get_default_graph())
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        for step, batch in enumerate((5, 7)):
            feeds = {x: np.ones((batch, 30))}
            session.run(y.outputs[0], feeds, tf.RunOptions(trace_level=3), metadata)
            profiler.add_step(step, metadata)
    first = {**SILENT, "step": 0}
    assert profiler.profile_name_scope(first).total_float_ops == 5 * 1240
    assert profiler.profile_operations(SILENT).total_float_ops == 7 * 1240
    assert profiler.profile_graph(SILENT).total_float_ops == 7 * 1240
    assert profiler.profile_python(SILENT).total_float_ops == 7 * 1240
