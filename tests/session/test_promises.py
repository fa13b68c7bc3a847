"""What users are promised: same bits, flat memory, prompt interruption, no needless compiling."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.native.shared import shared_jit
from thalweg.backends.native.thread_count import ThreadCountTuner

Array = np.ndarray[Any, Any]


def small_network() -> tuple[tf.Tensor, tf.Tensor, tf.Operation, tf.Tensor]:
    """A convolution, pooling, a dense layer with dropout, softmax, the talk's loss, Adam."""
    x = tf.placeholder(tf.float32, [None, 12, 12, 3])
    labels = tf.placeholder(tf.float32, [None, 10])
    filters = tf.Variable(tf.truncated_normal([5, 5, 3, 20], stddev=0.1))
    hidden = tf.nn.relu(tf.nn.conv2d(x, filters, [1, 1, 1, 1], "SAME"))
    pooled = tf.nn.max_pool(hidden, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    flat = tf.reshape(pooled, [-1, 6 * 6 * 20])
    weights = tf.Variable(tf.truncated_normal([6 * 6 * 20, 10], stddev=0.1))
    y = tf.nn.softmax(tf.matmul(tf.nn.dropout(flat, 0.5), weights))
    loss = -tf.reduce_sum(labels * tf.log(y))
    return x, labels, tf.train.AdamOptimizer(1e-3).minimize(loss), loss


def batch(size: int = 17) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(size, 12, 12, 3)).astype(np.float32)
    return images, np.eye(10, dtype=np.float32)[rng.integers(0, 10, size)]


def train(threads: int) -> list[Array]:
    """Losses and final weights of a few steps."""
    with tf.Graph().as_default():
        tf.set_random_seed(7)
        x, labels, step, loss = small_network()
        images, targets = batch()
        config = tf.ConfigProto(intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as session:
            feed = {x: images, labels: targets}
            losses = [session.run([loss, step], feed)[0] for _ in range(5)]
            return [np.array(losses), *session.run(tf.global_variables())]


def test_same_seed_same_bits_for_any_number_of_threads_and_every_run() -> None:
    reference = train(1)
    for threads in (1, 2, 3):
        for mine, other in zip(reference, train(threads), strict=True):
            np.testing.assert_array_equal(mine, other)


def test_same_bits_on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever numbers of threads are tried, and whoever loses the CPU."""
    reference = train(1)
    rng, chosen = random.Random(0), set()

    def choose(tuner: ThreadCountTuner) -> int:
        chosen.add(threads := rng.choice(tuner._options))
        return threads

    monkeypatch.setattr(ThreadCountTuner, "choose", choose)
    spin = [sys.executable, "-S", "-c", "while True: pass"]
    spinners = [subprocess.Popen(spin) for _ in range(2)]
    try:
        for threads in (2, 3, 8):
            for mine, other in zip(reference, train(threads), strict=True):
                np.testing.assert_array_equal(mine, other)
        assert max(chosen) > 1
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def test_a_new_batch_size_compiles_nothing() -> None:
    x, labels, step, _ = small_network()
    with tf.Session() as session:
        before = 0
        for size in (20, 33):
            images, targets = batch(size)
            before = shared_jit().stats.compiled + shared_jit().stats.from_disk
            session.run(step, {x: images, labels: targets})
        after = shared_jit().stats.compiled + shared_jit().stats.from_disk
        assert after == before
        assert "new shape of" in session.why_recompiled[-1]
        assert "[20, 12, 12, 3] -> [33, 12, 12, 3]" in session.why_recompiled[-1]


def recurrent_network() -> tuple[tf.Tensor, tf.Tensor, tf.Operation, tf.Tensor]:
    """An unrolled cell whose state starts with zeros of the batch's size."""
    x = tf.placeholder(tf.float32, [None, 12, 12, 3])
    labels = tf.placeholder(tf.float32, [None, 10])
    state = tf.zeros(tf.stack([tf.shape(x)[0], 16]))
    cell = tf.Variable(tf.truncated_normal([36 + 16, 16], stddev=0.1))
    for row in tf.unstack(tf.reshape(x, [-1, 12, 36]), axis=1):
        state = tf.tanh(tf.matmul(tf.concat([row, state], 1), cell))
    logits = tf.matmul(state, tf.Variable(tf.truncated_normal([16, 10], stddev=0.1)))
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    return x, labels, tf.train.AdamOptimizer(1e-3).minimize(loss), loss


def attentive_network() -> tuple[tf.Tensor, tf.Tensor, tf.Operation, tf.Tensor]:
    """Attention over rows, of which there may be any number as well."""
    x = tf.placeholder(tf.float32, [None, None, 12, 3])
    labels = tf.placeholder(tf.float32, [None, 10])
    rows = tf.shape(x)[1]
    flat = tf.reshape(x, [-1, 36])
    q, k, v = (
        tf.reshape(
            tf.matmul(flat, tf.Variable(tf.truncated_normal([36, 16], stddev=0.1))), [-1, rows, 16]
        )
        for _ in range(3)
    )
    scores = tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(rows, tf.float32))
    mixed = tf.reduce_mean(tf.matmul(tf.nn.softmax(scores), v), 1)
    logits = tf.matmul(mixed, tf.Variable(tf.truncated_normal([16, 10], stddev=0.1)))
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    return x, labels, tf.train.GradientDescentOptimizer(0.5).minimize(loss), loss


