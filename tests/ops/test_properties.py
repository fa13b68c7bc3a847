"""Native code against the reference for shapes drawn at random.

Extents are mostly no multiples of a vector, so that masks and the rests of tiles are used.
Tolerances: both sides add up a sum's terms in their own order, with an error of an epsilon for each
term relative to the sum of the terms' magnitudes; the data are standard normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.ops.running import Array, check_close, placeholder, run
from thalweg.autodiff.gradients import gradients
from thalweg.graph import Graph, Tensor
from thalweg.ops.arrays.join import concat
from thalweg.ops.arrays.reshape import transpose
from thalweg.ops.convolution import conv
from thalweg.ops.convolution.avg_pool import avg_pool
from thalweg.ops.convolution.max_pool import max_pool
from thalweg.ops.elementwise import math as m
from thalweg.ops.linalg import matmul
from thalweg.ops.reduction import position, reduce

# Every example is compiled anew, so there are few, and failing ones are not made smaller.
few = settings(
    max_examples=15, derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate)
)


class Bench:
    """A graph under test and its feeds."""

    def __init__(self, seed: int = 0, dynamic: bool = False) -> None:
        self.graph = Graph()
        self.feeds: dict[Tensor, Array] = {}
        self._rng = np.random.default_rng(seed)
        self._dynamic = dynamic

    def normal(self, *shape: int, dtype: Any = np.float32) -> Tensor:
        """A placeholder that is fed with normal numbers."""
        return self.feed(self._rng.normal(size=shape).astype(dtype))

    def known(self, *shape: int) -> Tensor:
        """As `normal`, with extents that are known when the graph is built: a filter has them."""
        array = self._rng.normal(size=shape).astype(np.float32)
        tensor = placeholder(self.graph, array)
        self.feeds[tensor] = array
        return tensor

    def feed(self, array: Array) -> Tensor:
        tensor = placeholder(self.graph, array, self._dynamic)
        self.feeds[tensor] = array
        return tensor

    def check(self, *fetches: Tensor | None, terms: int = 1, magnitude: float = 8.0) -> None:
        """Both backends agree.

        Args:
            fetches: what to compare.
            terms: how many terms their sums have.
            magnitude: of one term at most.
        """
        wanted = [fetch for fetch in fetches if fetch is not None]
        assert len(wanted) == len(fetches)
        reference = run(self.graph, wanted, self.feeds, "numpy")
        native = run(self.graph, wanted, self.feeds)
        scale = None if terms == 1 else magnitude * terms**0.5
        for actual, expected in zip(native, reference, strict=True):
            check_close(actual, expected, 16, terms, scale)


# -- products

extents = st.integers(1, 40)
DTYPES = st.sampled_from([np.float32, np.float64])


def _matmul(bench: Bench, batch: Sequence[int], sizes: Sequence[int], dtype: Any, t: Any) -> None:
    rows, inner, columns = sizes
    a = bench.normal(*batch, *((inner, rows) if t[0] else (rows, inner)), dtype=dtype)
    b = bench.normal(*batch, *((columns, inner) if t[1] else (inner, columns)), dtype=dtype)
    with bench.graph.as_default():
        y = matmul.matmul(a, b, transpose_a=t[0], transpose_b=t[1])
        bias = bench.normal(columns, dtype=dtype)
        z = m.maximum(y + bias, 0.0)
        by_a, by_b = gradients(reduce.reduce_sum(m.square(y)), [a, b])
    bench.check(y, z, terms=inner)
    # Gradients sum products of such sums.
    bench.check(by_a, by_b, terms=inner * max(rows, columns))


@few
@given(
    st.lists(st.integers(1, 3), max_size=2),
    st.tuples(extents, extents, extents),
    DTYPES,
    st.tuples(st.booleans(), st.booleans()),
    st.booleans(),
)
def test_matmul(batch: Any, sizes: Any, dtype: Any, transposed: Any, dynamic: bool) -> None:
    _matmul(Bench(dynamic=dynamic), batch, sizes, dtype, transposed)


@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("sizes", [(50, 70, 130), (100, 784, 10), (1, 300, 33)])
def test_larger_products(sizes: tuple[int, int, int], transposed: tuple[bool, bool]) -> None:
    _matmul(Bench(), (), sizes, np.float32, transposed)


# -- convolutions and pools


def _conv(bench: Bench, x: Sequence[int], w: Sequence[int], stride: int, padding: str) -> None:
    image, kernel = bench.normal(*x), bench.known(*w)
    with bench.graph.as_default():
        y = conv.conv2d(image, kernel, [1, stride, stride, 1], padding)
        z = m.maximum(y + bench.normal(w[3]), 0.0)
        by_x, by_w = gradients(reduce.reduce_sum(m.square(z)), [image, kernel])
    terms = w[0] * w[1] * w[2]
    bench.check(y, z, terms=terms)
    bench.check(by_x, by_w, terms=terms * max(x[0] * x[1] * x[2], w[3]))


@few
@given(
    st.tuples(st.integers(1, 3), st.integers(5, 12), st.integers(5, 12), st.integers(1, 20)),
    st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 20)),
    st.integers(1, 3),
    st.sampled_from(["SAME", "VALID"]),
    st.booleans(),
)
def test_conv2d(x: Any, w: Any, stride: int, padding: str, dynamic: bool) -> None:
    _conv(Bench(dynamic=dynamic), x, (*w[:2], x[3], w[2]), stride, padding)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_larger_convolution(padding: str) -> None:
    _conv(Bench(), (2, 14, 14, 32), (5, 5, 32, 64), 1, padding)


@few
@given(
    st.tuples(st.integers(1, 3), st.integers(4, 11), st.integers(4, 11), st.integers(1, 20)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from(["SAME", "VALID"]),
    st.booleans(),
)
@example((3, 11, 11, 1), (2, 1), (2, 3), "VALID", False)  # rows that no window covers
@example((1, 4, 4, 1), (1, 3), (1, 2), "SAME", True)
def test_pools(shape: Any, size: Any, strides: Any, padding: str, dynamic: bool) -> None:
    bench = Bench(dynamic=dynamic)
    x = bench.normal(*shape)
    window, steps = [1, *size, 1], [1, *strides, 1]
    with bench.graph.as_default():
        for pool in (max_pool, avg_pool):
            y = pool(x, window, steps, padding)
            (by_x,) = gradients(reduce.reduce_sum(m.square(y)), x)
            bench.check(y, by_x, terms=size[0] * size[1] + 1)


# -- reductions

SHAPES = st.lists(st.integers(1, 19), min_size=1, max_size=4)
REDUCTIONS = [
    reduce.reduce_sum, reduce.reduce_mean, reduce.reduce_max, reduce.reduce_min, reduce.reduce_prod
]  # fmt: skip


@few
@given(SHAPES, st.data(), st.booleans(), st.sampled_from(REDUCTIONS), DTYPES, st.booleans())
def test_reductions(
    shape: Any, data: Any, keep: bool, function: Any, dtype: Any, dynamic: bool
) -> None:
    axes = data.draw(st.sets(st.integers(-len(shape), len(shape) - 1)))
    places = sorted({axis % len(shape) for axis in axes})
    bench = Bench(dynamic=dynamic)
    rng = np.random.default_rng(1)
    # Near 1, so that products stay near it, too: their factors are within 1 +- 1e-3.
    x = bench.feed((1 + 1e-3 * rng.uniform(-1, 1, shape)).astype(dtype))
    with bench.graph.as_default():
        y = function(x, places or None, keepdims=keep)
        (by_x,) = gradients(y, x)
    terms = int(np.prod(shape))
    bench.check(y, terms=terms)
    # Of a product, the gradient is the result over the factor.
    bench.check(by_x, terms=terms)


@few
@given(SHAPES, st.data(), st.booleans())
def test_positions_of_extremes(shape: Any, data: Any, dynamic: bool) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    bench = Bench(dynamic=dynamic)
    x = bench.feed(np.random.default_rng(2).integers(-3, 4, shape).astype(np.float32))
    with bench.graph.as_default():
        bench.check(position.argmax(x, axis), position.argmin(x, axis))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_longer_reductions(axis: int | None) -> None:
    bench = Bench()
    x = bench.normal(301, 517)
    with bench.graph.as_default():
        spread = x - reduce.reduce_max(x, axis, keepdims=True)
        total = reduce.reduce_sum(m.exp(spread), axis)
        bench.check(total, m.log(total), reduce.reduce_mean(x, axis), terms=301 * 517)


# -- shapes


@few
@given(SHAPES, st.data(), st.booleans())
def test_broadcasting(shape: Any, data: Any, dynamic: bool) -> None:
    drop = data.draw(st.integers(0, len(shape)))
    ones = [data.draw(st.booleans()) for _ in shape]
    other = [1 if one else extent for one, extent in zip(ones, shape, strict=True)][drop:]
    bench = Bench(dynamic=dynamic)
    x, y = bench.normal(*shape), bench.normal(*other)
    with bench.graph.as_default():
        z = m.subtract(y, x) * x
        by_x, by_y = gradients(z, [x, y])
    bench.check(z, by_x, by_y, terms=int(np.prod(shape)))


@few
@given(SHAPES, st.data(), st.booleans())
def test_slices(shape: Any, data: Any, dynamic: bool) -> None:
    key = tuple(data.draw(st.slices(extent)) for extent in shape)
    bench = Bench(dynamic=dynamic)
    x = bench.normal(*shape)
    with bench.graph.as_default():
        y = x[key]
        (by_x,) = gradients(m.square(y), x)
    bench.check(y, by_x)


@few
@given(SHAPES, st.data(), st.booleans())
def test_transposes(shape: Any, data: Any, dynamic: bool) -> None:
    order = data.draw(st.permutations(range(len(shape))))
    bench = Bench(dynamic=dynamic)
    x = bench.normal(*shape)
    with bench.graph.as_default():
        y = transpose(x, order)
        bench.check(y, m.exp(y) * 2.0, reduce.reduce_sum(y, -1), terms=max(shape))


@few
@given(SHAPES, st.data(), st.booleans())
def test_concat(shape: Any, data: Any, dynamic: bool) -> None:
    axis = data.draw(st.integers(0, len(shape) - 1))
    lengths = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=4))
    bench = Bench(dynamic=dynamic)
    parts = [bench.normal(*shape[:axis], n, *shape[axis + 1 :]) for n in lengths]
    with bench.graph.as_default():
        y = concat(parts, axis)
        by_parts = gradients(m.square(y), parts)
    bench.check(y, *by_parts)
