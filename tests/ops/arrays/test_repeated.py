"""Sums of the slices that belong to one row."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.ops.arrays.repeated import SumRepeated
from thalweg.ops.build import emit

BACKENDS = ("numpy", "llvm")


def session(backend: str = "llvm", threads: int = 0) -> tf.Session:
    return tf.Session(config=tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.float16, tf.bfloat16, tf.int32])
@pytest.mark.parametrize("count", [1, 7, 600, 3000])
def test_each_slice_gets_the_sum_of_its_row(count: int, dtype: tf.DType, backend: str) -> None:
    rng = np.random.default_rng(count)
    values = (rng.normal(size=(count, 5)) * 9).astype(dtype.numpy)
    indices = rng.integers(0, 40, count)
    with tf.Graph().as_default(), session(backend) as s:
        x, at = tf.placeholder(dtype, [None, 5]), tf.placeholder(tf.int64, [None])
        found = s.run(emit(SumRepeated(40), x, at), {x: values, at: indices})
    sums = np.zeros((40, 5))
    np.add.at(sums, indices, values.astype(np.float64))
    # A row has up to a hundred terms of the size of 9, added up in single precision at least.
    near: Any = {"rtol": float(np.finfo(np.float32).eps) * 8, "atol": 1e-4}
    if dtype.is_floating and dtype.size == 2:
        near["rtol"] = 2.0**-8 if dtype == tf.bfloat16 else 2.0**-11
    np.testing.assert_allclose(found.astype(np.float64), sums[indices], **near)


def test_the_same_bits_over_any_number_of_threads() -> None:
    rng = np.random.default_rng(1)
    values, indices = rng.normal(size=(4000, 70)), rng.integers(0, 900, 4000)
    with tf.Graph().as_default():
        summed = emit(SumRepeated(900), tf.constant(values, tf.float32), tf.constant(indices))
        doubled = summed + tf.placeholder(tf.float32, [])  # so that it is not folded
        feeds = {doubled.op.inputs[1].op.inputs[0]: 0.0}
        found = []
        for threads in (1, 2, 3):
            with session(threads=threads) as s:
                found.append(s.run(doubled, feeds))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_rows_that_no_index_names_are_not_touched() -> None:
    """A table of 2**31 - 1 rows would take 8 GB, if more than a few were touched."""
    with tf.Graph().as_default(), session() as s:
        x, at = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.int32, [None])
        summed = emit(SumRepeated(200_000_000), x, at)
        feeds = {x: np.ones((4, 2)), at: [0, 199_999_999, 5, 199_999_999]}
        s.run(summed, feeds)
        start = time.perf_counter()
        found = s.run(summed, feeds)
        assert time.perf_counter() - start < 0.05  # to walk through 800 MB takes longer
    assert found[:, 0].tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_bad_indices_are_named(backend: str) -> None:
    with tf.Graph().as_default(), session(backend) as s:
        at = tf.placeholder(tf.int32, [None])
        summed = emit(SumRepeated(3), tf.ones([2, 2]), at)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1\] = 3 is not in"):
            s.run(summed, {at: [0, 3]})
