"""What the tests of operations on backends share: running graphs, comparing, samples as graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.graph import Graph, Op, Sample, Tensor
from thalweg.ops.arrays.constant import Constant, Placeholder
from thalweg.ops.build import constant_like
from thalweg.session.config import ConfigProto
from thalweg.session.session import Session

Array = np.ndarray[Any, Any]
Feeds = Mapping[Any, Any]
HALVES = {"float16", "bfloat16"}


def run(graph: Graph, fetches: Any, feeds: Feeds, backend: str = "llvm") -> Any:
    """The fetches' values in a session of their own."""
    with np.errstate(all="ignore"):
        session = Session(graph=graph, config=ConfigProto(backend=backend))
        try:
            return session.run(fetches, feeds)
        finally:
            session.close()


def as_array(value: Any) -> Array:
    """A result of a run as an array; a string stays the object that it is."""
    return np.asarray(value, object if isinstance(value, bytes) else None)


def placeholder(graph: Graph, array: Array, dynamic: bool = False) -> Tensor:
    """A placeholder for an array, whose extents are all unknown if `dynamic`."""
    shape = (None,) * array.ndim if dynamic else array.shape
    return graph.add(Placeholder(as_dtype(array.dtype), shape)).outputs[0]


def evaluate(op: Op, arrays: Sequence[Array]) -> list[Array]:
    """The outputs by the reference."""
    with np.errstate(all="ignore"):
        made = op.evaluate(np, *arrays)
    return [np.asarray(y) for y in (made if isinstance(made, tuple) else (made,))]


@dataclass(frozen=True)
class Case:
    """A sample as a node of a graph, with what to feed."""

    sample: Sample
    arrays: tuple[Array, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def feeds(self) -> dict[Tensor, Array]:
        pairs = zip(self.inputs, self.arrays, strict=True)
        return {x: a for x, a in pairs if not isinstance(x.op.record, Constant)}

    @property
    def expected(self) -> list[Array]:
        return evaluate(self.sample.op, self.arrays)


def build(graph: Graph, sample: Sample, dtype: str, dynamic: bool = False) -> Case | None:
    """The sample on placeholders; None where the op is not made for the dtype or such shapes.

    Args:
        graph: where to add it.
        sample: a sample whose floating inputs are float32.
        dtype: what to make of these.
        dynamic: whether extents are unknown when the graph is built.
    """
    arrays = tuple(_as(array, dtype) for array in sample.arrays())
    inputs = tuple(
        constant_like(graph, array)
        if n in sample.op.static and not dynamic
        else placeholder(graph, array, dynamic)
        for n, array in enumerate(arrays)
    )
    try:
        node = graph.add(sample.op, inputs)
    except DTypeError:
        if dtype == "float32":
            raise
        return None
    except ShapeError as error:
        if "must be known here" not in str(error):
            raise
        return None
    return Case(sample, arrays, inputs, node.outputs)


def _as(array: Array, dtype: str) -> Array:
    return array.astype(as_dtype(dtype).numpy) if array.dtype == np.float32 else array


def epsilon(dtype: np.dtype[Any]) -> float:
    """The spacing of numbers at 1."""
    return float(ml_dtypes.finfo(dtype).eps)  # type: ignore[no-untyped-call]


def check_close(
    actual: Any, expected: Any, ulps: float = 16, terms: int = 1, scale: float | None = None
) -> None:
    """Compare floating-point results, and anything else exactly.

    Args:
        actual: the native result.
        expected: the reference's.
        ulps: relative error of each term, in units of the dtype's epsilon.
        terms: how many terms a sum has: both orders of addition may be off by `terms` epsilons.
        scale: the magnitude of the terms' absolute sum; the largest result unless given.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    if expected.dtype.kind not in "fV":
        np.testing.assert_array_equal(actual, expected)
        return
    eps = epsilon(expected.dtype)
    wide = expected.astype(np.float64)
    finite = np.abs(wide[np.isfinite(wide)])
    size = float(finite.max(initial=0)) if scale is None else scale
    absolute = terms * eps * size if terms > 1 or scale is not None else 0.0
    np.testing.assert_allclose(actual.astype(np.float64), wide, rtol=ulps * eps, atol=absolute)
