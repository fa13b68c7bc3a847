"""Updates of rows of a variable in place, against NumPy's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import Array

BACKENDS = ("numpy", "llvm")
Scatter = Callable[[Array, Array, Array], None]


def _update(table: Array, indices: Array, updates: Array) -> None:
    for place in np.ndindex(indices.shape):
        table[indices[place]] = updates[place]


def _by(ufunc: Any) -> Scatter:
    def scatter(table: Array, indices: Array, updates: Array) -> None:
        for place in np.ndindex(indices.shape):
            table[indices[place]] = ufunc(table[indices[place]], updates[place])

    return scatter


SCATTERS: dict[str, Scatter] = {
    "scatter_update": _update,
    "scatter_add": _by(np.add),
    "scatter_sub": _by(np.subtract),
    "scatter_mul": _by(np.multiply),
    "scatter_div": _by(np.divide),
    "scatter_min": _by(np.minimum),
    "scatter_max": _by(np.maximum),
}


def session(backend: str = "llvm", threads: int = 0) -> tf.Session:
    return tf.Session(config=tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads))


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default():
        yield


def drawn(shape: Any, dtype: tf.DType, seed: int) -> Array:
    """Numbers from 1 to 3, so that products of many neither overflow nor vanish."""
    return np.asarray(np.random.default_rng(seed).random(shape) * 2 + 1, dtype.numpy)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.float16, tf.bfloat16, tf.int32])
@pytest.mark.parametrize("name", SCATTERS)
def test_rows_change_in_turn(name: str, dtype: tf.DType, backend: str) -> None:
    if name == "scatter_div" and not dtype.is_floating:
        pytest.skip("only floating variables are divided")
    rng = np.random.default_rng(0)
    for table_shape, shape in [
        ((6,), (9,)),
        ((6, 5), (9,)),
        ((40, 3, 7), (2, 5)),
        ((6, 33), ()),
        ((6, 4), (0,)),
        ((1, 20), (3,)),
    ]:
        table, indices = drawn(table_shape, dtype, 1), rng.integers(0, table_shape[0], shape)
        updates = drawn((*shape, *table_shape[1:]), dtype, 2)
        variable = tf.Variable(table)
        changed = getattr(tf, name)(variable, indices.astype(np.int32), updates)
        wanted = table.copy()
        SCATTERS[name](wanted, indices, updates)
        with session(backend) as s:
            np.testing.assert_array_equal(s.run(changed), wanted)
            np.testing.assert_array_equal(s.run(variable), wanted)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["scatter_update", "scatter_add"])
def test_the_same_bits_over_any_number_of_threads(name: str, backend: str) -> None:
    rng = np.random.default_rng(3)
    table, updates = rng.normal(size=(700, 129)), rng.normal(size=(5000, 129))
    indices = rng.integers(0, 700, 5000)
    wanted = table.astype(np.float32)
    SCATTERS[name](wanted, indices, updates.astype(np.float32))
    variable = tf.Variable(table, dtype=tf.float32)
    rows = tf.placeholder(tf.int64, [None])
    changed = getattr(tf, name)(variable, rows, tf.constant(updates, tf.float32))
    for threads in (1, 2, 3):
        with session(backend, threads) as s:
            np.testing.assert_array_equal(s.run(changed, {rows: indices}), wanted)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_number_for_all_elements(backend: str) -> None:
    variable, rows = tf.Variable(tf.zeros([4, 2])), tf.placeholder(tf.int32, [None])
    changed = tf.scatter_add(variable, rows, 2.0)
    with session(backend) as s:
        assert s.run(changed, {rows: [3, 1, 3]}).tolist() == [[0, 0], [2, 2], [0, 0], [4, 4]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SCATTERS)
def test_updates_from_the_variable_itself_are_read_first(name: str, backend: str) -> None:
    """What is read of other rows is what they held before, whichever rows come first."""
    table = drawn((60, 20), tf.float32, 4)
    variable = tf.Variable(table)
    order = np.random.default_rng(5).integers(0, 60, 90)
    updates = tf.gather(variable, (order * 7) % 60) * 1.5
    changed = getattr(tf, name)(variable, order, updates)
    whole = getattr(tf, name)(variable, np.arange(60)[::-1], variable)
    with session(backend) as s:
        wanted = table.copy()
        SCATTERS[name](wanted, order, table[(order * 7) % 60] * np.float32(1.5))
        np.testing.assert_array_equal(s.run(changed), wanted)
        before = wanted.copy()
        SCATTERS[name](wanted, np.arange(60)[::-1], before)
        np.testing.assert_array_equal(s.run(whole), wanted)


@pytest.mark.parametrize("backend", BACKENDS)
def test_reads_see_the_old_rows_and_updates_apply_in_turn(backend: str) -> None:
    variable = tf.Variable(np.arange(12, dtype=np.float32).reshape(6, 2))
    before, looked_up = variable * 1.0, tf.gather(variable, [1, 1])
    first = tf.scatter_add(variable, [1, 1, 2], np.ones((3, 2), np.float32))
    with tf.control_dependencies([first]):
        between = variable.read_value()
    doubled = variable.assign(variable.value_to_update() * 2.0)
    last = tf.scatter_update(variable, [0], [[100.0, 200.0]])
    with session(backend) as s:
        values = s.run([last, doubled, first, before, looked_up, between])
        np.testing.assert_array_equal(s.run(variable), values[0])
    start = np.arange(12).reshape(6, 2)
    added = start + np.array([0, 2, 1, 0, 0, 0])[:, None]
    final = added * 2
    final[0] = 100, 200
    wanted = [final, added * 2, added, start, start[[1, 1]], added]
    for value, right in zip(values, wanted, strict=True):
        np.testing.assert_array_equal(value, right)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_that_fails_has_written_nothing(backend: str) -> None:
    """Whichever of several updates has the bad index."""
    tables = [tf.Variable(tf.ones([size, 3])) for size in (5, 7, 9)]
    rows = [tf.placeholder(tf.int32, [None]) for _ in tables]
    changed = [tf.scatter_add(table, row, 1.0).op for table, row in zip(tables, rows, strict=True)]
    plain = tf.Variable(0.0)
    with session(backend) as s:
        for bad, limit in enumerate((5, 7, 9)):
            for wrong in (-1, limit):
                feeds = dict(zip(rows, ([0, 1], [2], [3, 3, 4]), strict=True))
                feeds[rows[bad]] = [2, wrong]
                text = rf"indices\[1\] = {wrong} is not in \[0, {limit}\)"
                with pytest.raises(tf.errors.InvalidArgumentError, match=text):
                    s.run([*changed, plain.assign_add(1.0)], feeds)
        assert all((s.run(table) == 1).all() for table in tables)
        assert s.run(plain) == 0


def test_a_large_table_is_neither_copied_nor_walked() -> None:
    """A step's kernels loop over the rows that change, and nothing else is moved."""
    table = tf.Variable(tf.zeros([1_000_000, 16]))
    rows = tf.placeholder(tf.int32, [None])
    looked_up = tf.nn.embedding_lookup(table, rows)
    loss = tf.reduce_sum(tf.square(looked_up - 1.0))
    optimizers = [
        tf.train.GradientDescentOptimizer(0.1),
        tf.train.MomentumOptimizer(0.1, 0.9),
        tf.train.AdagradOptimizer(0.1),
        tf.train.AdadeltaOptimizer(0.1),
        tf.train.RMSPropOptimizer(0.1),
        tf.train.FtrlOptimizer(0.1),
        tf.train.ProximalAdagradOptimizer(0.1),
        tf.contrib.opt.LazyAdamOptimizer(0.1),
    ]
    with session() as s:
        for optimizer in optimizers:
            step = optimizer.minimize(loss)
            kernels = tf.explain(step, feed_shapes={rows: [8]}, session=s).kernels
            # 8 rows of 16 numbers are 512 bytes, and RMSProp reads and writes some ten such arrays.
            assert max(kernel.bytes for kernel in kernels) < 20 * 512
            s.run(step, {rows: [3, 1, 4, 1, 5, 9, 2, 6]})
        changed = np.flatnonzero(s.run(table).any(1))
    assert changed.tolist() == [1, 2, 3, 4, 5, 6, 9]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loop_of_steps(backend: str) -> None:
    table = tf.Variable(tf.zeros([10, 4]))
    rows = tf.placeholder(tf.int32, [None])
    changed = tf.scatter_add(table, rows, 1.0)
    data = np.arange(30, dtype=np.int32) % 10
    with session(backend) as s:
        s.run_steps(changed.op, 6, batches={rows: data}, batch_size=5)
        np.testing.assert_array_equal(s.run(table), np.full((10, 4), 3))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["scatter_update", "scatter_add", "scatter_sub"])
