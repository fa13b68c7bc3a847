"""Convolutions that Winograd's algorithm computes are right whatever some pixels hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tf
from tests.kernels.arrays import Array, random
from thalweg.backends.native.backend import NativeProgram
from thalweg.kernels.rewrites.range_checks import ROOTS

# The largest error, in sums of products of the largest row and the largest channel of a filter.
PROMISED = 1e-6  # by docs/how_it_works.md
ROUNDED = 3e-6  # the error of a plain sum, in the sum of what is added up: some fifty roundings

Case = tuple[tuple[int, ...], tuple[int, ...], str]
SMALL: Case = ((8, 8, 16), (3, 3, 16, 16), "SAME")
LARGE: Case = ((14, 12, 18), (5, 5, 18, 16), "VALID")
CASES = [SMALL, LARGE]


class Convolution:
    """A convolution of any number of images, with its gradients, in a session that stays open."""

    def __init__(self, case: Case, threads: int, use_winograd: bool) -> None:
        image, filter, padding = case
        config = tf.ConfigProto(intra_op_parallelism_threads=threads, use_winograd=use_winograd)
        with tf.Graph().as_default():
            x, w = tf.placeholder(tf.float32, [None, *image]), tf.placeholder(tf.float32, filter)
            y = tf.nn.conv2d(x, w, [1, 1, 1, 1], padding)
            dy = tf.placeholder(tf.float32, [None, *y.shape[1:]])
            self._fetches = [y, *tf.gradients(y, [x, w], grad_ys=[dy])]
            self._feeds = x, w, dy
            self._session = tf.Session(config=config)

    def run(self, operands: Sequence[Array]) -> list[Array]:
        feeds = dict(zip(self._feeds, operands, strict=True))
        results: list[Array] = self._session.run(self._fetches, feeds)
        return results


@cache
def convolution(case: Case, threads: int = 2, use_winograd: bool = True) -> Convolution:
    return Convolution(case, threads, use_winograd)


def plain(case: Case) -> Convolution:
    return convolution(case, use_winograd=False)


def operands(case: Case, batch: int, seed: int = 0) -> list[Array]:
    """Images, a filter, and the gradient of the result."""
    image, filter, padding = case
    cut = filter[0] - 1 if padding == "VALID" else 0
    result = (image[0] - cut, image[1] - cut, filter[-1])
    shapes = (batch, *image), filter, (batch, *result)
    return [random(*shape, seed=seed + n) for n, shape in enumerate(shapes)]


def in_float64(operands: Sequence[Array], padding: str) -> list[Array]:
    """The convolution and its gradients, as the plain sums that they are."""
    x, w, dy = (a.astype(np.float64) for a in operands)
    border = len(w) // 2 if padding == "SAME" else 0
    wide = np.pad(x, [(0, 0), (border, border), (border, border), (0, 0)])
    y, dx, dw = np.zeros(dy.shape), np.zeros(wide.shape), np.zeros(w.shape)
    with np.errstate(invalid="ignore"):
        for p, q in np.ndindex(w.shape[:2]):
            part = np.s_[:, p : p + dy.shape[1], q : q + dy.shape[2]]
            y += np.einsum("nijc,co->nijo", wide[part], w[p, q])
            dx[part] += np.einsum("nijo,co->nijc", dy, w[p, q])
            dw[p, q] = np.einsum("nijc,nijo->co", wide[part], dy)
    inner = np.s_[:, border : border + x.shape[1], border : border + x.shape[2]]
    return [y, dx[inner], dw]


def bounds(operands: Sequence[Array]) -> list[Array]:
    """The errors promised for the results: image by image, but for the gradient by the filter."""
    x, w, dy = operands
    image, filter, result = size_of_images(x), size(np.abs(w).sum((0, 1))), size_of_images(dy)
    by_filter = np.sum(image * result, axis=0) * dy.shape[1]
    scales = image * filter * x.shape[-1], result * filter * dy.shape[-1], by_filter
    return [PROMISED * scale for scale in scales]


def size_of_images(x: Array) -> Array:
    """The size of the largest row of each, to be compared with four-dimensional results."""
    return np.reshape([size(np.abs(image).sum(1)) for image in x], (-1, 1, 1, 1))


def size(rows: Array) -> float:
    """The largest row, or what it may be at most in relation to the others."""
    found = rows[np.isfinite(rows) & (rows > 0)].astype(np.float64)
    if not found.size:
        return 0.0
    return min(float(found.max()), ROOTS**4 * float(np.mean(found**0.25)) ** 4)


def touched(case: Case, which: int, spoiled: Array) -> list[Array]:
    """Which results some elements of an operand have a part in."""
    shares = [np.ones(a.shape) for a in operands(case, 9)]
    shares[which] = spoiled
    knows_nothing_of_it = (1, 2, 0)[which]  # the gradient by the image of the image, and so on
    results = in_float64(shares, case[2])
    results[knows_nothing_of_it][:] = 0
    return [result != 0 for result in results]


def assert_alike(got: Array, plain: Array) -> None:
    """What is not finite is the same."""
    finite = np.isfinite(plain)
    np.testing.assert_array_equal(np.where(finite, 0, got), np.where(finite, 0, plain))
    assert np.isfinite(got[finite]).all()


def error(got: Array, wanted: Array) -> Array:
    """Where both are finite."""
    both = np.isfinite(got) & np.isfinite(wanted)
    apart: Array = np.where(both, got, 0) - np.where(both, wanted, 0)
    return np.abs(apart)


def rounding(right: Array) -> float:
    """The error of a plain sum of some hundred terms, one of them large."""
    return ROUNDED * float(np.abs(right[np.isfinite(right)]).max(initial=0))


# -- outliers

PLACES = [(1, 0, 0, 3), (1, 1, 5, 2), (1, 4, 4, 7)]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6, -1e20])
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("case", CASES)
def test_outliers_spoil_no_results_that_they_have_no_part_in(
    case: Case, which: int, value: float
) -> None:
    """Be they of the same tile or of another one; and infinities are those of a sum."""
    usual = operands(case, 9)
    spoiled = np.zeros(usual[which].shape)
    spoiled[PLACES[which]] = 1
    given = [*usual]
    given[which] = np.where(spoiled, np.float32(value), usual[which])
    results = convolution(case).run(given), plain(case).run(given), in_float64(given, case[2])
    parts, limits = touched(case, which, spoiled), bounds(usual)
    for mine, summed, wanted, part, limit in zip(*results, parts, limits, strict=True):
        assert_alike(mine, summed)
        assert (error(mine, wanted) <= limit + part * rounding(wanted)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
@pytest.mark.parametrize("case", CASES)
def test_outliers_of_one_image(case: Case, value: float) -> None:
    """An image alone is summed plainly as well."""
    x, w, dy = operands(case, 1)
    x[0, 0, 3, 5] = value
    for mine, summed in zip(
        convolution(case).run([x, w, dy]), plain(case).run([x, w, dy]), strict=True
    ):
        assert_alike(mine, summed)
        assert error(mine, summed).max() <= rounding(summed)


def test_other_images_keep_their_bits() -> None:
    x, w, dy = operands(SMALL, 9)
    before = convolution(SMALL).run([x, w, dy])
    x[4, 3, 3, 3], dy[4, 2, 2, 2] = np.nan, np.inf
    after = convolution(SMALL).run([x, w, dy])
    for one, other in zip(before[:2], after[:2], strict=True):
        np.testing.assert_array_equal(np.delete(one, 4, axis=0), np.delete(other, 4, axis=0))


def test_bits_with_outliers_do_not_depend_on_threads() -> None:
    x, w, dy = operands(LARGE, 9)
    x[2, 3, 3, 3], dy[5, 2, 2, 2] = np.inf, 1e9
    first = convolution(LARGE, threads=1).run([x, w, dy])
    for one, other in zip(first, convolution(LARGE, threads=2).run([x, w, dy]), strict=True):
        np.testing.assert_array_equal(one, other)


# -- what is promised


@settings(max_examples=40, deadline=None)
@given(
    case=st.sampled_from(CASES),
    batch=st.integers(1, 9),
    kept=st.sampled_from([1.0, 0.5, 0.1]),
    outliers=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 10**6), st.floats(-12, 12)), max_size=9
    ),
)
def test_errors_stay_within_what_is_promised(
    case: Case, batch: int, kept: float, outliers: list[tuple[int, int, float]]
) -> None:
    """Outliers of any size, in operands of which most may be 0."""
    given = operands(case, batch)
    for n in (0, 2):
        given[n] *= random(*given[n].shape, seed=7 + n) < np.quantile(random(999), kept)
    for which, place, size in outliers:
        given[which].flat[place % given[which].size] = np.float32(10.0**size)
    got, wanted = convolution(case).run(given), in_float64(given, case[2])
    terms = in_float64([np.abs(a) for a in given], case[2])
    for mine, right, limit, own in zip(got, wanted, bounds(given), terms, strict=True):
        assert (error(mine, right) <= limit + ROUNDED * own).all()


@pytest.mark.parametrize("kept", [1.0, 0.1, 0.02])
def test_sparse_images_are_in_range(kept: float) -> None:
    """What a rectifier and a pooling leave is no reason to do more work: the rounding shows it."""
    x, w, dy = operands(LARGE, 9)
    x *= np.random.default_rng(5).random(x.shape) < kept
    dy *= np.random.default_rng(6).random(dy.shape) < kept
    fast, summed = convolution(LARGE).run([x, w, dy]), plain(LARGE).run([x, w, dy])
    for one, other in zip(fast, summed, strict=True):
        assert (one != other).any()
    for image in range(9):
        assert (fast[0][image] != summed[0][image]).any()
        assert (fast[1][image] != summed[1][image]).any()


# -- networks


def outputs_and_weights(x: Array, backend: str = "llvm", use_winograd: bool = True) -> list[Array]:
    """What two convolutions make of images, and their weights after two steps with them."""
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, 16, 16, 16])
        weights = [
            tf.Variable(random(3, 3, 16, 20, seed=1) / 12),
            tf.Variable(random(5, 5, 20, 16, seed=2) / 22),
        ]
        biases = [tf.Variable(random(20, seed=3)), tf.Variable(random(16, seed=4))]
        y = images
        for w, b in zip(weights, biases, strict=True):
            y = tf.nn.relu(tf.nn.conv2d(y, w, [1, 1, 1, 1], "SAME") + b)
            y = tf.nn.max_pool(y, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
        train = tf.train.GradientDescentOptimizer(1e-4).minimize(tf.reduce_sum(y))
        config = tf.ConfigProto(backend=backend, use_winograd=use_winograd)
        with tf.Session(config=config) as session:
            made = session.run(y, {images: x})
            session.run_steps(train, 2, {images: x})
            return [made, *session.run([*weights, *biases])]


def test_a_network_is_as_the_reference_has_it() -> None:
    """Some hundred terms of size 1 are added up for an output, some thousand for a weight."""
    x = random(12, 16, 16, 16)
    for mine, wanted in zip(outputs_and_weights(x), outputs_and_weights(x, "numpy"), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize("value", [1e6, np.inf])
def test_a_network_with_an_outlier(value: float) -> None:
    """Outputs and weights are those of plain sums, be they finite or not.

    The gradient that the outlier multiplies has gone through a convolution itself, twice.
    """
    x = random(12, 16, 16, 16)
    x[3, 5, 5, 0] = value
    summed = outputs_and_weights(x, use_winograd=False)
    for mine, other in zip(outputs_and_weights(x), summed, strict=True):
        assert_alike(mine, other)
        assert error(mine, other).max() <= 2e-5 + 5 * rounding(other)


# -- the option


def test_it_can_be_turned_off() -> None:
    """Also where the plan with it is remembered."""
    with tf.Graph().as_default():
        x, w = tf.Variable(random(32, 8, 8, 16)), tf.Variable(random(3, 3, 16, 16))
        y = tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME")
        unrolled = []
        for use in (True, False, True):
            with tf.Session(config=tf.ConfigProto(use_winograd=use)) as session:
                session.run(y)
                _, program = session.program(y)
                assert isinstance(program, NativeProgram)
                unrolled.append(any(step.nest.unrolled for step in program.steps))
        assert unrolled == [True, False, True]
