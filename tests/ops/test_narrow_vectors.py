"""Code for machines with narrower vectors and fewer registers than this one has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from tests.ops.running import Array, check_close, placeholder, run
from thalweg.autodiff.gradients import gradients
from thalweg.backends.native import backend as native
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.graph import Graph, Tensor
from thalweg.ops.convolution import conv
from thalweg.ops.convolution.max_pool import max_pool
from thalweg.ops.elementwise import math as m
from thalweg.ops.linalg import matmul
from thalweg.ops.reduction import position, reduce

LEVELS = {"x86-64": 128, "x86-64-v3": 256}
HOST = Target.host()
pytestmark = pytest.mark.skipif(
    HOST.architecture != "x86_64" or not HOST.has("avx2"), reason="needs an x86-64 with AVX2"
)


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name: str = request.param
    jit = Jit(HOST.restricted(name))
    assert jit.target.vector_bits == LEVELS[name]
    assert jit.target.vector_registers == 16
    monkeypatch.setattr(native, "shared_library", lambda: Library(jit))
    yield name
    assert jit.stats.compiled


def _product(a: Tensor, b: Tensor) -> list[Tensor]:
    y = matmul.matmul(a, b)
    return [y, matmul.matmul(a, a, transpose_b=True), matmul.matmul(b, b, transpose_a=True)]


def _convolution(x: Tensor, w: Tensor) -> list[Tensor]:
    y = m.maximum(conv.conv2d(x, w, 1, "SAME"), 0.0)
    pooled = max_pool(y, 2, 2, "SAME")
    made = gradients(reduce.reduce_sum(m.square(pooled)), [x, w])
    return [y, pooled, *(gradient for gradient in made if gradient is not None)]


def _softmax(x: Tensor, y: Tensor) -> list[Tensor]:
    shifted = m.exp(x - reduce.reduce_max(x, -1, keepdims=True))
    probabilities = shifted / reduce.reduce_sum(shifted, -1, keepdims=True)
    loss = reduce.reduce_sum(m.log(probabilities) * y)
    made = gradients(loss, x)
    return [probabilities, loss, position.argmax(x, -1), *(g for g in made if g is not None)]


CASES = [
    pytest.param(_product, ((33, 47), (47, 29)), 47, id="matmul"),
    pytest.param(_convolution, ((2, 9, 7, 5), (3, 3, 5, 13)), 9 * 13 * 126, id="convolution"),
    pytest.param(_softmax, ((13, 11), (13, 11)), 13 * 11, id="softmax"),
]


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize(("build", "shapes", "terms"), CASES)
def test_results_are_the_reference_s(
    level: str,
    build: Callable[..., list[Tensor]],
    shapes: tuple[tuple[int, ...], ...],
    terms: int,
    dynamic: bool,
) -> None:
    graph, rng = Graph(), np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    # A filter's extents are known.
    inputs = [placeholder(graph, a, dynamic and n == 0) for n, a in enumerate(arrays)]
    feeds: dict[Tensor, Array] = dict(zip(inputs, arrays, strict=True))
    with graph.as_default():
        fetches = build(*inputs)
    reference = run(graph, fetches, feeds, "numpy")
    for actual, expected in zip(run(graph, fetches, feeds), reference, strict=True):
        check_close(actual, expected, 16, terms, 8 * terms**0.5)
