"""Every op and every sample as native code against the NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.running import (
    HALVES,
    Array,
    Case,
    as_array,
    build,
    check_close,
    epsilon,
    placeholder,
    run,
)
from tests.shares import one_in
from thalweg.backends.native.llvm.elementary import BOUNDS
from thalweg.base import dtypes
from thalweg.graph import Graph, Op, Tensor
from thalweg.ops.catalogue import ALL
from thalweg.ops.elementwise import math as m
from thalweg.ops.elementwise.arithmetic import Add, Mul
from thalweg.ops.elementwise.comparison import Less
from thalweg.ops.elementwise.division import Div
from thalweg.ops.elementwise.exponential import Exp
from thalweg.ops.elementwise.extremes import Maximum, Relu
from thalweg.ops.elementwise.hyperbolic import Acosh, Asinh, Tanh
from thalweg.ops.elementwise.pointwise import Unary
from thalweg.ops.elementwise.selection import Select
from thalweg.ops.elementwise.special import Digamma, Erfc, Lgamma
from thalweg.ops.elementwise.trigonometric import Atan, Atan2, Tan
from thalweg.ops.reduction import reduce
from thalweg.ops.reduction.cumulative import Cumprod, Cumsum
from thalweg.ops.reduction.position import ArgMax
from thalweg.ops.reduction.reduction import Sum

SAMPLED = [record for record in ALL if list(record.samples())]
HALF = {
    Add, Mul, Div, Exp, Tanh, Relu,
    Maximum, Select, Less, Sum, reduce.Max, ArgMax,
    Asinh, Acosh, Atan, Atan2, Tan, Erfc, Lgamma, Digamma, Cumsum, Cumprod,
}  # fmt: skip
TERMS = 64  # more than any sample's sums have
# Known and open extents, the ones first for one record and the others for the next.
BOTH = [(r, bool((n + m) % 2)) for n, r in enumerate(SAMPLED) for m in range(2)]


def _cases(graph: Graph, record: type[Op], dynamic: bool) -> list[Case]:
    """The samples in all the dtypes that they are tested with."""
    made = []
    for sample in record.samples():
        floating = any(array.dtype == np.float32 for array in sample.arrays())
        halves = sorted(HALVES) if record in HALF else []
        kinds = ["float32", *(["float64", *halves] if floating else [])]
        made += [build(graph, sample, kind, dynamic) for kind in kinds]
    cases = [case for case in made if case is not None]
    if not cases:
        pytest.skip("is only made once shapes are known")
    return cases


def _check(case: Case, actual: Array, expected: Array) -> None:
    """Native functions keep to `BOUNDS`, NumPy's own to 4 ULP, compositions of them to 16.

    A ULP is at most one epsilon, relative to the result. Results that may be sums may be off by an
    epsilon of the largest for each term.
    """
    op = case.sample.op
    if case.sample.exact:
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)
    elif expected.dtype.name in HALVES:
        # An elementary function or a sum that is rounded to half precision may be one number off.
        check_close(actual, expected, 1, TERMS if isinstance(op, Sum) else 1)
    else:
        bounds = BOUNDS.get(type(op).__name__.lower())
        sums = not isinstance(op, Unary)
        check_close(actual, expected, 4 + max(bounds) if bounds else 16, TERMS if sums else 1)


@pytest.mark.parametrize(("record", "dynamic"), one_in(2, BOTH))
def test_outputs_are_the_reference_s(record: type[Op], dynamic: bool) -> None:
    graph = Graph()
    cases = _cases(graph, record, dynamic)
    feeds = {x: array for case in cases for x, array in case.feeds.items()}
    for backend in ("numpy", "llvm"):
        results = run(graph, [list(case.outputs) for case in cases], feeds, backend)
        for case, values in zip(cases, results, strict=True):
            for value, expected in zip(values, case.expected, strict=True):
                assert np.shape(value) == expected.shape
                _check(case, as_array(value), expected)


def _consumed(graph: Graph, tensor: Tensor, other: Tensor) -> list[Tensor]:
    """Pointwise and reducing consumers, so that the op is inlined or has an epilogue."""
    with graph.as_default():
        wide = tensor if tensor.dtype == other.dtype else m.cast(tensor, other.dtype)
        result = wide * 1.5 + other
        sums = [reduce.reduce_sum(m.square(wide))]
        if other.static_shape:
            sums.append(reduce.reduce_sum(wide + other, -1))
        return [result, *sums]


@pytest.mark.parametrize(("record", "dynamic"), one_in(5, BOTH))
def test_fused_with_consumers(record: type[Op], dynamic: bool) -> None:
    graph, rng = Graph(), np.random.default_rng(3)
    cases = [c for c in _cases(graph, record, dynamic) if c.arrays or not dynamic]
    fetches: list[list[Tensor]] = []
    feeds: dict[Tensor, Array] = {}
    scales: list[float] = []
    for case in cases:
        feeds |= case.feeds
        for output, expected in zip(case.outputs, case.expected, strict=True):
            if output.dtype.is_string:
                continue  # nothing to compute with
            double = output.dtype == dtypes.float64
            kind = np.dtype(np.float64 if double else np.float32)
            array = np.asarray(rng.normal(size=expected.shape), kind)
            other = placeholder(graph, array, dynamic)
            feeds[other] = array
            fetches.append(_consumed(graph, output, other))
            wide = expected.astype(np.float64)
            finite = np.abs(wide[np.isfinite(wide)])
            # A half-precision value may be rounded to the next number.
            excess = epsilon(expected.dtype) / epsilon(kind) if output.dtype.name in HALVES else 1
            scales.append(float(finite.max(initial=1)) * excess)
    reference = run(graph, fetches, feeds, "numpy")
    native = run(graph, fetches, feeds)
    for actual, expected, scale in zip(native, reference, scales, strict=True):
        check_close(actual[0], expected[0], 32, TERMS, scale=scale)
        # The terms of the first sum are squares, at most TERMS of them large.
        check_close(actual[1], expected[1], 32, TERMS, scale=max(scale, scale**2))
        for value, wanted in zip(actual[2:], expected[2:], strict=True):
            check_close(value, wanted, 32, TERMS, scale=4 * scale)
