"""The picture of a run, as TensorFlow 1 writes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import thalweg as tf
from thalweg.python.client import timeline


def _metadata() -> tf.RunMetadata:
    x = tf.placeholder(tf.float32, [None, 100], name="x")
    y = tf.matmul(x, tf.Variable(tf.ones([100, 100])), name="product")
    z = tf.reduce_sum(tf.exp(y, name="exp"), name="sum")
    metadata = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    with tf.Session() as session:
        session.run(z, {x: np.zeros((200, 100))}, options=options, run_metadata=metadata)
    return metadata


def test_operations_with_arrows_and_memory() -> None:
    made = timeline.Timeline(_metadata().step_stats)
    events = json.loads(made.generate_chrome_trace_format(show_memory=True))["traceEvents"]
    calls = {e["args"]["name"]: e for e in events if e["ph"] == "X"}
    product = calls["product"]
    assert product["name"] == product["args"]["op"] == "MatMul"
    assert product["args"]["input0"] == "x"
    assert product["dur"] >= 1
    assert product["ts"] <= calls["exp"]["ts"]
    starts = {e["id"]: e for e in events if e["ph"] == "s"}
    ends = {e["id"]: e for e in events if e["ph"] == "t"}
    assert starts.keys() == ends.keys()
    assert "product" in {e["name"] for e in starts.values()}
    counted = [e["args"]["cpu"] for e in events if e["ph"] == "C"]
    assert max(counted) >= 4 * 200 * 100
    assert min(counted) >= 0
    assert counted[-1] == 0
    (process,) = [e for e in events if e["ph"] == "M"]
    assert process["args"]["name"] == "/job:localhost/replica:0/task:0/device:CPU:0 Compute"


def test_lanes_do_not_overlap() -> None:
    text = timeline.Timeline(_metadata().step_stats).generate_chrome_trace_format(False)
    events = [e for e in json.loads(text)["traceEvents"] if e["ph"] == "X"]
    ends: dict[int, int] = {}
    for event in sorted(events, key=lambda e: e["ts"]):
        assert event["ts"] >= ends.get(event["tid"], 0)
        ends[event["tid"]] = event["ts"] + event["dur"]


def test_written_by_the_profiler(tmp_path: Path) -> None:
    builder = tf.profiler.ProfileOptionBuilder(tf.profiler.ProfileOptionBuilder.time_and_memory())
    options = builder.with_timeline_output(str(tmp_path / "timeline")).build()
    tf.profiler.profile(run_meta=_metadata(), options=options)
    assert json.loads((tmp_path / "timeline").read_text())["traceEvents"]
