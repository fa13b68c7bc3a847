"""Winograd: the algorithm, where it is used, and how large its errors are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tf
from tests.kernels.arrays import Array, random
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.backends.native.backend import NativeProgram
from thalweg.kernels.printer import show_definitions
from thalweg.kernels.rewrites.toom_cook import filtering
from thalweg.kernels.rewrites.use_winograd import use_winograd


@pytest.mark.parametrize(("results", "taps"), [(2, 3), (4, 3), (3, 4), (3, 2), (2, 5), (5, 2)])
def test_the_matrices_filter(results: int, taps: int) -> None:
    """In float64 the identity holds to its rounding, with coefficients of some ten."""
    f = filtering(results, taps)
    a, b, g = map(np.array, (f.a, f.b, f.g))
    x, w = random(results + taps - 1).astype(np.float64), random(taps, seed=1)
    wanted = np.correlate(x, w, "valid")
    np.testing.assert_allclose(a @ ((g @ w) * (b @ x)), wanted, rtol=0, atol=1e-13)


def test_the_coefficients_for_the_image_are_exact() -> None:
    for results, taps in ((2, 3), (4, 3), (2, 5)):
        b = np.array(filtering(results, taps).b)
        np.testing.assert_array_equal(b, b.astype(np.float32))


def test_a_convolution_becomes_products_at_points() -> None:
    """Tiles of four results each way take six points; images and filter are measured before."""
    x, w = fed("x", 16, 10, 10, 16), fed("w", 3, 3, 16, 16)
    program = Program(tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID", name="y"))
    plain = "sum[p<3, q<3, c<16](x[n, i + p, j + q, c] * w[p, q, c, o])"
    check(program.text, f"y[n, i, j, o] = {plain}  for n<16, i<8, j<8, o<16  in fetch 0")
    program.run(use_winograd)
    range_check, algorithm = program.definitions[:4], program.definitions[4:]
    assert [d.value.name for d in range_check] == [
        "x sizes",
        "x out of range",
        "w sizes",
        "w out of range",
    ]
    check(
        show_definitions(algorithm),
        f"""
        y taps[k, l, c, o] = combine[l](
                combine[k](w[0, 0, c, o], w[1, 0, c, o], w[2, 0, c, o]),
                combine[k](w[0, 1, c, o], w[1, 1, c, o], w[2, 1, c, o]),
                combine[k](w[0, 2, c, o], w[1, 2, c, o], w[2, 2, c, o]))
                for k<6, l<6, c<16, o<16
        y tiles[n, k, l, i, j, c] = combine[l](
                combine[k](x[n, 4*i, 4*j, c], ..., x[n, 4*i + 5, 4*j, c]), ...,
                combine[k](x[n, 4*i, 4*j + 5, c], ..., x[n, 4*i + 5, 4*j + 5, c]))
                for n<16, k<6, l<6, i<2, j<2, c<16
        y products[n, k, l, i, j, o]
                = sum[c<16](y tiles[n, k, l, i, j, c] * y taps[k, l, c, o])
                for n<16, k<6, l<6, i<2, j<2, o<16
        y plain[n, i, j, o] = {plain}  for n<16, i<8, j<8, o<16
                if x out of range[n, 0] or w out of range[]
        y[n, 4*i + i', 4*j + j', o] = x out of range[n, 0] or w out of range[]
                ? y plain[n, 4*i + i', 4*j + j', o]
                : combine[j'](
                combine[i'](y products[n, 0, 0, i, j, o], ..., y products[n, 5, 0, i, j, o]), ...,
                combine[i'](y products[n, 0, 5, i, j, o], ..., y products[n, 5, 5, i, j, o]))
                for n<16, i<2, i'<4, j<2, j'<4, o<16  in fetch 0
        """,
    )


def test_few_channels_are_summed_plainly() -> None:
    x, w = fed("x", 16, 10, 10, 15), fed("w", 3, 3, 15, 16)
    program = Program(tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID"))
    before = program.text
    program.run(use_winograd)
    check(program.text, before)


def convolution(
    x: Array,
    w: Array,
    padding: str,
    backend: str = "llvm",
    threads: int = 0,
    dtype: Any = np.float32,
) -> tuple[list[Array], Sequence[int]]:
    """A convolution of a batch of any size, its gradients, and how many kernels combine points."""
    with tf.Graph().as_default():
        image = tf.placeholder(dtype, [None, *x.shape[1:]])
        filter = tf.placeholder(dtype, w.shape)
        y = tf.nn.conv2d(image, filter, [1, 1, 1, 1], padding)
        weights = tf.placeholder(dtype, [None, *y.shape[1:]])
        fetches = [y, *tf.gradients(tf.reduce_sum(y * weights), [image, filter])]
        dy = random(x.shape[0], *(int(d or 0) for d in y.shape.as_list()[1:]), seed=2)
        feeds = {image: x.astype(dtype), filter: w.astype(dtype), weights: dy.astype(dtype)}
        config = tf.ConfigProto(backend=backend, intra_op_parallelism_threads=threads)
        with tf.Session(config=config) as session:
            _, program = session.program(fetches, feeds)
            combined = []
            if isinstance(program, NativeProgram):
                combined = [len(s.nest.unrolled) for s in program.steps if s.nest.unrolled]
            return session.run(fetches, feeds), combined


def reference(x: Array, w: Array, padding: str) -> list[Array]:
    return convolution(x, w, padding, "numpy", dtype=np.float64)[0]


def errors(got: Sequence[Array], wanted: Sequence[Array]) -> list[float]:
    """The root mean square of the error of each, relative to that of the values."""
    pairs = zip(got, wanted, strict=True)
    return [float(np.sqrt(np.mean((a - b) ** 2) / np.mean(b**2))) for a, b in pairs]


CASES = [
    ((4, 14, 14, 32), 5, "SAME"),  # the tutorial's second layer
    ((3, 12, 20, 16), 3, "SAME"),  # tiles of four, both ways
    ((3, 10, 8, 24), 3, "SAME"),  # of two and of four
    ((2, 16, 14, 17), 3, "VALID"),  # an odd number of channels
    ((9, 16, 16, 16), 5, "VALID"),
]


@pytest.mark.parametrize(("shape", "size", "padding"), CASES)
def test_values_and_gradients(shape: tuple[int, ...], size: int, padding: str) -> None:
    """Errors are some ten times float32's 6e-8; the longest sums have some 2,000 products."""
    x, w = random(*shape), random(size, size, shape[-1], 20, seed=1) / size
    got, combined = convolution(x, w, padding)
    assert len(combined) >= 6, "three for the convolution, three for each gradient, some as one"
    assert max(errors(got, reference(x, w, padding))) < 1e-6


def test_what_it_does_not_suit_is_summed_plainly() -> None:
    def kernels(shape: tuple[int, ...], *filter: int) -> int:
        return len(convolution(random(*shape), random(*filter), "SAME")[1])

    assert kernels((8, 16, 16, 16), 3, 3, 16, 16) > 0
    assert kernels((8, 16, 16, 15), 3, 3, 15, 16) == 0, "few channels before"
    assert kernels((8, 16, 16, 16), 3, 3, 16, 15) == 0, "few channels after"
    assert kernels((8, 15, 16, 16), 3, 3, 16, 16) == 0, "rows do not make whole tiles"
    assert kernels((8, 16, 16, 16), 1, 1, 16, 16) == 0
    assert kernels((8, 16, 16, 16), 7, 7, 16, 16) == 0, "points would be too many to be exact"


def test_strides_and_other_types_are_summed_plainly() -> None:
    x, w = random(8, 16, 16, 16), random(3, 3, 16, 16)
    with tf.Graph().as_default(), tf.Session() as session:
        strided = tf.nn.conv2d(tf.constant(x), tf.constant(w), [1, 2, 2, 1], "SAME")
        double = tf.nn.conv2d(
            tf.constant(x * 1.0, tf.float64), tf.constant(w, tf.float64), 1, "SAME"
        )
        for fetch in (strided, double):
            _, program = session.program(fetch)
            assert isinstance(program, NativeProgram)
            assert not any(step.nest.unrolled for step in program.steps)


def test_groups_side_by_side_are_summed_plainly() -> None:
    """Each channel has a filter of its own: no product of all with all is there to be made."""
    with tf.Graph().as_default(), tf.Session() as session:
        x, w = tf.Variable(random(64, 8, 8, 32)), tf.Variable(random(3, 3, 32, 1))
        y = tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "VALID")
        _, program = session.program(tf.gradients(tf.reduce_sum(y * y), [x, w]))
        assert isinstance(program, NativeProgram)
        assert not any(step.nest.unrolled for step in program.steps)


@settings(max_examples=15, deadline=None)
@given(
    batch=st.integers(0, 11),
    rows=st.sampled_from([4, 6, 8, 12]),
    columns=st.sampled_from([4, 8, 10]),
    channels=st.sampled_from([16, 18, 32]),
    size=st.sampled_from([3, 5]),
)
def test_all_batches_and_sizes(
    batch: int, rows: int, columns: int, channels: int, size: int
) -> None:
    """The largest error of some thousand results is twenty times the mean one, of 1e-6 at most.

    It is that of the last row and column of a filter's gradient, which are weighed with the fourth
    powers of the points, 5 at most, in both directions.
    """
    x, w = random(batch, rows, columns, channels), random(size, size, channels, 16) / size
    got, _ = convolution(x, w, "SAME")
    for mine, wanted in zip(got, reference(x, w, "SAME"), strict=True):
        scale = np.sqrt(np.mean(wanted**2)) if wanted.size else 0.0
        np.testing.assert_allclose(mine, wanted, rtol=0, atol=2e-5 * scale)


def test_bits_do_not_depend_on_threads() -> None:
    x, w = random(13, 14, 14, 32), random(5, 5, 32, 64, seed=1)
    first, _ = convolution(x, w, "SAME", threads=1)
    for threads in (2, 3):
        other, _ = convolution(x, w, "SAME", threads=threads)
        for one, two in zip(first, other, strict=True):
            np.testing.assert_array_equal(one, two)
