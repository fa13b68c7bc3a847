"""What blocks of a graph cost, against counts by hand; and that times add up."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import FeedError, InvalidArgumentError
from thalweg.inspect.attribution import Role
from thalweg.tutorial import NETWORKS, Network

PARAMETERS = {
    "conv1": 5 * 5 * 32 + 32,
    "conv2": 5 * 5 * 32 * 64 + 64,
    "dense1": 7 * 7 * 64 * 1024 + 1024,
    "dense2": 1024 * 10 + 10,
}
# Of an image: outputs times what each sums up.
PRODUCTS = {
    "conv1": 28 * 28 * 32 * 25,
    "conv2": 14 * 14 * 64 * 25 * 32,
    "dense1": 1024 * 7 * 7 * 64,
    "dense2": 10 * 1024,
}


@pytest.fixture(scope="module")
def cnn() -> Network:
    with tf.Graph().as_default():
        return NETWORKS["cnn"].build(100, False)


def shapes(network: Network, batch: int) -> dict[Any, list[int]]:
    return {network.images: [batch, 784], network.labels: [batch, 10]}


def test_the_tutorials_network_costs_what_one_counts_by_hand(cnn: Network) -> None:
    profile = tf.profile(cnn.loss, feed_shapes=shapes(cnn, 3))
    for name, parameters in PARAMETERS.items():
        block = profile.block(name)
        assert block.parameters == parameters
        assert block.multiplications == 3 * PRODUCTS[name]
    assert profile.parameters == sum(PARAMETERS.values()) == 3_274_634
    bias_relu_pool = 3 * 28 * 28 * 32 * (1 + 1) + 3 * 14 * 14 * 32 * 4
    assert profile.block("conv1").flops == 3 * 2 * PRODUCTS["conv1"] + bias_relu_pool
    assert profile.op("conv1/add").output_bytes == 4 * 3 * 28 * 28 * 32
    assert profile.seconds == 0
    assert not profile.traces


def test_gradients_and_updates_belong_to_forward_blocks(cnn: Network) -> None:
    profile = tf.profile(cnn.train, feed_shapes=shapes(cnn, 2))
    dense = profile.block("dense1")
    assert dense.parameters == PARAMETERS["dense1"]
    assert dense.of(Role.FORWARD).multiplications == 2 * PRODUCTS["dense1"]
    assert dense.of(Role.BACKWARD).multiplications == 4 * PRODUCTS["dense1"]
    # Six for each parameter, the square included, and the learning rate's correction.
    assert dense.of(Role.UPDATE).multiplications == 6 * PARAMETERS["dense1"] + 2
    assert {block.name for block in profile.blocks} >= PARAMETERS.keys()
    assert not any(block.name.startswith("gradients/conv") for block in profile.blocks)
    assert profile.flops == sum(op.flops for op in profile.ops)


def test_times_are_those_of_the_runs(cnn: Network) -> None:
    data = np.random.default_rng(0).random((4, 784), np.float32), np.eye(10, dtype=np.float32)[:4]
    with tf.Session(graph=cnn.graph) as session:
        profile = tf.profile(cnn.train, cnn.feeds(*data, 0.5), session, steps=4)
        step = next(v for v in cnn.graph.get_collection("variables") if v.op.name == "step")
        assert session.run(step) == 5
    assert len(profile.traces) == 2
    assert profile.total.seconds + profile.seconds_outside == pytest.approx(profile.seconds)
    assert 0 < profile.total.seconds <= profile.seconds
    parts = [profile.total.of(role).seconds for role in Role]
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(profile.total.seconds)
    assert profile.total.of_peak > 0
    assert profile.block("conv2").seconds > profile.block("dense2").seconds


def test_text(cnn: Network) -> None:
    text = str(tf.profile(cnn.loss, feed_shapes=shapes(cnn, 1)))
    title, _, head, *rows = text.splitlines()
    assert title == f"{cnn.loss.name}: 3,274,634 parameters, 13.9 M multiplications, 27.9 MFLOP"
    assert head.split() == ["block", "parameters", "multiplications", "FLOP", "bytes", "outputs"]
    assert rows[0].split()[:4] == ["conv1", "832", "627", "k"]
    assert rows[-1].startswith("all")
    with tf.Session(graph=cnn.graph) as session:
        feeds = cnn.feeds(np.ones((2, 784)), np.ones((2, 10)), 1.0)
        measured = tf.profile(cnn.train, feeds, session, steps=1).text(depth=2, width=70)
    lines = measured.splitlines()
    assert max(map(len, lines)) <= 70
    assert any(line.startswith("run ") and "100.0 %" in line for line in lines)
    assert any(line.startswith("outside of kernels") for line in lines)


def test_table_in_colour(cnn: Network) -> None:
    from rich.console import Console

    def shown(profile: tf.Profile) -> str:
        console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        console.print(profile.table())
        console.file.close()
        return console.export_text()

    static = shown(tf.profile(cnn.loss, feed_shapes=shapes(cnn, 1)))
    assert "conv1" in static
    assert "3,274,634" in static
    with tf.Session(graph=cnn.graph) as session:
        feeds = cnn.feeds(np.ones((2, 784)), np.ones((2, 10)), 1.0)
        assert "backward" in shown(tf.profile(cnn.train, feeds, session, steps=1))


def test_without_rich_the_table_says_what_to_install(
    cnn: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "thalweg.inspect.profile_table", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    profile = tf.profile(cnn.loss, feed_shapes=shapes(cnn, 1))
    assert "conv1" in str(profile)
    with pytest.raises(ImportError, match=r"pip install thalweg\[profile\]"):
        profile.table()


def test_files(cnn: Network, tmp_path: Path) -> None:
    with tf.Session(graph=cnn.graph) as session:
        feeds = cnn.feeds(np.ones((2, 784)), np.ones((2, 10)), 1.0)
        profile = tf.profile(cnn.train, feeds, session, steps=2)
    whole = json.loads(profile.to_json())
    assert sum(op["seconds"] for op in whole["ops"]) == pytest.approx(profile.total.seconds)
    assert {op["role"] for op in whole["ops"]} == {"forward", "backward", "update"}
    profile.to_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    runs = [event for event in events if event["name"] == "run"]
    assert len(runs) == 1
    calls = [event for event in events if event["ph"] == "X" and event["tid"]]
    assert len(calls) > 20
    for event in calls:
        assert runs[0]["ts"] <= event["ts"] + 1
        assert event["ts"] + event["dur"] <= runs[0]["ts"] + runs[0]["dur"] + 1
    (device,) = profile.to_run_metadata().step_stats.dev_stats
    assert "conv1/Conv2D" in {node.node_name for node in device.node_stats}


def test_what_was_not_run_has_no_trace(cnn: Network, tmp_path: Path) -> None:
    profile = tf.profile(cnn.loss, feed_shapes=shapes(cnn, 1))
    with pytest.raises(InvalidArgumentError, match="nothing was run"):
        profile.to_chrome_trace(str(tmp_path / "trace.json"))
    with pytest.raises(InvalidArgumentError, match="nothing was run"):
        profile.to_run_metadata()


def test_a_shape_that_is_not_known_is_an_error_with_a_line() -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with pytest.raises(FeedError, match=r"'x:0' is \(\?, 3\).*feed_shapes\n.*test_profile.py"):
        tf.profile(x * 2)
    size = tf.placeholder(tf.int32, [2], name="size")
    with pytest.raises(FeedError, match="'size:0' decides about shapes"):
        tf.profile(tf.exp(tf.zeros(size)))
    assert tf.profile(tf.exp(tf.zeros(size)), {size: [3, 4]}).flops == 12


def test_a_whole_graph() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [5, 3], name="x")
        tf.matmul(x, tf.Variable(tf.ones([3, 2]), name="W"))
        tf.Variable(tf.ones([7]), name="unused")
    profile = tf.profile(graph)
    assert profile.parameters == 6 + 7
    assert profile.op("MatMul").multiplications == 30


def test_loops_count_each_iteration() -> None:
    x = tf.placeholder(tf.float32, [4, 10, 8], name="x")
    with tf.variable_scope("layer"):
        outputs, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.BasicLSTMCell(16), x, dtype=tf.float32)
    profile = tf.profile(tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(outputs)))
    cell = profile.block("layer/rnn/basic_lstm_cell")
    assert cell.parameters == (8 + 16) * 64 + 64
    product = profile.op("layer/rnn/basic_lstm_cell/MatMul")
    assert product.multiplications == 10 * 4 * (8 + 16) * 64
    gates = 10 * 4 * 16 * 3
    assert cell.of(Role.FORWARD).multiplications == product.multiplications + gates
    assert cell.of(Role.BACKWARD).multiplications >= 2 * product.multiplications


def test_stages_without_a_run_and_with_one() -> None:
    x = tf.placeholder(tf.float32, [6], name="x")
    with tf.name_scope("host"):
        y = tf.py_func(lambda a: a + 1, [tf.exp(x)], tf.float32, name="python")
    y.set_shape([6])
    z = tf.sqrt(y, name="root")
    static = tf.profile(z)
    assert static.op("host/Exp").flops == 6
    assert not static.op("host/python").is_counted
    with tf.Session() as session:
        profile = tf.profile(z, {x: np.ones(6)}, session, steps=2)
    assert profile.op("host/python").seconds > 0
    assert profile.op("root").seconds > 0
    assert profile.op("host/python").output_bytes == 24


def test_the_reference_backend() -> None:
    x = tf.Variable(tf.ones([50, 50]), name="x")
    with tf.Session(config=tf.ConfigProto(backend="reference")) as session:
        profile = tf.profile(tf.matmul(x, x), session=session, steps=2)
    assert profile.op("MatMul").seconds > 0
    assert profile.op("MatMul").multiplications == 50**3


def test_googlenet_costs_what_is_published() -> None:
    from examples.googlenet import googlenet

    images = tf.placeholder(tf.float32, [None, 224, 224, 3], name="images")
    profile = tf.profile(googlenet(images), feed_shapes={images: [1, 224, 224, 3]})
    assert profile.parameters == 6_998_552
    assert profile.block("inception_3a").parameters == 163_696
    # Table 1 of Szegedy and others (2015) has 128 M for 3a and 304 M for 3b.
    assert round(profile.block("inception_3a").multiplications / 1e6) == 128
    assert round(profile.block("inception_3b").multiplications / 1e6) == 304
