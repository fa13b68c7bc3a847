"""Every record's samples, in all types that the record takes."""

from __future__ import annotations

import numpy as np

import thalweg as tf
from tests.fuzz.bench import WrongResultError
from tests.fuzz.reference import Inputs, expected, mismatch
from tests.ops.running import Case, build
from thalweg.graph import Graph, Tensor
from thalweg.ops.catalogue import ALL

SAMPLED = [record for record in ALL if list(record.samples())]
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
    for sample in record.samples():
        floating = any(array.dtype == np.float32 for array in sample.arrays())
        made += [build(graph, sample, dtype) for dtype in DTYPES[: None if floating else 1]]
    return [case for case in made if case is not None]


def _describe(tensor: Tensor) -> str:
    given = ", ".join(str(x.spec) for x in tensor.op.inputs)
    return f"{tensor.op.record!r} of {given}"
