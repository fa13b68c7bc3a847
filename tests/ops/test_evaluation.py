"""Every op and every sample: what it infers, evaluates and lowers to must agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.formula_interpreter import interpret
from thalweg.base.dtypes import as_dtype
from thalweg.base.errors import ShapeError, ThalwegError
from thalweg.base.shapes import compatible
from thalweg.formula import Alias, Formula, Operand, Steps
from thalweg.graph import Graph, Op, Sample, Spec, Tensor
from thalweg.ops.arrays.constant import Constant, Placeholder
from thalweg.ops.build import constant_like
from thalweg.ops.catalogue import ALL
from thalweg.ops.state.scatter import ScatterUpdate

Array = np.ndarray[Any, Any]


def _samples(bad: bool = False) -> list[Any]:
    return [
        pytest.param(sample, id=f"{record.__name__}-{n}")
        for record in ALL
        for n, sample in enumerate(record.bad_samples() if bad else record.samples())
    ]


def _inputs(graph: Graph, sample: Sample) -> list[Tensor]:
    """Constants for the inputs whose value matters when a run is planned, else placeholders."""
    return [
        constant_like(graph, array)
        if n in sample.op.static
        else graph.add(Placeholder(as_dtype(array.dtype), array.shape)).outputs[0]
        for n, array in enumerate(sample.arrays())
    ]


def _outputs(op: Op, arrays: tuple[Array, ...]) -> list[Array]:
    with np.errstate(all="ignore"):
        made = op.evaluate(np, *arrays)
    return [np.asarray(y) for y in (made if isinstance(made, tuple) else (made,))]


def _check_spec(spec: Spec, array: Array) -> None:
    assert compatible(spec.shape, array.shape), (spec, array.shape)
    assert spec.dtype == array.dtype


@pytest.mark.parametrize("sample", _samples())
def test_inferred_specs_are_those_of_the_values(sample: Sample) -> None:
    graph = Graph()
    node = graph.add(sample.op, _inputs(graph, sample))
    arrays = _outputs(sample.op, sample.arrays())
    assert len(node.outputs) == len(arrays)
    for tensor, array in zip(node.outputs, arrays, strict=True):
        _check_spec(tensor.spec, array)


@pytest.mark.parametrize("sample", _samples())
def test_unknown_extents_and_ranks_are_allowed(sample: Sample) -> None:
    for unknown_rank in (False, True):
        graph = Graph()
        specs = [
            Spec(None if unknown_rank else (None,) * array.ndim, as_dtype(array.dtype))
            for array in sample.arrays()
        ]
        inputs = [graph.add(Placeholder(s.dtype, s.shape)).outputs[0] for s in specs]
        try:
            node = graph.add(sample.op, inputs)
        except ShapeError as error:
            if "must be known here" not in str(error):
                raise
            pytest.skip("is only made once shapes are known")
        for tensor, array in zip(node.outputs, _outputs(sample.op, sample.arrays()), strict=True):
            _check_spec(tensor.spec, array)


@pytest.mark.parametrize("sample", _samples())
def test_expansion_computes_the_same(sample: Sample) -> None:
    graph = Graph()
    inputs = _inputs(graph, sample)
    with graph.as_default():
        result = sample.op.expand(*inputs)
    if result is None:
        pytest.skip("stays as it is")
    made = (result,) if isinstance(result, Tensor) else result
    values = dict(zip(inputs, sample.arrays(), strict=True))
    for tensor, expected in zip(made, _outputs(sample.op, sample.arrays()), strict=True):
        actual = _evaluated(tensor, values)
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)


def _evaluated(tensor: Tensor, values: dict[Tensor, Any]) -> Array:
    if tensor not in values:
        arrays = [_evaluated(x, values) for x in tensor.op.inputs]
        values[tensor] = _outputs(tensor.op.record, tuple(arrays))[tensor.value_index]
    result: Array = np.asarray(values[tensor])
    return result


@pytest.mark.parametrize("sample", _samples())
def test_formulas_compute_the_same(sample: Sample) -> None:
    if isinstance(sample.op, Constant) and not sample.op.is_uniform:
        pytest.skip("is read from memory")
    arrays = sample.arrays()
    operands = [Operand(n, a.shape, as_dtype(a.dtype)) for n, a in enumerate(arrays)]
    try:
        lowered = sample.op.lower(*operands)
    except NotImplementedError:
        pytest.skip("has no formula")
    parts = lowered if isinstance(lowered, tuple) else (lowered,)
    for part, expected in zip(parts, _outputs(sample.op, arrays), strict=True):
        if isinstance(part, Alias):
            actual = arrays[part.operand].reshape(expected.shape)
        else:
            try:
                with np.errstate(all="ignore"):
                    actual = _interpreted(part, arrays, expected.dtype)
            except NotImplementedError as unknown:
                pytest.skip(str(unknown))
        _check_close(actual, expected, sample.exact)


def _interpreted(part: Formula | Steps, inputs: Sequence[Array], dtype: np.dtype[Any]) -> Array:
    if isinstance(part, Formula):
        return interpret(part, inputs, dtype)
    arrays = list(inputs)
    for formula, kind in part.before:
        arrays.append(interpret(formula, arrays, kind.numpy))
    return interpret(part.last, arrays, dtype)


def _check_close(actual: Array, expected: Array, exact: bool) -> None:
    assert actual.shape == expected.shape
    if exact or expected.dtype.kind not in "fV":
        np.testing.assert_array_equal(actual, expected)
    else:
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sample", _samples(bad=True))
def test_mistakes_are_reported_when_the_graph_is_built(sample: Sample) -> None:
    graph = Graph()
    inputs = _inputs(graph, sample)
    with pytest.raises(ThalwegError) as caught:
        graph.add(sample.op, inputs)
    assert sample.error
    assert sample.error in str(caught.value)
    assert "test_evaluation.py" in str(caught.value)


def test_every_op_has_samples_but_for_those_that_compute_nothing() -> None:
    missing = {r.__name__ for r in ALL if not list(r.samples())}
    provided = {"Placeholder", "RunCounter", "VariableHandle", "ReadVariable", "Assign"}
    provided |= {r.__name__ for r in ALL if issubclass(r, ScatterUpdate)}
    assert missing == {*provided, "NoOp", "IsVariableInitialized", "Report"}