@pytest.mark.parametrize("network", [small_network, recurrent_network, attentive_network])
def test_a_plan_that_holds_for_another_batch_gives_the_same_bits(network: Any) -> None:
    results: dict[str, list[Array]] = {"replayed": [], "planned": []}
    for way, sizes in (("replayed", (20, 33, 7)), ("planned", (7,))):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(7)
            x, labels, step, loss = network()
            for size in sizes:
                images, targets = batch(size)
                session._executor.runs = 0  # random numbers go by it
                session.run(tf.global_variables_initializer())
                loss_now, _ = session.run([loss, step], {x: images, labels: targets})
                results[way] = [loss_now, *session.run(tf.global_variables())]
            told = [line for line in session.why_recompiled if "new shape" in line]
            assert all(line.endswith("(the plan holds)") for line in told)
            assert len(told) == len(sizes) - 1
    for replayed, planned in zip(results["replayed"], results["planned"], strict=True):
        np.testing.assert_array_equal(replayed, planned)


def test_another_seed_compiles_nothing() -> None:
    """Without a seed each process has another one; what it compiled must serve the next."""
    drawn, before = [], 0
    for seed in (3, 2**40 + 5):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(seed)
            x = tf.random_normal([5, 11])
            before = shared_jit().stats.compiled + shared_jit().stats.from_disk
            drawn.append(session.run(x))
    assert shared_jit().stats.compiled + shared_jit().stats.from_disk == before
    assert not np.array_equal(*drawn)


def test_the_loss_of_the_talk_never_is_nan() -> None:
    """softmax underflows to 0 where logits differ by hundreds; log must not see that 0."""
    logits = tf.Variable(np.array([[500.0, -500.0, 0.0], [-1e4, 1e4, 3.0]], np.float32))
    labels = np.array([[0, 1, 0], [1, 0, 0]], np.float32)
    loss = -tf.reduce_sum(labels * tf.log(tf.nn.softmax(logits)))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    with tf.Session() as session:
        assert session.run(loss) == pytest.approx(1000.0 + 20000.0)
        session.run(step)
        expected = [[499.5, -499.5, 0.0], [-1e4 + 0.5, 1e4 - 0.5, 3.0]]
        np.testing.assert_allclose(session.run(logits), expected, rtol=1e-6)


def resident() -> int:
    """Bytes of memory in use by this process."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_is_flat_over_ten_thousand_steps() -> None:
    x = tf.placeholder(tf.float32, [None, 64])
    weights = tf.Variable(tf.random_normal([64, 32], stddev=0.1))
    loss = tf.reduce_mean(tf.square(tf.matmul(x, weights) - 1.0))
    step = tf.train.MomentumOptimizer(0.01, 0.9).minimize(loss)
    data = np.ones((32, 64), np.float32)
    with tf.Session() as session:
        for _ in range(1000):
            session.run([step, loss], {x: data})
        before = resident()
        for _ in range(10_000):
            session.run([step, loss], {x: data})
        # A leak of a single fetched array a step would be 40 bytes x 10,000; arrays of a kilobyte
        # would be 10 MB. The allocator itself may move by a few pages.
        assert resident() - before < 1 << 20


def test_a_closed_session_gives_its_memory_back() -> None:
    variable = tf.Variable(tf.zeros([1000, 1000]))
    session = tf.Session()
    session.run(variable)
    import weakref

    buffer = session._store.get(variable.op.name)
    alive = weakref.ref(buffer)
    del buffer
    session.close()
    assert alive() is None
    with pytest.raises(RuntimeError, match="closed"):
        session.run(variable)


INTERRUPTED = """
import signal, sys, threading, os, time
import numpy as np, thalweg as tf
x = tf.placeholder(tf.float32, [None, 300])
w = tf.Variable(tf.zeros([300, 300]))
step = w.assign_add(tf.matmul(x, x, transpose_a=True))
data = np.ones((1000, 300), np.float32)
with tf.Session() as session:
    session.run(step, {x: data})
    print("ready", flush=True)
    count = 1
    try:
        while True:
            session.run(step, {x: data})
            count += 1
    except KeyboardInterrupt:
        pass
    value = session.run(w)
    assert (value == value[0, 0]).all(), "an interrupted step left a half-written variable"
    session.run(step, {x: data})
    assert session.run(w)[0, 0] == value[0, 0] + 1000
    print("usable", flush=True)
"""


def test_ctrl_c_stops_at_once_and_leaves_the_session_usable() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
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


def test_several_threads_may_run_one_session() -> None:
    counter = tf.Variable(0)
    up = counter.assign_add(1)
    with tf.Session() as session:
        session.run(counter)

        def work() -> None:
            for _ in range(200):
                session.run(up)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.run(counter) == 800


def test_the_graph_may_grow_while_the_session_lives() -> None:
    a = tf.placeholder(tf.float32)
    with tf.Session() as session:
        assert session.run(a + 1, {a: 1.0}) == 2.0
        assert session.run(a * 3, {a: 2.0}) == 6.0
