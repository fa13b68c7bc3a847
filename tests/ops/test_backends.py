"""Every op and every sample as native code against the NumPy reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg.ops.math  # noqa: F401  tensors' operators
from tests.ops.running import HALVES, Array, Case, build, check_close, epsilon, placeholder, run
from thalweg.backends.llvm.vector_math import BOUNDS
from thalweg.graph import Graph, Op
from thalweg.ops import pointwise, reduce
from thalweg.ops.catalogue import ALL

SAMPLED = [record for record in ALL if list(record.samples())]
HALF = [
    pointwise.Add, pointwise.Mul, pointwise.Div, pointwise.Exp, pointwise.Tanh, pointwise.Relu,
    pointwise.Maximum, pointwise.Select, pointwise.Less, reduce.Sum, reduce.Max, reduce.ArgMax,
]  # fmt: skip
DTYPES = ["float32", "float64"]
PAIRS = [(record, dtype) for record in SAMPLED for dtype in DTYPES] + [
    (record, dtype) for record in HALF for dtype in sorted(HALVES)
]
TERMS = 64  # more than any sample's sums have


def _cases(graph: Graph, record: type[Op], dtype: str, dynamic: bool) -> list[Case]:
    made = [
        build(graph, sample, dtype, dynamic)
        for sample in record.samples()
        if dtype == "float32" or any(a.dtype == np.float32 for a in sample.arrays())
    ]
    cases = [case for case in made if case is not None]
    if not cases:
        pytest.skip("is not made like this")
    return cases


def _parameters() -> Any:
    return pytest.mark.parametrize(
        ("record", "dtype"), [pytest.param(r, d, id=f"{r.__name__}-{d}") for r, d in PAIRS]
    )


def _ulps(record: type[Op]) -> float:
    """Native functions keep to `BOUNDS`; NumPy's own are within 4 ULP, compositions within 16.

    A ULP is at most one epsilon, relative to the result.
    """
    bounds = BOUNDS.get(record.__name__.lower())
    return 4 + max(bounds) if bounds else 16


def _check(case: Case, actual: Array, expected: Array) -> None:
    if case.sample.exact:
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)
    elif expected.dtype.name in HALVES:
        # NumPy rounds every step of a sum or a composition to half precision, native code the
        # result alone.
        check_close(actual, expected, 2, TERMS if expected.size < case.arrays[0].size else 1)
    else:
        sums = not isinstance(case.sample.op, pointwise.Elementary)
        check_close(actual, expected, _ulps(type(case.sample.op)), TERMS if sums else 1)


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@_parameters()
def test_native_code_computes_the_same(record: type[Op], dtype: str, dynamic: bool) -> None:
    graph = Graph()
    cases = _cases(graph, record, dtype, dynamic)
    feeds = {x: a for case in cases for x, a in case.feeds.items()}
    fetches = [list(case.outputs) for case in cases]
    for backend in ("numpy", "llvm"):
        for case, values in zip(cases, run(fetches, feeds or None, backend) if feeds else
                                _run_in(graph, fetches, backend), strict=True):
            for value, expected in zip(values, case.expected, strict=True):
                actual = np.asarray(value)
                assert actual.shape == expected.shape
                assert actual.dtype == expected.dtype
                _check(case, actual, expected)
