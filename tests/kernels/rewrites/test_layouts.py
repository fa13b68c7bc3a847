"""Panels, values that are computed again, and sums that share their loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import Array, random
from thalweg.backends.native.backend import NativeProgram
from thalweg.kernels.schedules.schedule import tasks


def program_of(session: Any, fetches: Any, feeds: dict[Any, Array]) -> NativeProgram:
    _, program = session.program(fetches, feeds)
    assert isinstance(program, NativeProgram)
    return program


@pytest.mark.parametrize("rows", [600, 300])
def test_rows_with_set_conflicts_are_copied_into_panels(rows: int) -> None:
    """Rows of 4 KiB, used by as many rows of the other operand as make the copy worthwhile."""
    x, w = random(rows, 128), random(128, 1024, seed=1)
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.placeholder(tf.float32, [rows, 128])
        weights, bias = tf.Variable(w), tf.Variable(random(1024, seed=2))
        y = tf.nn.relu(tf.matmul(a, weights) + bias)
        program = program_of(session, y, {a: x})
        assert any(value.panel for step in program.steps for value in step.nest.slots)
        got = session.run(y, {a: x})
    wanted = np.maximum(x.astype(np.float64) @ w + random(1024, seed=2), 0)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=128 * 4e-7 * np.abs(x).max())


@pytest.mark.parametrize(("inputs", "copies"), [(1024, 2), (784, 1)])
def test_both_operands_of_a_weight_gradient_may_have_set_conflicts(
    inputs: int, copies: int
) -> None:
    """Each of a batch's rows is 4 KiB from the next: its columns are read as rows of panels."""
    x, dy, narrow = random(96, inputs), random(96, 1024, seed=1), random(96, 10, seed=2)
    with tf.Graph().as_default(), tf.Session() as session:
        feeds = {tf.placeholder(tf.float32, [None, v.shape[1]]): v for v in (x, narrow, x, dy)}
        c, d, a, b = feeds
        # Of `c`, which is like `a`, each element is used ten times only.
        gradients = [tf.matmul(c, d, transpose_a=True), tf.matmul(a, b, transpose_a=True)]
        program = program_of(session, gradients, feeds)
        assert sum("pack" in step.nest.ops for step in program.steps) == copies
        product = max(program.steps, key=lambda step: step.cost.flops)
        reads = [read for reduce in product.nest.reductions for read in reduce.body.reads]
        assert sum(product.nest.slots[read.source].panel > 0 for read in reads) == copies
        # A tile takes neighbours, which are in one line of memory, and not one of each panel.
        rows = [axis for axis in product.schedule.tile if axis is not product.schedule.vector]
        assert [reads[0].index[0].coefficient(axis) for axis in rows] == [1]
        got = session.run(gradients, feeds)
    for one, other in zip(got, (narrow, dy), strict=True):
        wanted = x.T.astype(np.float64) @ other
        np.testing.assert_allclose(one, wanted, rtol=0, atol=96 * 4e-7 * np.abs(x).max())


def test_few_rows_are_not_worth_the_copy() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.placeholder(tf.float32, [3, 256])
        y = tf.matmul(a, tf.Variable(random(256, 2048)))
        program = program_of(session, y, {a: random(3, 256)})
        assert not any(value.panel for step in program.steps for value in step.nest.slots)


