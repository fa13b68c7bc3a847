"""The samples of operations on XLA, against the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tests.ops.running import HALVES, Array, Case, build, check_close, run
from thalweg.graph import Graph, Op
from thalweg.ops.catalogue import ALL
from thalweg.ops.elementwise.special import Digamma, Lgamma

SAMPLED = [record for record in ALL if list(record.samples())]
TERMS = 64  # more than any sample's sums have
# XLA's polynomials have errors of some 1e-15, absolute, near the zeros of these.
SPECIAL: dict[type[Op], float] = {Lgamma: 32, Digamma: 128}
ULPS = 16  # of compositions of functions, each of which is right within some


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
        assert actual.dtype == expected.dtype
        check_close(actual, expected, 0)
    elif expected.dtype.name in HALVES:
        # Each operation inside a composition is rounded to half precision here.
        check_close(actual, expected, 4, TERMS)
    else:
        check_close(actual, expected, SPECIAL.get(kind, ULPS), TERMS)
