"""Gathers and their adjoint, beyond the records' samples: threads, fusion, bad indices."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.ops.running import Array
from thalweg.backends.native.shared import shared_jit

BACKENDS = ("numpy", "llvm")


def session(backend: str = "llvm", threads: int = 0) -> tf.Session:
    return tf.Session(config=tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads))


def summed_at(rows: int, indices: Array, values: Array) -> Array:
    """Row r is the sum of the values whose index is r, in float64."""
    result = np.zeros((rows, *values.shape[indices.ndim :]))
    np.add.at(result, indices, values)
    return result


@pytest.mark.parametrize("shape", [(300, 7), (50, 640), (5000, 48), (40,)])
def test_many_rows_and_repeated_indices(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=shape).astype(np.float32)
    indices = rng.integers(0, shape[0], (6, 211))
    factor = rng.normal(size=(6, 211, *shape[1:])).astype(np.float32)
    with tf.Graph().as_default():
        x, at = tf.placeholder(tf.float32, shape), tf.placeholder(tf.int64, [None, 211])
        y = tf.gather(x, at)
        gradient = tf.convert_to_tensor(tf.gradients(tf.reduce_sum(y * factor), [x])[0])
        results = []
        for threads in (1, 2, 3):
            with session(threads=threads) as s:
                results.append(s.run([y, gradient], {x: table, at: indices}))
    np.testing.assert_array_equal(results[0][0], table[indices])
    # An element is a sum of some 30 terms of the size of 1, in float32.
    wanted = summed_at(shape[0], indices, factor.astype(np.float64))
    np.testing.assert_allclose(results[0][1], wanted, rtol=1e-5, atol=1e-4)
    for other in results[1:]:
        np.testing.assert_array_equal(other[0], results[0][0])
        np.testing.assert_array_equal(other[1], results[0][1])


@pytest.mark.parametrize("half", [tf.float16, tf.bfloat16])
def test_half_precision_sums_are_rounded_once(half: tf.DType) -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(half, [2, 3])
        y = tf.gather(x, np.zeros(5000, np.int32))
        slices = tf.gradients(tf.reduce_sum(tf.cast(y, tf.float32)), [x])[0]
        gradient = tf.convert_to_tensor(slices)
        with session() as s:
            value = s.run(gradient, {x: np.ones((2, 3), half.numpy)})
    # Counted in half precision itself, the sum would stop at 2048 or 256.
    count = float(half.numpy.type(5000))
    np.testing.assert_array_equal(value.astype(np.float64), [[count] * 3, [0.0] * 3])


@pytest.mark.parametrize("backend", BACKENDS)
def test_gathers_fuse_with_their_neighbours(backend: str) -> None:
    rng = np.random.default_rng(1)
    table, more = rng.normal(size=(9, 20)), rng.normal(size=(4, 20))
    indices, order = rng.integers(0, 9, 6), np.array([3, 3, 0, 9, 5])
    with tf.Graph().as_default():
        x, z = tf.placeholder(tf.float64, [9, 20]), tf.placeholder(tf.float64, [None, 20])
        at = tf.placeholder(tf.int32, [None])
        rows = tf.concat([tf.gather(x, (at + 1) % 9), z * 2.0, tf.gather(x, at)], 0)
        again = tf.gather(rows, order)  # positions read through positions that are read
        product = tf.matmul(tf.gather(x, at), tf.gather(z, [0, 2]), transpose_b=True)
        total = tf.reduce_sum(again * again) + tf.reduce_sum(product)
        by_x, by_z = tf.gradients(total, [x, z])  # of z, not all is gathered
        with session(backend) as s:
            fetches = [rows, again, product, tf.convert_to_tensor(by_x), by_z]
            values = s.run(fetches, {x: table, z: more, at: indices})
    wanted = np.concatenate([table[(indices + 1) % 9], more * 2, table[indices]])
    chosen = more[[0, 2]]
    by_rows = summed_at(len(wanted), order, 2 * wanted[order])
    by_x = summed_at(9, (indices + 1) % 9, by_rows[:6]) + summed_at(9, indices, by_rows[10:])
    by_x += summed_at(9, indices, np.tile(chosen.sum(0), (6, 1)))
    by_z = 2 * by_rows[6:10]
    by_z[[0, 2]] += table[indices].sum(0)
    every = [wanted, wanted[order], table[indices] @ chosen.T, by_x, by_z]
    for value, expected in zip(values, every, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("what", ["value", "gradient"])
@pytest.mark.parametrize(
    ("indices", "problem"),
    [
        ([0, 1, 2, 12], r"indices\[3\] = 12 is not in \[0, 10\)"),
        ([0, -1, 2, 12], r"indices\[1\] = -1 is not in \[0, 10\)"),
        ([[0, 1], [10, -1]], r"indices\[1,0\] = 10 is not in \[0, 10\)"),
        (2**40, r"indices = 1099511627776 is not in \[0, 10\)"),
    ],
)
def test_bad_indices_are_named(backend: str, what: str, indices: Any, problem: str) -> None:
    with tf.Graph().as_default():
        at = tf.placeholder(tf.int64, np.shape(indices))
        x = tf.placeholder(tf.float32, [10, 3])
        y = tf.gather(x, at, name="pick")
        slices = tf.gradients(tf.reduce_sum(y * 2.0), [x])[0]
        fetch = y if what == "value" else y[..., 0] + tf.reduce_sum(tf.convert_to_tensor(slices))
        feeds = {x: np.ones((10, 3)), at: np.zeros(np.shape(indices), np.int64)}
        with session(backend) as s:
            before = s.run(fetch, feeds)
            with pytest.raises(tf.errors.InvalidArgumentError, match=problem) as caught:
                s.run(fetch, {**feeds, at: indices})
            np.testing.assert_array_equal(s.run(fetch, feeds), before)
    message = str(caught.value)
    assert "pick" in message
    assert "test_gather.py" in message


@pytest.mark.parametrize("backend", BACKENDS)
def test_constant_indices_are_checked_too(backend: str) -> None:
    with tf.Graph().as_default(), session(backend) as s:
        y = tf.gather(tf.constant([1.0, 2.0]), [1, 2], name="pick")
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"pick.*\n?.*indices\[1\] = 2"):
            s.run(y)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_that_fails_leaves_the_variables_as_they_were(threads: int) -> None:
    first = np.ones((20_000, 64), np.float32)  # large enough that threads share the work
    with tf.Graph().as_default(), session(threads=threads) as s:
        at = tf.placeholder(tf.int32, [None])
        table, scale = tf.Variable(first), tf.Variable(np.ones(64, np.float32))
        loss = tf.reduce_sum(tf.square(tf.gather(table, at) * scale))
        step = tf.train.AdamOptimizer(0.1).minimize(loss)
        s.run(step, {at: [1, 2, 3]})
        variables = tf.global_variables()
        before = s.run(variables)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1\] = 20000"):
            s.run(step, {at: [1, 20_000, 3]})
        for value, expected in zip(s.run(variables), before, strict=True):
            np.testing.assert_array_equal(value, expected)
        s.run(step, {at: [1, 2, 3]})
        assert (s.run(table)[1] != before[0][1]).any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_of_several_checks_one_that_fails_is_named(backend: str) -> None:
    with tf.Graph().as_default(), session(backend) as s:
        at, x = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.float32, [4, 2])
        wide = tf.placeholder(tf.float32, [6, 2])
        total = tf.gather(x, at, name="small") + tf.gather(wide, at, name="large")
        feeds = {x: np.ones((4, 2)), wide: np.ones((6, 2))}
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"small.*= 5 is not in \[0, 4\)"):
            s.run(total, {**feeds, at: [3, 5]})
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 6 is not in \[0, "):
            s.run(total, {**feeds, at: [3, 6]})
        assert s.run(total, {**feeds, at: []}).shape == (0, 2)
        np.testing.assert_array_equal(s.run(total, {**feeds, at: [3]}), [[2, 2]])


@pytest.fixture
def last_page() -> Iterator[int]:
    """The end of a page behind which no memory may be read."""
    libc, page = ctypes.CDLL(None), mmap.PAGESIZE
    pages = mmap.mmap(-1, 2 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    protect = getattr(libc, "mprotect", None)
    if protect is None:
        pytest.skip("no mprotect here")
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    assert protect(start + page, page, 0) == 0
    yield start + page
    assert protect(start + page, page, mmap.PROT_READ | mmap.PROT_WRITE) == 0


@pytest.mark.parametrize("columns", [3, 64])
def test_indices_are_not_read_where_there_are_none(last_page: int, columns: int) -> None:
    """Concatenation and padding ask for a gather's rows only where it has some."""
    indices = np.ctypeslib.as_array((ctypes.c_int32 * 7).from_address(last_page - 28))
    indices[:] = [4, 0, 1, 2, 2, 3, 4]
    rng = np.random.default_rng(3)
    table, more = rng.normal(size=(5, columns)), rng.normal(size=(3000, columns))
    with tf.Graph().as_default(), session() as s:
        x, z = tf.placeholder(tf.float64, table.shape), tf.placeholder(tf.float64, more.shape)
        at = tf.placeholder(tf.int32, [7])
        rows = tf.gather(x, at)
        joined = tf.concat([rows, z, rows], 0) * 2.0
        padded = tf.pad(rows, [[2000, 2000], [1, 1]]) + 1.0
        values = s.run([joined, padded], {x: table, z: more, at: indices})
    picked = table[indices]
    np.testing.assert_array_equal(values[0], np.concatenate([picked, more, picked]) * 2)
    np.testing.assert_array_equal(values[1], np.pad(picked, [(2000, 2000), (1, 1)]) + 1)


def test_only_what_is_gathered_counts_as_moved() -> None:
    with tf.Graph().as_default(), session():
        at, x = tf.placeholder(tf.int32, [5]), tf.placeholder(tf.float32, [1000, 100])
        kernels = tf.explain(tf.gather(x, at), {at: range(5), x: np.ones((1000, 100))}).kernels
    assert kernels[-1].bytes == 5 * 4 + 2 * 5 * 100 * 4


def test_a_new_number_of_indices_compiles_nothing() -> None:
    with tf.Graph().as_default(), session() as s:
        at, x = tf.placeholder(tf.int32, [None]), tf.placeholder(tf.float32, [40, 24])
        y = tf.gather(x, at)
        gradient = tf.convert_to_tensor(tf.gradients(tf.reduce_sum(y * y), [x])[0])
        before = 0
        for count in (10, 23):
            before = shared_jit().stats.compiled + shared_jit().stats.from_disk
            value = s.run(gradient, {x: np.ones((40, 24)), at: np.arange(count)})
            assert value.sum() == 2 * count * 24
        assert shared_jit().stats.compiled + shared_jit().stats.from_disk == before