def test_weights_of_an_unrolled_cell_are_copied_once() -> None:
    """The gradient of each step reads the weights transposed; one copy serves all of them."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [64, 32])
        w = tf.Variable(random(32, 32) * np.float32(0.1))
        h = x
        for _ in range(8):
            h = tf.tanh(tf.matmul(h, w))
        gradient = tf.gradients(tf.reduce_sum(h), x)[0]
        program = program_of(session, gradient, {x: random(64, 32)})
        assert sum("pack" in step.nest.ops for step in program.steps) <= 1


@pytest.mark.parametrize(("length", "copied"), [(96, 1), (48, 0)])
def test_the_keys_of_attention_are_copied_turned(length: int, copied: int) -> None:
    """Each head has its own keys, so no schedule can stage them: but enough queries use them."""
    qkv = random(2, length, 3, 2, 16)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, length, 3, 2, 16])
        q, k, _ = tf.unstack(tf.transpose(x, [2, 0, 3, 1, 4]))
        scores = tf.matmul(q, k, transpose_b=True)
        program = program_of(session, scores, {x: qkv})
        copies = [step.nest for step in program.steps if "pack" in step.nest.ops]
        sizes = [nest.slots[nest.stores[0].slot].size for nest in copies]
        assert sizes == [qkv.size // 3] * copied  # without queries and values
        got = session.run(scores, {x: qkv})
    wanted = np.einsum("nihd,njhd->nhij", qkv[:, :, 0].astype(np.float64), qkv[:, :, 1])
    np.testing.assert_allclose(got, wanted, rtol=0, atol=16 * 4e-7 * np.abs(qkv).max() ** 2)


def test_a_gradient_that_is_stored_across_its_rows_has_its_vectors_along_them() -> None:
    """Lanes that are stored in a line each cost more than queries in a page each."""
    x, dy = random(2, 128, 3, 4, 64), random(2, 4, 128, 128, seed=1)
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.placeholder(tf.float32, [None, 128, 3, 4, 64])
        b = tf.placeholder(tf.float32, [None, 4, 128, 128])
        queries = tf.unstack(tf.transpose(a, [2, 0, 3, 1, 4]))[0]
        gradient = tf.matmul(b, queries, transpose_a=True)
        program = program_of(session, gradient, {a: x, b: dy})
        (step,) = program.steps
        assert step.schedule.vector is step.nest.axes[-1]
        got = session.run(gradient, {a: x, b: dy})
    wanted = np.einsum("nhqk,nqhd->nhkd", dy.astype(np.float64), x[:, :, 0])
    np.testing.assert_allclose(got, wanted, rtol=0, atol=128 * 4e-7 * np.abs(x).max())


def test_variables_of_one_shape_are_updated_by_the_kernels_of_their_own_gradients() -> None:
    """Adam's step size is a scalar, computed anew for each: nothing is shared that is worth it."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [8, 40])
        weights = [tf.Variable(random(40, 40, seed=n) * np.float32(0.1)) for n in range(3)]
        h = x
        for w in weights:
            h = tf.tanh(tf.matmul(h, w))
        train = tf.train.AdamOptimizer().minimize(tf.reduce_sum(tf.square(h)))
        program = program_of(session, train, {x: random(8, 40)})
        updates = [
            [op for op in step.nest.ops if "update" in op and op.endswith("Assign_2")]
            for step in program.steps
            if any("_grad/MatMul_1" in op for op in step.nest.ops)
        ]
        assert [len(ops) for ops in updates] == [1, 1, 1]


