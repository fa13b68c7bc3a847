"""Gradients of every differentiable op against central differences of the reference, in float64."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.ops.running import Array, Case, build, evaluate, placeholder, run
from tests.shares import one_in
from thalweg.autodiff.gradients import gradients
from thalweg.autodiff.indexed_slices import dense
from thalweg.base.errors import ShapeError
from thalweg.graph import Graph, Op, Tensor
from thalweg.ops.arrays.reshape import StopGradient
from thalweg.ops.catalogue import ALL
from thalweg.ops.elementwise import math as m
from thalweg.ops.elementwise.division import FloorDiv
from thalweg.ops.elementwise.rounding import Rounding
from thalweg.ops.reduction import reduce

STEP = 1e-5  # the differences' own error is about STEP**2 by curvature and 1e-16 / STEP by rounding
TOLERANCE = 1e-7


def _is_tested(record: type[Op]) -> bool:
    return (
        record.differentiable
        # The gradient of what is flat with jumps is None, and StopGradient is there to be wrong.
        and not issubclass(record, Rounding | FloorDiv | StopGradient)
        and any(_floats(sample.arrays()) for sample in record.samples() if sample.differentiable)
    )


def _floats(arrays: tuple[Array, ...]) -> list[int]:
    return [n for n, array in enumerate(arrays) if array.dtype.kind == "f"]


def _needs_shapes(error: ShapeError) -> bool:
    return any(text in str(error) for text in ("must be known here", "needs its height and width"))


def _differences(case: Case, number: int, weights: Mapping[int, Array]) -> Array:
    """The derivatives of a weighted sum of outputs by an input."""
    arrays = list(case.arrays)
    result = np.zeros(arrays[number].shape)
    for at in np.ndindex(*result.shape):
        sums = []
        for step in (STEP, -STEP):
            moved = case.arrays[number].copy()
            moved[at] += step
            arrays[number] = moved
            outputs = evaluate(case.sample.op, arrays)
            sums.append(sum(float((outputs[n] * w).sum()) for n, w in weights.items()))
        result[at] = (sums[0] - sums[1]) / (2 * STEP)
    return result


TESTED = [record for record in ALL if _is_tested(record)]
# Known and open extents, the ones first for one record and the others for the next.
BOTH = [(r, bool((n + m) % 2)) for n, r in enumerate(TESTED) for m in range(2)]


@pytest.mark.parametrize(("record", "dynamic"), one_in(2, BOTH))
def test_gradients_are_those_of_differences(record: type[Op], dynamic: bool) -> None:
    graph, rng = Graph(), np.random.default_rng(5)
    made = [build(graph, s, "float64", dynamic) for s in record.samples() if s.differentiable]
    feeds: dict[Tensor, Array] = {}
    fetches: list[Tensor] = []
    expected: list[Array] = []
    for case in made:
        ys = [] if case is None else [y for y in case.outputs if y.dtype.numpy == np.float64]
        if case is None or not ys:
            continue
        feeds |= case.feeds
        weights = {
            y.value_index: np.asarray(rng.uniform(0.5, 1.5, case.expected[y.value_index].shape))
            for y in ys
        }
        factors = [placeholder(graph, weights[y.value_index], dynamic) for y in ys]
        feeds |= zip(factors, weights.values(), strict=True)
        floats = [n for n in _floats(case.arrays) if case.inputs[n] in case.feeds]
        with graph.as_default():
            pairs = zip(ys, factors, strict=True)
            totals = [reduce.reduce_sum(m.multiply(y, factor)) for y, factor in pairs]
            try:
                found = gradients(totals, [case.inputs[n] for n in floats])
                made_gradients = [None if g is None else dense(g) for g in found]
            except ShapeError as error:
                if not dynamic or not _needs_shapes(error):
                    raise
                continue
        for n, gradient in zip(floats, made_gradients, strict=True):
            difference = _differences(case, n, weights)
            if gradient is None:
                np.testing.assert_allclose(difference, 0, atol=TOLERANCE)
            else:
                fetches.append(gradient)
                expected.append(difference)
    if not fetches:
        pytest.skip("nothing to compare")
    for backend in ("numpy", "llvm"):
        for actual, wanted in zip(run(graph, fetches, feeds, backend), expected, strict=True):
            assert np.shape(actual) == wanted.shape
            scale = float(np.abs(wanted).max(initial=1))
            np.testing.assert_allclose(actual, wanted, rtol=TOLERANCE, atol=TOLERANCE * scale)
