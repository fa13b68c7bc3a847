"""Extents of 0, on every backend: every op, every sample, with gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.ops.running import Array, as_array, run
from tests.shares import one_in
from thalweg.autodiff.gradients import gradients
from thalweg.autodiff.indexed_slices import dense
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError, ShapeError, ThalwegError
from thalweg.graph import Graph, Op, Sample, Tensor
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.build import constant_like
from thalweg.ops.catalogue import ALL

SAMPLED = [record for record in ALL if any(s.inputs for s in record.samples())]
# Known and open extents, the ones first for one record and the others for the next.
BOTH = [(r, bool((n + m) % 2)) for n, r in enumerate(SAMPLED) for m in range(2)]


def emptied(sample: Sample) -> Iterator[tuple[Array, ...]]:
    """The inputs with all extents of a value made 0, for each value that an extent has."""
    arrays, static = sample.arrays(), sample.op.static
    free = [n for n in range(len(arrays)) if n not in static]
    for extent in {d for n in free for d in arrays[n].shape}:
        yield tuple(
            _without(array, extent) if n in free else array for n, array in enumerate(arrays)
        )


def _without(array: Array, extent: int) -> Array:
    kept: tuple[Any, ...] = (*(slice(0 if d == extent else d) for d in array.shape), ...)
    part: Array = array[kept]
    return part


def build(
    sample: Sample, arrays: tuple[Array, ...], is_open: bool
) -> tuple[list[Tensor], dict[Tensor, Array]]:
    """What the sample computes of the arrays, with the gradients by them, and what to feed."""
    graph = Graph()
    feeds: dict[Tensor, Array] = {}
    inputs: list[Tensor] = []
    for n, array in enumerate(arrays):
        if n in sample.op.static:
            inputs.append(constant_like(graph, array))
            continue
        shape = (None,) * array.ndim if is_open else array.shape
        x = graph.add(Placeholder(as_dtype(array.dtype), shape)).outputs[0]
        feeds[x] = array
        inputs.append(x)
    outputs = graph.add(sample.op, inputs).outputs
    fetches = list(outputs)
    floating = [y for y in outputs if y.dtype.is_floating]
    sources = [x for x in feeds if x.dtype.is_floating]
    if floating and sources and type(sample.op).differentiable:
        with graph.as_default():
            fetches += [dense(g) for g in gradients(floating, sources) if g is not None]
    return fetches, feeds


def outcome(fetches: list[Tensor], feeds: dict[Tensor, Array], backend: str) -> list[Array] | str:
    try:
        return [as_array(v) for v in run(fetches[0].graph, fetches, feeds, backend)]
    except ThalwegError as error:
        return str(error)


@pytest.mark.parametrize(("record", "is_open"), one_in(3, BOTH))
def test_every_record_takes_empty_tensors(record: type[Op], is_open: bool) -> None:
    for sample in record.samples():
        for arrays in emptied(sample):
            try:
                fetches, feeds = build(sample, arrays, is_open)
            except (ShapeError, DTypeError):  # it says so when the graph is built
                continue
            if not fetches:
                continue  # it has no outputs
            native, reference = (outcome(fetches, feeds, name) for name in ("llvm", "numpy"))
            if isinstance(native, str) or isinstance(reference, str):
                assert native == reference
                continue
            for x, y in zip(native, reference, strict=True):
                assert x.shape == y.shape
                if x.dtype == object:
                    assert x.tolist() == y.tolist()
                    continue
                np.testing.assert_allclose(
                    x.astype(np.float64), y.astype(np.float64), rtol=1e-5, atol=1e-6
                )


UNKNOWN = None, None, None


@pytest.mark.parametrize("shape", [(2, 3, 4), (None, 3, 4), (2, 3, None), UNKNOWN])
@pytest.mark.parametrize("empty", [2, 3, 4, 5])
def test_products_of_many_rows_and_one_matrix(shape: tuple[int | None, ...], empty: int) -> None:
    def extents(given: tuple[int | None, ...]) -> list[int | None]:
        return [0 if d == empty else d for d in given]

    for columns in ((4, 5), (None, 5), (4, None)):
        with tf.Graph().as_default() as graph:
            a, b = (tf.placeholder(tf.float32, extents(s)) for s in (shape, columns))
            product = tf.matmul(a, b)
            slopes = gradients(product, [a, b])
        rows, matrix = (np.ones([0 if d == empty else d for d in s]) for s in ((2, 3, 4), (4, 5)))
        made, by_a, by_b = run(graph, [product, *slopes], {a: rows, b: matrix})
        np.testing.assert_array_equal(made, rows @ matrix)
        assert by_a.shape == rows.shape
        np.testing.assert_array_equal(by_b, np.full(matrix.shape, rows[..., :1].size))


def _windows(x: Tensor, size: int, stride: int, padding: str) -> list[Tensor | None]:
    """Every function that moves windows over images of three channels, and their gradients."""
    full = tf.constant(np.ones((size, size, 3, 2), np.float32))
    made = [
        tf.nn.conv2d(x, full, stride, padding),
        tf.nn.depthwise_conv2d(x, full, [1, stride, stride, 1], padding),
        tf.nn.max_pool(x, size, stride, padding),
        tf.nn.avg_pool(x, size, stride, padding),
    ]
    by_filter = [gradients(y * y, [full])[0] for y in made[:2]]
    return [*made, *(gradients(y, [x])[0] for y in made), *by_filter]


@pytest.mark.parametrize("opened", [0, 1, 3], ids=["known", "open batch", "open"])
@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2), (7, 2), (2, 3)])
def test_same_windows_over_an_image_without_pixels(
    size: int, stride: int, height: int, width: int, opened: int
) -> None:
    shape = (2, height, width, 3)
    with Graph().as_default():
        x = tf.placeholder(tf.float32, (None,) * opened + shape[opened:])
        fetches = _windows(x, size, stride, "SAME")
        for backend in ("llvm", "numpy"):
            with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
                values = session.run(fetches, {x: np.zeros(shape, np.float32)})
            rows, columns = -(-height // stride), -(-width // stride)
            windows = [(2, rows, columns, channels) for channels in (2, 6, 3, 3)]
            assert [v.shape for v in values[:8]] == [*windows, *[shape] * 4]
            assert all(np.array_equal(v, np.zeros((size, size, 3, 2))) for v in values[8:])


@pytest.mark.parametrize("function", ["conv2d", "depthwise_conv2d", "max_pool", "avg_pool"])
def test_windows_larger_than_an_image_that_is_not_padded_are_refused(function: str) -> None:
    x, size = tf.zeros([1, 2, 5, 3]), 3
    second: Any = size if "pool" in function else tf.zeros([size, size, 3, 2])
    with pytest.raises(ShapeError, match=rf"{function}: windows of \[3, 3\] do not fit into") as e:
        getattr(tf.nn, function)(x, second, [1, 1, 1, 1], "VALID")
    assert "test_empty.py" in str(e.value)