def test_what_a_gradient_needs_is_computed_again_if_that_is_cheap() -> None:
    """Of gelu's way forward only its argument and the tanh are kept for the way back."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [64, 48])
        w, v = tf.Variable(random(48, 80)), tf.Variable(random(80, 48))
        y = tf.matmul(tf.nn.gelu(tf.matmul(x, w), approximate=True), v)
        gradients = tf.gradients(tf.reduce_sum(tf.square(y)), [w, v])
        program = program_of(session, gradients, {x: random(64, 48)})
        forward = next(s for s in program.steps if any("Tanh" in op for op in s.nest.ops))
        assert len(forward.nest.stores) == 3  # argument, tanh and result


def test_sums_over_the_same_rows_share_a_kernel() -> None:
    value = random(512, 48)
    with tf.Graph().as_default(), tf.Session() as session:
        x, y = tf.placeholder(tf.float32, [512, 48]), tf.placeholder(tf.float32, [512, 48])
        sums = [tf.reduce_sum(x, 0), tf.reduce_sum(x * y, 0)]
        feeds = {x: value, y: value + 1}
        program = program_of(session, sums, feeds)
        assert len(program.steps) == 1
        assert len({r.axes for r in program.steps[0].nest.reductions}) == 1
        first, second = session.run(sums, feeds)
    exact = value.astype(np.float64)
    np.testing.assert_allclose(first, exact.sum(0), rtol=0, atol=512 * 1e-6)
    np.testing.assert_allclose(second, (exact * (exact + 1)).sum(0), rtol=0, atol=512 * 1e-6)


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_a_variable_is_not_overwritten_before_what_reads_it(backend: str) -> None:
    """`doubled` is computed where it is read, in a kernel that could also come after the write."""
    config = tf.ConfigProto(backend=backend)
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        x, y = (tf.placeholder(tf.float32, [2, 64, 8]) for _ in range(2))
        c = tf.placeholder(tf.float32, [64, 64])
        variable = tf.Variable(tf.ones([64, 8]))
        doubled = variable * 2.0
        early = doubled + x
        write = variable.assign_add(tf.matmul(c, tf.matmul(c, tf.ones([64, 8]))))
        late = tf.tanh(early) + tf.exp(y)
        zeros = np.zeros((2, 64, 8), np.float32)
        feeds = {x: zeros, y: zeros, c: np.ones((64, 64), np.float32)}
        got, _, _ = session.run([early, late, write.op], feeds)
        np.testing.assert_array_equal(got, np.full((2, 64, 8), 2, np.float32))


@pytest.mark.parametrize(("rows", "parts"), [(1024, 4), (785, 5), (1021, 0), (256, 0)])
def test_the_product_of_a_narrow_layer_is_cut_along_its_weights(rows: int, parts: int) -> None:
    x, w = random(20, rows), random(rows, 10, seed=1)
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.placeholder(tf.float32, [None, rows])
        y = tf.matmul(a, tf.Variable(w))
        program = program_of(session, y, {a: x})
        assert (len(program.steps) > 1) == bool(parts)
        if parts:
            assert int(program.steps[0].nest.axes[0].extent) == parts
        got = session.run(y, {a: x})
    np.testing.assert_allclose(got, x.astype(np.float64) @ w, rtol=0, atol=rows * 4e-7)


def _residual_block(x: Array, kept: bool) -> tuple[list[Array], Any]:
    """Two convolutions with a shortcut, and the gradients; with the values between on request."""
    with tf.Graph().as_default():
        a = tf.placeholder(tf.float32, [None, *x.shape[1:]])
        channels = x.shape[-1]
        filters = [tf.Variable(random(3, 3, channels, channels, seed=n)) for n in (1, 2)]
        scale = tf.Variable(random(channels, seed=3))
        hidden = tf.nn.relu(tf.tanh(a) * scale + scale)
        y = tf.nn.conv2d(hidden, filters[0], [1, 1, 1, 1], "SAME")
        y = tf.nn.conv2d(tf.nn.relu(y * scale + scale), filters[1], [1, 1, 1, 1], "SAME") + hidden
        gradients = tf.gradients(tf.reduce_sum(y * y), [a, scale, *filters])
        fetches = [y, *gradients, *([hidden] if kept else [])]
        with tf.Session() as session:
            program = program_of(session, fetches, {a: x})
            got = session.run(fetches, {a: x})
        config = tf.ConfigProto(backend="numpy")
        with tf.Session(config=config) as session:
            wanted = session.run(fetches, {a: x})
    for one, other in zip(got, wanted, strict=True):
        # Sums of some thousand products, in another order.
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-6 * np.abs(other).max())
    return got, program


def test_what_is_padded_is_computed_in_its_place() -> None:
    x = random(3, 9, 7, 16)
    got, program = _residual_block(x, kept=False)
    stores = [step.nest.slots[s.slot].name for step in program.steps for s in step.nest.stores]
    assert sum(name.endswith("Pad") for name in stores) >= 2
    assert not any(name.startswith("Relu") for name in stores)
    kept, program = _residual_block(x, kept=True)
    stores = [step.nest.slots[s.slot].name for step in program.steps for s in step.nest.stores]
    assert sum(name.startswith("Relu") for name in stores) == 1
    for one, other in zip(got, kept, strict=False):
        np.testing.assert_array_equal(one, other)


def test_the_gradient_of_a_convolution_walks_its_filter_forwards() -> None:
    _, program = _residual_block(random(2, 8, 8, 12), kept=False)  # too few for Winograd
    reduced = [[int(a.extent) for a in r.axes] for s in program.steps for r in s.nest.reductions]
    assert reduced.count([3, 36]) >= 4  # rows of the filter, and its columns with the channels


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_a_scattered_variable_is_not_overwritten_before_it_is_read(backend: str) -> None:
    """The gradient of pooling is computed in the loops of the sum, which waits for `exponential`.

    That shares a kernel with `other`, which comes after the write.
    """
    config = tf.ConfigProto(backend=backend)
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        x, y = (tf.placeholder(tf.float32, [1, 16, 16, 8]) for _ in range(2))
        variable = tf.Variable(tf.ones([1, 8, 8, 8]))
        result = tf.Variable(tf.zeros([1, 16, 16]))
        pooled = tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
        (scattered,) = tf.gradients(pooled, x, grad_ys=variable)
        assert scattered is not None
        exponential = tf.exp(y)
        used = result.assign(tf.reduce_sum(scattered + exponential, 3))
        write = variable.assign_add(tf.ones([1, 8, 8, 8]))
        other = tf.tanh(y)
        zeros = np.zeros((1, 16, 16, 8), np.float32)
        session.run([used.op, exponential, other, write.op], {x: zeros, y: zeros})
        np.testing.assert_array_equal(np.unique(session.run(result)), [8, 16])
        np.testing.assert_array_equal(session.run(variable), np.full((1, 8, 8, 8), 2, np.float32))


def _depthwise_programs(x: Array, w: Array) -> list[NativeProgram]:
    """The convolution, and its gradients by the image and the filter."""
    with tf.Graph().as_default(), tf.Session() as session:
        a, dy = (tf.placeholder(tf.float32, [None, *x.shape[1:]]) for _ in range(2))
        b = tf.placeholder(tf.float32, w.shape)
        y = tf.nn.depthwise_conv2d(a, b, [1, 1, 1, 1], "SAME")
        fetches = (y, *tf.gradients(y, [a, b], grad_ys=dy))
        return [program_of(session, fetch, {a: x, b: w, dy: x}) for fetch in fetches]


@pytest.mark.parametrize("channels", [32, 64, 512])
def test_a_depthwise_convolution_runs_over_its_channels(channels: int) -> None:
    """In place on the image, without a padded copy, in vectors of neighbouring channels."""
    x, w = random(8, 14, 14, channels), random(3, 3, channels, 1, seed=1)
    for program in _depthwise_programs(x, w):
        first, *_ = program.steps
        assert first.nest.reductions  # it is no copy
        schedule = first.schedule
        channel = first.nest.axes[-1]
        assert int(channel.extent) == channels
        assert schedule.vector is channel
        assert not schedule.staged
        # Registers for the sums, and for what a column of the tile shares with its neighbours.
        columns, vectors = (schedule.tile_of(axis) for axis in first.nest.axes[-2:])
        if columns > 1:
            assert 2 * columns * vectors // schedule.lanes < 32
        assert tasks(schedule) >= 8


def test_a_dense_convolution_reads_a_padded_copy() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.placeholder(tf.float32, [None, 14, 14, 32])
        y = tf.nn.conv2d(a, tf.Variable(random(3, 3, 32, 64)), [1, 1, 1, 1], "SAME")
        program = program_of(session, y, {a: random(8, 14, 14, 32)})
        names = [step.nest.slots[s.slot].name for step in program.steps for s in step.nest.stores]
        assert any("Pad" in name for name in names)


@pytest.mark.parametrize("pool", [tf.nn.max_pool, tf.nn.avg_pool])
def test_a_pool_tests_for_the_border_instead_of_copying(pool: Callable[..., tf.Tensor]) -> None:
    x = random(3, 9, 7, 20)
    values = []
    for backend in ("numpy", "llvm"):
        config = tf.ConfigProto(backend=backend)
        with tf.Graph().as_default(), tf.Session(config=config) as session:
            a = tf.placeholder(tf.float32, [None, 9, 7, 20])
            y = pool(a, [1, 3, 3, 1], [1, 2, 2, 1], "SAME")
            fetches = [y, *tf.gradients(y, a, grad_ys=y)]
            values.append(session.run(fetches, {a: x}))
            if backend == "llvm":
                steps = program_of(session, y, {a: x}).steps
                assert len(steps) == 1
    for one, other in zip(*values, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
