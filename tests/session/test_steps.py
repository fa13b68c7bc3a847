"""Loops of steps: equal to single runs bit for bit, every row once an epoch, and interruptible."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.session.batches import Batches

Array = np.ndarray[Any, Any]

ROWS, SIZE = 70, 16  # 16 does not divide 70: batches straddle epochs

CONFIGURATIONS = [("numpy", 1), ("llvm", 1), ("llvm", 2), ("llvm", 3)]


@pytest.fixture(params=CONFIGURATIONS, ids=lambda c: f"{c[0]}-{c[1]}")
def session(request: pytest.FixtureRequest) -> Iterator[tf.Session]:
    backend, threads = request.param
    config = tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads)
    tf.set_random_seed(11)
    with tf.Session(config=config) as opened:
        yield opened


def data() -> tuple[Array, Array]:
    """Images as float32, and labels as int64."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 8, 12)).astype(np.float32), rng.integers(0, 5, ROWS)


class Network:
    """A dense layer with dropout and a head, trained by Adam."""

    def __init__(self) -> None:
        self.x = tf.placeholder(tf.float32, [None, 8, 12], name="x")
        self.labels = tf.placeholder(tf.int64, [None], name="labels")
        self.keep = tf.placeholder(tf.float32, [], name="keep")
        flat = tf.reshape(self.x, [-1, 96])
        hidden = tf.nn.relu(tf.matmul(flat, weights([96, 64])))
        logits = tf.matmul(tf.nn.dropout(hidden, self.keep), weights([64, 5]))
        targets = tf.one_hot(self.labels, 5)
        self.loss = -tf.reduce_sum(targets * tf.log(tf.nn.softmax(logits)))
        self.train = tf.train.AdamOptimizer(1e-2).minimize(self.loss)


def weights(shape: list[int]) -> tf.Variable:
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1))


def state(session: tf.Session) -> list[Array]:
    return list(session.run(tf.global_variables()))


def assert_same(mine: Any, other: Any) -> None:
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_loop_is_its_steps_made_one_by_one(session: tf.Session, shuffle: bool) -> None:
    net = Network()
    images, labels = data()
    _, losses, x, y = session.run_steps(
        [net.train, net.loss, net.x, net.labels],
        13,
        {net.keep: 0.5},
        batches={net.x: images, net.labels: labels},
        batch_size=SIZE,
        shuffle=shuffle,
    )
    assert (losses.shape, x.shape, y.shape) == ((13,), (13, SIZE, 8, 12), (13, SIZE))
    assert (losses.dtype, x.dtype, y.dtype) == (np.float32, np.float32, np.int64)
    with tf.Session(config=session._config) as single:
        for step in range(13):
            feeds = {net.x: x[step], net.labels: y[step], net.keep: 0.5}
            assert single.run([net.train, net.loss], feeds)[1] == losses[step]
        assert_same(state(session), state(single))


def test_the_number_of_threads_changes_no_bit() -> None:
    net = Network()
    images, labels = data()
    tf.get_default_graph().seed = 3

    def train(threads: int) -> list[Array]:
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as session:
            losses = session.run_steps(
                net.loss,
                3,
                {net.keep: 0.5},
                batches={net.x: images, net.labels: labels},
                batch_size=SIZE,
            )
            session.run_steps(
                net.train,
                25,
                {net.keep: 0.5},
                batches={net.x: images, net.labels: labels},
                batch_size=SIZE,
            )
            return [losses, *state(session)]

    reference = train(1)
    for threads in (1, 2, 3):
        assert_same(train(threads), reference)


def order(session: tf.Session, steps: int, size: int = SIZE, **how: Any) -> Array:
    """The rows that the steps of a loop take."""
    x = tf.placeholder(tf.int64, [None])
    fetched = session.run_steps(
        [x, x * 1], steps, batches={x: np.arange(ROWS)}, batch_size=size, **how
    )
    np.testing.assert_array_equal(fetched[0], fetched[1])
    return np.asarray(fetched[1])


