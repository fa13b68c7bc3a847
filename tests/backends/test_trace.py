"""What a traced run says of the time that it took."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.trace import RunTrace, Unit, shared_out
from thalweg.passes.costs import OpCost

FULL = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)


def traced(session: tf.Session, fetches: Any, feeds: Any = None) -> tuple[Any, RunTrace]:
    metadata = tf.RunMetadata()
    value = session.run(fetches, feeds, options=FULL, run_metadata=metadata)
    assert metadata.trace is not None
    return value, metadata.trace


def check_times(trace: RunTrace) -> None:
    """Whatever ran, ran within the run, and no moment counts twice."""
    assert trace.start <= trace.stop
    assert sum(unit.seconds for unit in trace.units) <= trace.seconds * (1 + 1e-6) + 1e-6
    for unit in trace.units:
        assert unit.calls > 0
        assert 0 <= unit.seconds <= unit.busy + 1e-11 * unit.calls  # seconds since the start
    for span in trace.spans():
        assert trace.start - 1e-6 <= span.start <= span.stop <= trace.stop + 1e-6
        assert 0 <= span.thread < trace.threads


def _ops(kernel: Any) -> tuple[str, ...]:
    pairs = zip(kernel.ops, kernel.types, strict=True)
    return tuple(name for name, kind in pairs if kind)


def test_moments_are_shared_by_all_that_are_busy() -> None:
    start, stop = np.array([0.0, 1.0, 5.0, 6.0]), np.array([4.0, 3.0, 6.0, 6.0])
    np.testing.assert_allclose(shared_out(start, stop), [3.0, 1.0, 1.0, 0.0])


def test_a_kernel_is_shared_by_its_operations_by_their_arithmetic() -> None:
    costs = {
        name: OpCost(name, "", flops, 0, moved, ())
        for name, flops, moved in [("a", 30, 8), ("b", 10, 8), ("c", 0, 80), ("d", 0, 20)]
    }
    units = [
        Unit(("a", "b", "c", "unknown"), flops=40),
        Unit((), bytes=5),
        Unit(("c", "d"), bytes=100),
        Unit(("x", "y")),
    ]
    parts = [found for _, found in RunTrace(units=units, costs=costs).parts()]
    assert parts[0] == {"a": 0.75, "b": 0.25, "c": 0.0}
    assert parts[1] == parts[2] == pytest.approx({"c": 0.8, "d": 0.2})
    assert parts[3] == {"x": 0.5, "y": 0.5}
    assert next(RunTrace(units=[Unit(())]).parts())[1] == {}


def test_an_operation_of_several_kernels_is_divided_among_them() -> None:
    costs = {name: OpCost(name, "", flops, 0, 0, ()) for name, flops in [("a", 100), ("b", 10)]}
    units = [Unit(("a",), flops=90), Unit(("a", "b"), flops=10)]
    (_, first), (_, last) = RunTrace(units=units, costs=costs).parts()
    assert first == {"a": 1.0}
    assert last == {"a": 0.5, "b": 0.5}


def test_notes_add_up_and_only_some_spans_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.backends.trace.MOST_SPANS", 3)
    trace, units = RunTrace(), [Unit(("a",)), Unit(("b",))]
    numbers, threads = np.array([0, 1]), np.array([0, 2])
    for n in range(2):
        trace.note(units, numbers, threads, np.array([n, n + 0.5]), np.array([n + 0.5, n + 1.0]))
    assert [(unit.seconds, unit.calls, unit.first) for unit in units] == [(1, 2, 0), (1, 2, 0.5)]
    assert units[1].thread == 2
    assert trace.threads == 3
    assert len(list(trace.spans())) == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_every_kernel_of_a_program_is_timed(threads: int) -> None:
    x = tf.placeholder(tf.float32, [None, 300], name="x")
    W = tf.Variable(tf.random_normal([300, 200]), name="W")
    loss = tf.reduce_sum(tf.square(tf.tanh(tf.matmul(x, W))))
    train = tf.train.GradientDescentOptimizer(1e-3).minimize(loss)
    feeds = {x: np.ones((500, 300), np.float32)}
    with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=threads)) as session:
        kernels = tf.explain(train, feeds).kernels
        session.run(train, feeds)
        for _ in range(3):
            _, trace = traced(session, train, feeds)
            check_times(trace)
            assert [unit.ops for unit in trace.units] == [_ops(kernel) for kernel in kernels]
            for unit, kernel in zip(trace.units, kernels, strict=True):
                assert unit.flops == pytest.approx(kernel.flops)
                assert unit.bytes == pytest.approx(kernel.bytes)


def test_a_traced_run_computes_what_another_does() -> None:
    values = []
    for options in (None, FULL):
        tf.reset_default_graph()
        tf.set_random_seed(1)
        v = tf.Variable(tf.random_normal([50]), name="v")
        step = tf.assign_add(v, tf.random_uniform([50]))
        with tf.Session() as session:
            metadata = tf.RunMetadata()
            values.append([session.run(step, None, options, metadata) for _ in range(3)])
    np.testing.assert_array_equal(values[0], values[1])


def test_loops_count_their_iterations() -> None:
    n = tf.placeholder(tf.int32, [], name="n")
    a = tf.constant(np.eye(20, dtype=np.float32) / 2, name="a")

    def body(i: Any, x: Any) -> Any:
        return i + 1, tf.matmul(x, a, name="product")

    _, y = tf.while_loop(lambda i, x: i < n, body, [0, tf.ones([20, 20])])
    with tf.Session() as session:
        for count in (3, 40_000):
            value, trace = traced(session, y, {n: count})
            check_times(trace)
            assert value.max() == np.float32(0.5) ** count
            (product,) = [u for u in trace.units if any("product" in name for name in u.ops)]
            assert product.calls == count
            assert product.flops == pytest.approx(2 * 20**3 * count)


def test_branches_that_are_not_taken_take_no_time() -> None:
    p = tf.placeholder(tf.bool, [], name="p")
    x = tf.Variable(tf.ones([40, 40]), name="x")
    y = tf.cond(p, lambda: tf.matmul(x, x, name="then"), lambda: tf.exp(x, name="other"))
    with tf.Session() as session:
        for taken in (True, False):
            _, trace = traced(session, y, {p: taken})
            check_times(trace)
            ran = {name.rpartition("/")[2] for unit in trace.units for name in unit.ops}
            assert ("then" in ran) is taken
            assert ("other" in ran) is not taken


def test_depth_first_tiles_are_timed_kernel_by_kernel() -> None:
    x = tf.placeholder(tf.float32, [None, 28, 28, 1], name="x")
    W = tf.Variable(tf.random_normal([5, 5, 1, 8]), name="W")
    V = tf.Variable(tf.random_normal([5, 5, 8, 8]), name="V")
    convolved = tf.nn.relu(tf.nn.conv2d(x, W, [1] * 4, "SAME"))
    y = tf.nn.max_pool(convolved, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    z = tf.reduce_sum(tf.nn.relu(tf.nn.conv2d(y, V, [1] * 4, "SAME")))
    feeds = {x: np.random.default_rng(0).random((30, 28, 28, 1), np.float32)}
    with tf.Session() as session:
        session.run(z, feeds)
        kernels = tf.explain(z, feeds).kernels
        assert any(("n", 30) in kernel.loops for kernel in kernels), "nothing is tiled"
        _, trace = traced(session, z, feeds)
        check_times(trace)
        assert sum(u.flops for u in trace.units) == pytest.approx(sum(k.flops for k in kernels))


def test_stages_are_timed_operation_by_operation() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.py_func(np.sort, [tf.exp(x)], tf.float32, name="sorted")
    y.set_shape([None])
    with tf.Session() as session:
        _, trace = traced(session, tf.reduce_sum(y * 2), {x: np.ones(1000, np.float32)})
    check_times(trace)
    labels = {unit.ops: unit.label for unit in trace.units}
    assert "in Python" in labels["sorted",]
    assert trace.costs["sorted"].output_bytes == 4000
    assert {"Exp", "mul"} <= {name for unit in trace.units for name in unit.ops}


def test_the_reference_backend_is_timed_operation_by_operation() -> None:
    x = tf.Variable(tf.ones([100, 100]), name="x")
    with tf.Session(config=tf.ConfigProto(backend="reference")) as session:
        _, trace = traced(session, tf.matmul(x, x))
    check_times(trace)
    assert ("MatMul",) in [unit.ops for unit in trace.units]


def test_a_run_that_fails_leaves_no_times_and_the_next_one_does() -> None:
    i = tf.placeholder(tf.int32, [1], name="i")
    y = tf.gather(tf.Variable(tf.ones([5, 3])), i)
    with tf.Session() as session:
        with pytest.raises(tf.errors.InvalidArgumentError):
            traced(session, y, {i: [7]})
        _, trace = traced(session, y, {i: [2]})
    check_times(trace)


def test_step_stats_have_the_times_and_memory_of_operations() -> None:
    x = tf.placeholder(tf.float32, [None, 30], name="x")
    y = tf.nn.relu(tf.matmul(x, tf.Variable(tf.ones([30, 20]))), name="y")
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        session.run(y, {x: np.ones((10, 30))}, FULL, metadata)
    assert metadata.trace is not None
    (device,) = metadata.step_stats.dev_stats
    assert device.device == "/job:localhost/replica:0/task:0/device:CPU:0"
    nodes = {node.node_name: node for node in device.node_stats}
    product = nodes["MatMul"]
    (output,) = product.output
    assert output.tensor_description.shape == (10, 20)
    assert output.tensor_description.dtype is tf.float32
    assert product.memory[0].total_bytes == 800
    assert product.timeline_label == "MatMul = MatMul(x, Variable/read)"
    total = sum(node.all_end_rel_nanos for node in device.node_stats)
    assert total == pytest.approx(1e9 * sum(u.seconds for u in metadata.trace.units), abs=100)
    assert "y" in nodes


def test_without_a_trace_level_nothing_is_written() -> None:
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        session.run(tf.constant(1) + 1, options=tf.RunOptions(), run_metadata=metadata)
    assert metadata.trace is None
    assert metadata.step_stats.dev_stats == []


def test_a_loop_whose_end_a_value_tells_may_collect() -> None:
    limit = tf.placeholder(tf.float32, [], name="limit")
    x = tf.Variable(1.5, name="x")

    def body(i: Any, value: Any, kept: Any) -> Any:
        return i + 1, value * x, kept.write(i, value)

    start = [tf.constant(0), x * 1.0, tf.TensorArray(tf.float32, 0, dynamic_size=True)]
    _, _, kept = tf.while_loop(lambda i, value, kept: value < limit, body, start)
    with tf.Session() as session:
        for end in (3.0, 1e30):
            expected = session.run(kept.stack(), {limit: end})
            value, trace = traced(session, kept.stack(), {limit: end})
            np.testing.assert_array_equal(value, expected)
            check_times(trace)
            assert len(value) == np.ceil(np.log(end) / np.log(1.5)) - 1


def test_outputs_that_nothing_takes_are_left_out() -> None:
    x = tf.Variable(tf.ones([6, 4]), name="x")
    _, second, _ = tf.split(x, 3, name="parts")
    metadata = tf.RunMetadata()
    with tf.Session() as session:
        session.run(second * 2, None, FULL, metadata)
    nodes = metadata.step_stats.dev_stats[0].node_stats
    found = [node for node in nodes if node.node_name.startswith("parts")]
    outputs = [o.tensor_description.shape for node in found for o in node.output]
    assert outputs.count((2, 4)) <= 1


def test_threads_may_trace_one_session() -> None:
    import threading

    x = tf.placeholder(tf.float32, [None, 100], name="x")
    y = tf.reduce_sum(tf.tanh(tf.matmul(x, tf.Variable(tf.ones([100, 100])))))
    traces: list[RunTrace] = []
    with tf.Session() as session:
        session.run(y, {x: np.ones((50, 100))})

        def work() -> None:
            traces.extend(traced(session, y, {x: np.ones((50, 100))})[1] for _ in range(10))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(traces) == 30
    for trace in traces:
        check_times(trace)
        assert trace.units
