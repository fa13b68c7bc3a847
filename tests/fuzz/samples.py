"""Every record's samples, in all types that the record takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import thalweg as tf
from tests.fuzz.bench import WrongResultError
from tests.fuzz.reference import Inputs, expected, mismatch
from tests.ops.running import Case, build
from thalweg.base.record import replace
from thalweg.graph import Graph, Op, Sample, Tensor
from thalweg.ops.catalogue import ALL
from thalweg.ops.elementwise.conversion import Cast
from thalweg.ops.elementwise.pointwise import Pointwise

SAMPLED = [record for record in ALL if list(record.samples())]
ROWS = (0, 1, 9, 17, 33)
DTYPES = ("float32", "float64", "float16", "bfloat16")


def run_samples(number: int) -> None:
    """Check the samples of a record.

    Raises:
        WrongResultError: if one of them is wrong.
    """
    graph = Graph()
    cases = _cases(graph, number)
    feeds = {x: array for case in cases for x, array in case.feeds.items()}
    fetches = [output for case in cases for output in case.outputs]
    with tf.Session(graph=graph) as session:
        values = session.run(fetches, feeds)
    wanted = expected(fetches, Inputs(feeds, {}))
    for tensor, value, want in zip(fetches, values, wanted, strict=True):
        if (problem := mismatch(np.asarray(value), want)) is not None:
            raise WrongResultError(f"{_describe(tensor)}: {problem}")


def _cases(graph: Graph, number: int) -> list[Case]:
    record = SAMPLED[number]
    made = []
    for sample in _samples(record):
        floating = any(array.dtype == np.float32 for array in sample.arrays())
        made += [build(graph, sample, dtype) for dtype in _dtypes(floating)]
    return [case for case in made if case is not None and not _holds_strings(case)]


def _holds_strings(case: Case) -> bool:
    """Whether there is nothing that could be computed in float64."""
    return any(tensor.dtype.is_string for tensor in (*case.inputs, *case.outputs))


def _dtypes(floating: bool) -> list[str]:
    return list(DTYPES) if floating else ["float32"]


def _samples(record: type[Op]) -> Iterator[Sample]:
    """The samples; those of single elements in rows around the lanes of vectors as well."""
    yield from record.samples()
    if issubclass(record, Pointwise | Cast):
        first = next(iter(record.samples()))
        for extent in ROWS:
            rows = tuple(np.resize(array, (2, extent)) for array in first.arrays())
            yield replace(first, inputs=rows)


def _describe(tensor: Tensor) -> str:
    given = ", ".join(str(x.spec) for x in tensor.op.inputs)
    return f"{tensor.op.record!r} of {given}"
