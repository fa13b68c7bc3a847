"""The samples of operations on XLA, and their gradients, against the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.ops.running import HALVES, Array, Case, build, check_close, placeholder, run
from thalweg.autodiff.gradients import gradients
from thalweg.autodiff.indexed_slices import dense
from thalweg.graph import Graph, Op, Tensor
from thalweg.ops.catalogue import ALL
from thalweg.ops.elementwise import math as m
from thalweg.ops.elementwise.special import Digamma, Lgamma
from thalweg.ops.reduction import reduce

# What Python runs has no code of XLA's.
SAMPLED = [r for r in ALL if any(not sample.op.effects.host for sample in r.samples())]
DIFFERENTIABLE = [record for record in SAMPLED if record.differentiable]
TERMS = 64  # more than any sample's sums have
# XLA's polynomials have errors of some 1e-15, absolute, near the zeros of these.
SPECIAL: dict[type[Op], float] = {Lgamma: 32, Digamma: 128}
ULPS = 16  # of compositions of functions, each of which is right within some
GRADIENT_ULPS = 256  # as gradients are longer compositions, of Digamma too


def check_samples(record: type[Op], dtypes: Sequence[str]) -> None:
    """Compare all samples of a record, in one program for each dtype.

    Raises:
        AssertionError: a result is not the reference's.
    """
    for dtype in dtypes:
        graph = Graph()
        cases = list(_cases(graph, record, dtype))
        feeds = {x: array for case in cases for x, array in case.feeds.items()}
        results = run(graph, [list(case.outputs) for case in cases], feeds, "xla")
        for case, values in zip(cases, results, strict=True):
            for value, expected in zip(values, case.expected, strict=True):
                _check(case, np.asarray(value), expected)


def check_gradients(record: type[Op]) -> None:
    """Compare the gradients of all samples of a record, in float64.

    Raises:
        AssertionError: a result is not the reference's.
    """
    graph, rng = Graph(), np.random.default_rng(5)
    feeds: dict[Tensor, Array] = {}
    fetches: list[Tensor] = []
    for case in _cases(graph, record, "float64"):
        feeds |= case.feeds
        fetches += _gradients(graph, case, rng, feeds)
    actual, expected = (run(graph, fetches, feeds, backend) for backend in ("xla", "numpy"))
    for made, wanted in zip(actual, expected, strict=True):
        check_close(made, wanted, GRADIENT_ULPS, TERMS)


def _gradients(
    graph: Graph, case: Case, rng: np.random.Generator, feeds: dict[Tensor, Array]
) -> list[Tensor]:
    """The gradients of a weighted sum of a case's outputs; the weights are added to the feeds."""
    if not case.sample.differentiable:
        return []
    ys = [y for y in case.outputs if y.dtype.numpy == np.float64]
    totals = []
    for y in ys:
        shape = case.expected[y.value_index].shape
        factor = placeholder(graph, weights := np.asarray(rng.uniform(0.5, 1.5, shape)))
        feeds[factor] = weights
        with graph.as_default():
            totals.append(reduce.reduce_sum(m.multiply(y, factor)))
    xs = [x for x in case.feeds if x.dtype.numpy == np.float64]
    with graph.as_default():
        found = gradients(totals, xs) if totals and xs else []
        return [dense(gradient) for gradient in found if gradient is not None]


def _cases(graph: Graph, record: type[Op], dtype: str) -> Iterator[Case]:
    for sample in record.samples():
        floating = any(array.dtype == np.float32 for array in sample.arrays())
        if dtype == "float32" or floating:
            case = build(graph, sample, dtype)
            if case is not None:
                yield case


def _check(case: Case, actual: Array, expected: Array) -> None:
    kind = type(case.sample.op)
    if case.sample.exact:
        check_close(actual, expected, 0)
    elif expected.dtype.name in HALVES:
        # Each operation inside a composition is rounded to half precision here.
        check_close(actual, expected, 4, TERMS)
    else:
        check_close(actual, expected, SPECIAL.get(kind, ULPS), TERMS)