@pytest.mark.parametrize("size", [1, SIZE, ROWS, 3 * ROWS + 1])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_epoch_takes_each_row_once(session: tf.Session, size: int, shuffle: bool) -> None:
    steps = -(-3 * ROWS // size)
    rows = order(session, steps, size, shuffle=shuffle).reshape(-1)
    epochs = rows[: 3 * ROWS].reshape(3, ROWS)
    np.testing.assert_array_equal(np.sort(epochs, 1), np.tile(np.arange(ROWS), (3, 1)))
    if shuffle:
        assert not np.array_equal(epochs[0], epochs[1])
    else:
        np.testing.assert_array_equal(rows, np.arange(rows.size) % ROWS)


def test_order_follows_from_the_seeds(session: tf.Session) -> None:
    first, second = order(session, 5), order(session, 5)
    assert not np.array_equal(first, second)
    with tf.Session(config=session._config) as again:
        np.testing.assert_array_equal(order(again, 5), first)
        np.testing.assert_array_equal(order(again, 5), second)
    with tf.Session(config=session._config) as other:
        mine = order(other, 5, seed=5)
        assert not np.array_equal(mine, first)
    with tf.Session(config=session._config) as other:
        np.testing.assert_array_equal(order(other, 5, seed=5), mine)
    tf.get_default_graph().seed = None
    assert not np.array_equal(order(session, 5), order(session, 5))


def test_shuffling_is_uniform() -> None:
    """Where row 0 of 6 comes in 6,000 epochs: each place 1,000 times, give or take."""
    x = tf.placeholder(tf.int64, [None])
    with tf.Session(config=tf.ConfigProto(backend="numpy")) as session:
        rows = session.run_steps(x, 6000, batches={x: np.arange(6)}, batch_size=6, seed=1)
    counts = np.bincount(np.argmin(rows, 1), minlength=6)
    # The deviation of a count is sqrt(6000 * 1/6 * 5/6) = 29; five of them.
    assert abs(counts - 1000).max() < 145


def test_only_the_steps_that_report_compute_what_is_fetched(session: tf.Session) -> None:
    n = tf.Variable(0)
    up = n.assign_add(1)
    noise = tf.random_normal([4])
    seen: list[Any] = []
    _, reports = session.run_steps(
        (up.op, noise), 10, every=4, callback=lambda *report: seen.append(report)
    )
    assert session.run(n) == 10
    assert [step for step, _ in seen] == [4, 8]
    assert all(none is None for _, (none, _) in seen)
    assert_same(reports, [values for _, (_, values) in seen])
    with tf.Session(config=session._config) as single:
        single_runs = [single.run(noise) for _ in range(10)]
    assert_same(reports, [single_runs[3], single_runs[7]])


def test_fetched_updates_happen_in_every_step(session: tf.Session) -> None:
    n = tf.Variable(0)
    assert session.run_steps(n.assign_add(1), 10, every=5).tolist() == [5, 10]
    assert session.run(n) == 10


def test_structures_shapes_and_loops_of_nothing(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    y, op = x + 1, tf.no_op()
    feeds = {x: np.zeros((2, 3))}
    got = session.run_steps({"y": [y, op], "x": x}, 2, feeds)
    assert got["y"][1] is None
    np.testing.assert_array_equal(got["y"][0], np.ones((2, 2, 3)))
    np.testing.assert_array_equal(got["x"], np.zeros((2, 2, 3)))
    assert session.run_steps(y, 0, feeds).shape == (0, 2, 3)
    assert session.run_steps(y, 3, feeds, every=4).shape == (0, 2, 3)
    assert session.run_steps(op, 1000) is None
    assert session.run_steps(tf.constant(2.0), 3).tolist() == [2, 2, 2]


def test_no_steps_leave_no_trace(session: tf.Session) -> None:
    w = tf.Variable(3.0)
    assert session.run_steps(w.assign(5.0), 0).shape == (0,)
    assert session.run(w) == 3


def test_the_number_of_runs_goes_on(session: tf.Session) -> None:
    noise = tf.random_uniform([])
    mixed = [session.run(noise), *session.run_steps(noise, 3), session.run(noise)]
    with tf.Session(config=session._config) as single:
        assert mixed == [single.run(noise) for _ in range(5)]


def test_a_callback_may_run_the_session_and_its_errors_end_the_loop(session: tf.Session) -> None:
    n = tf.Variable(0)
    seen = []

    def look(step: int, values: Any) -> None:
        seen.append((step, int(session.run(n))))
        if step == 6:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        session.run_steps(n.assign_add(1).op, 100, every=2, callback=look)
    assert seen == [(2, 2), (4, 4), (6, 6)]
    assert session.run(n) == 6


@pytest.mark.parametrize("every", [1, 3, 100])
@pytest.mark.parametrize("good", [0, 1, 7])
def test_a_step_that_fails_leaves_those_before_it(
    session: tf.Session, good: int, every: int
) -> None:
    """The same as single runs up to the first that fails, to the numbers drawn afterwards."""
    count = tf.Variable(0)
    counted = count.assign_add(1).op  # does not depend on the indices, but is of the same step
    at = tf.placeholder(tf.int32, [None], name="at")
    table = tf.Variable(tf.random_normal([50, 2000]))
    noisy = tf.gather(table, at, name="pick") + tf.random_normal([SIZE, 2000])
    loss = tf.reduce_sum(tf.square(noisy))
    train = tf.group(tf.train.AdamOptimizer(0.1).minimize(loss), counted)
    rows = np.random.default_rng(0).integers(0, 50, (12, SIZE))
    rows[good, 3], rows[good + 1, 5] = 50, -1
    batches = {at: rows.reshape(-1)}
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        session.run_steps(
            [train, loss], 12, batches=batches, batch_size=SIZE, shuffle=False, every=every
        )
    message = r"pick' \(GatherV2\) failed: indices\[3\] = 50 is not in \[0, 50\)"
    assert re.search(message, str(caught.value))
    assert "test_steps.py" in str(caught.value)
    with tf.Session(config=session._config) as single:
        for step in range(good):
            single.run(train, {at: rows[step]})
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            single.run([train, loss], {at: rows[good]})
        assert session._executor.runs == single._executor.runs == good
        assert_same(state(session), state(single))
        assert session.run(count) == single.run(count) == good
        _, losses = session.run_steps(
            [train, loss], 2, batches={at: rows[-2:].reshape(-1)}, batch_size=SIZE, shuffle=False
        )
        assert losses.tolist() == [single.run([train, loss], {at: r})[1] for r in rows[-2:]]
        assert_same(state(session), state(single))


def test_what_a_loop_wrote_before_it_failed_is_kept(session: tf.Session) -> None:
    """Also by steps of a plan that has never come to its end, which reads no variable."""
    at, value = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.float32, [None])
    written = tf.Variable([0.0])
    step = tf.group(written.assign(tf.gather(value, at)))
    batches = {at: np.array([0, 0, 0, 1]), value: np.array([1.0, 2.0, 3.0, 4.0])}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 1 is not in \[0, 1\)"):
        session.run_steps(step, 4, batches=batches, batch_size=1, shuffle=False)
    assert session.run(written).tolist() == [3.0]


def test_values_given_to_a_callback_are_its_own(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [2])

    def spoil(step: int, values: Any) -> None:
        values[:] = -1

    got = session.run_steps(x * 2, 2, {x: [1, 2]}, callback=spoil)
    assert got.tolist() == [[2, 4], [2, 4]]


CONVERSIONS = [
    ("uint8", tf.float32),
    ("int8", tf.float64),
    ("uint16", tf.float32),
    ("int16", tf.int64),
    ("uint8", tf.int16),
    ("int64", tf.float64),
    ("float16", tf.float32),
    ("float32", tf.float64),
    ("bool", tf.float32),
    (">f4", tf.float32),
    ("float64", tf.float32),
    ("float64", tf.int32),
]


@pytest.mark.parametrize(("source", "target"), CONVERSIONS)
@pytest.mark.parametrize("shuffle", [True, False])
def test_arrays_of_other_types(
    session: tf.Session, source: str, target: Any, shuffle: bool
) -> None:
    """As `run` converts them; 37 elements are two vectors of 16 and a rest."""
    x, rows = tf.placeholder(target, [None, 37]), tf.placeholder(tf.int64, [None])
    numbers = np.random.default_rng(0).integers(-(2**15), 2**15, (10, 37))
    array = numbers.astype(source)
    fetched, computed, order = session.run_steps(
        [x, x + x, rows],
        4,
        batches={x: array, rows: np.arange(10)},
        batch_size=4,
        shuffle=shuffle,
    )
    want = array[order].astype(target.numpy)
    np.testing.assert_array_equal(fetched, want)
    np.testing.assert_array_equal(computed, want + want)
    assert fetched.dtype == computed.dtype == want.dtype


def test_one_loop_after_the_other_with_other_types(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    numbers = np.arange(30).reshape(10, 3)
    for dtype in ("uint8", "float32", "int16", "uint8"):
        batches = {x: numbers.astype(dtype)}
        got = session.run_steps(x * 2, 2, batches=batches, batch_size=5, shuffle=False)
        np.testing.assert_array_equal(got.reshape(10, 3), numbers * 2)


def test_rows_need_not_be_contiguous(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    array = np.arange(30, dtype=np.float32).reshape(3, 10).T
    got = session.run_steps(x * 2, 2, batches={x: array}, batch_size=5, shuffle=False)
    np.testing.assert_array_equal(got.reshape(10, 3), array * 2)


MISUSES: list[tuple[dict[str, Any], str]] = [
    ({"x": np.zeros((4, 3)), "y": np.zeros(5)}, "'x' has 4, 'y' has 5"),
    ({"x": np.zeros((0, 3))}, r"'x' \(float32 \[\?, 3\]\) is empty: its shape is \[0, 3\]"),
    ({"y": np.float32(1)}, "has no rows: it is a scalar"),
    ({"x": np.zeros((4, 2))}, r"the feed for the placeholder 'x' .* has the shape \[2, 2\]"),
    ({"fixed": np.zeros(4)}, r"the feed for the placeholder 'fixed' .* has the shape \[2\]"),
    ({"x": [["a", "b", "c"]]}, "no numbers"),
    ({"w": np.zeros((4, 3))}, "'w:0' is a variable and cannot be fed"),
    ({"z": np.zeros((4, 3))}, "'z"),
    ({"fed": np.zeros((4, 3))}, "'fed' .* is in both feed_dict and batches"),
]


@pytest.mark.parametrize(("batches", "message"), MISUSES)
def test_batches_that_do_not_fit(
    session: tf.Session, batches: dict[str, Any], message: str
) -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.placeholder(tf.float32, [None], name="y")
    fixed = tf.placeholder(tf.float32, [3], name="fixed")
    fed = tf.placeholder(tf.float32, [None, 3], name="fed")
    tf.Variable(tf.zeros([2, 3]), name="w")
    total = tf.reduce_sum(x) + tf.reduce_sum(y) + tf.reduce_sum(fixed) + tf.reduce_sum(fed)
    named = {f"{name}:0": array for name, array in batches.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        session.run_steps(total, 3, {fed: np.zeros((2, 3))}, batches=named, batch_size=2)


def test_arguments_out_of_range(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    rows = {x: np.zeros(4)}
    with pytest.raises(ValueError, match="steps must be at least 0, not -1"):
        session.run_steps(x, -1, batches=rows, batch_size=2)
    with pytest.raises(ValueError, match="every must be at least 1, not 0"):
        session.run_steps(x, 3, batches=rows, batch_size=2, every=0)
    with pytest.raises(ValueError, match="batch_size is missing"):
        session.run_steps(x, 3, batches=rows)
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        session.run_steps(x, 3, batches=rows, batch_size=0)
    with pytest.raises(ValueError, match=r"'x' .* was not fed"):
        session.run_steps(x * 2, 3)


def test_what_decides_about_shapes_cannot_come_in_batches(session: tf.Session) -> None:
    x, shape = tf.placeholder(tf.float32, [6]), tf.placeholder(tf.int32, [2], name="shape")
    y = tf.reshape(x, shape)
    batches = {shape: np.array([2, 3, 3, 2])}
    with pytest.raises(ValueError, match=r"'shape' .* decides about shapes"):
        session.run_steps(y, 2, {x: np.arange(6)}, batches=batches, batch_size=2)


def test_a_closed_session() -> None:
    session = tf.Session()
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.run_steps(tf.no_op(), 1)


INTERRUPTED = """
import sys, time
import numpy as np, thalweg as tf
x = tf.placeholder(tf.float32, [None, 300])
w = tf.Variable(tf.zeros([300, 300]))
n = tf.Variable(np.int64(0))
steps = tf.group(w.assign_add(tf.matmul(x, x, transpose_a=True)), n.assign_add(1))
data = np.ones((1000, 300), np.float32)
config = tf.ConfigProto(intra_op_parallelism_threads=int(sys.argv[1]))
with tf.Session(config=config) as session:
    session.run_steps(steps, 1, batches={x: data}, batch_size=10)
    print("ready", flush=True)
    try:
        session.run_steps(steps, 10**6, batches={x: data}, batch_size=10, every=10**6)
    except KeyboardInterrupt:
        pass
    value, count = session.run([w, n])
    assert (value == 10 * count).all(), "a step was half made"
    assert 1 < count < 10**6
    assert session._executor.runs == count + 1, "the number of runs is not that of the steps"
    session.run_steps(steps, 5, batches={x: data}, batch_size=10)
    assert session.run(n) == count + 5
    print("usable", flush=True)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_a_loop_after_a_whole_step(threads: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(threads)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=60)
    assert output == "usable\n"
    assert child.returncode == 0


def test_the_numbers_of_rows_go_on_for_a_batch() -> None:
    """Native code fetches what they say ahead, also in the last step."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 3])
    batches = Batches({x: np.zeros((10, 3), np.float32)}, 4, np.random.default_rng(1))
    for steps in (0, 1, 5):
        order = batches.take(steps)[x].order
        assert order.shape == (steps, 4)
        assert order.base is not None
        assert order.base.shape == (steps + 1, 4)
        assert order.base.ctypes.data == order.ctypes.data
        assert not order.base[-1].any()