def test_rows_change_in_loops_and_branches(name: str, backend: str) -> None:
    table, updates = drawn((5, 3), tf.float32, 6), drawn((4, 3), tf.float32, 7)
    variable = tf.Variable(table)

    def changed(i: Any) -> Any:
        rows = tf.stack([i, 4, i, 4])
        return getattr(tf, name)(variable, rows, updates * tf.cast(i + 1, tf.float32))

    def body(i: Any) -> Any:
        with tf.control_dependencies([changed(i)]):
            return i + 1

    wanted = table.copy()
    loop = tf.while_loop(lambda i: i < 3, body, [tf.constant(0)])
    chosen = tf.placeholder(tf.bool, [])
    branch = tf.cond(chosen, lambda: changed(tf.constant(1)), variable.read_value)
    with session(backend) as s:
        for i in (0, 1, 2, 1):
            scaled = updates * np.float32(i + 1)
            SCATTERS[name](wanted, np.array([i, 4, i, 4]), scaled)
        s.run(loop)
        s.run(branch, {chosen: False})
        np.testing.assert_allclose(s.run(branch, {chosen: True}), wanted, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(s.run(variable), wanted, rtol=1e-5, atol=1e-5)


def test_products_of_rows_are_taken_by_python_in_branches() -> None:
    """Those of one row have to be taken in their order."""
    variable, p = tf.Variable(tf.ones([3, 2])), tf.placeholder(tf.bool, [])
    made = tf.cond(p, lambda: tf.scatter_mul(variable, [0, 0], 2.0), variable.value)
    with session() as s:
        assert s.run(made, {p: False}).tolist() == [[1, 1], [1, 1], [1, 1]]
        assert s.run(made, {p: True}).tolist() == [[4, 4], [1, 1], [1, 1]]


def test_methods_of_variables_take_slices() -> None:
    variable = tf.Variable(tf.zeros([3, 1]))
    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([2, 2]))
    with session() as s:
        assert s.run(variable.scatter_add(slices)).tolist() == [[0], [0], [3]]
        assert s.run(variable.scatter_sub(slices)).tolist() == [[0], [0], [0]]
        assert s.run(variable.scatter_update(slices)).tolist() == [[0], [0], [2]]
    with pytest.raises(TypeError, match="sparse_delta is not IndexedSlices"):
        variable.scatter_add(tf.ones([1, 1]))  # type: ignore[arg-type]


def test_mistakes_are_explained() -> None:
    variable = tf.Variable(tf.zeros([3, 2]))
    with pytest.raises(tf.errors.DTypeError, match=r"scatter_add: .*variable is float32.*int32"):
        tf.scatter_add(variable, [1], tf.constant([[1, 2]]))
    with pytest.raises(tf.errors.DTypeError, match="indices must be int32 or int64, not float32"):
        tf.scatter_add(variable, [1.0], [[1.0, 2.0]])
    with pytest.raises(tf.errors.ShapeError, match=r"updates must be \[1, 2\], not \[2, 2\]"):
        tf.scatter_update(variable, [1], np.ones((2, 2)))
    with pytest.raises(tf.errors.ShapeError, match="rank 1 or more; it is a scalar"):
        tf.scatter_sub(tf.Variable(1.0), [0], [1.0])
    with pytest.raises(tf.errors.DTypeError, match="must be floating, not int32"):
        tf.scatter_div(tf.Variable([1, 2]), [0], [1])
    with pytest.raises(TypeError, match="not a variable"):
        tf.scatter_div(tf.ones([2]), [0], [1])
