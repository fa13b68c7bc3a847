"""What a graph means: its records' own `evaluate`, in float64, with no passes in between.

How far a result in another precision may be from that depends on the graph: rounding can be
amplified, or cancel. So the graph is evaluated several times more, each time with every rounding
that a run could make replaced by a random one of at most the dtype's epsilon (Parker, "Monte Carlo
arithmetic", 1997). The spread of the results shows how sensitive each element is. Where a
rounding decides about a jump (a floor, a comparison), the spread is as large as the jump.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from thalweg.graph import Operation, Spec, Tensor
from thalweg.ops.arrays.constant import Placeholder, RunCounter
from thalweg.ops.state.variable import Assign, ReadVariable, VariableHandle

Array = np.ndarray[Any, Any]

# Their terms may be added in any order, so that each may be off by an epsilon of its own.
SUMS = {
    "AvgPoolSum", "Conv2D", "Conv2DFilterGrad", "Conv2DInputGrad", "Conv2DTransposed", "GatherGrad",
    "MatMul", "MaxPoolGrad", "MaxPoolScatter", "Mean", "Prod", "Sum", "SumLike", "SumPool",
    "SumPoolGrad", "SumPoolSpread", "SumRepeated", "SumTo", "TileGrad",
}  # fmt: skip
# Transforms of a tile mix its elements, so that an error is relative to the largest of them; and
# normal numbers are products with a cosine, whose error near 0 is that of its argument.
MIXED = {
    "Conv2D", "Conv2DFilterGrad", "Conv2DInputGrad", "Conv2DTransposed",
    "RandomOfShape", "RandomStandardNormal",
}  # fmt: skip
EQUALITIES = {"Equal", "NotEqual"}
NEAR = 8  # epsilons between numbers that roundings may make equal
TRIALS = 3
# Three trials see about the typical error, and elementary functions are good to some ULP: the
# largest error that is allowed is this many times larger.
SPREADS = 48
ULPS = 8


def epsilon(dtype: np.dtype[Any]) -> float:
    """The spacing of numbers at 1."""
    return float(ml_dtypes.finfo(dtype).eps)  # type: ignore[no-untyped-call]


def smallest(dtype: np.dtype[Any]) -> float:
    """The smallest normal number: what is below it may be flushed to zero."""
    return float(ml_dtypes.finfo(dtype).smallest_normal)  # type: ignore[no-untyped-call]


@dataclass
class Inputs:
    """What a run is given: arrays by tensor, variables by name, and how many runs there were."""

    fed: Mapping[Tensor, Array]
    state: Mapping[str, Array]
    counter: int = 0


class Reference:
    """The values of a graph's tensors in float64.

    Args:
        inputs: what the run is given.
        random: where roundings come from; None for none at all.
        scale: by how many epsilons.
    """

    def __init__(
        self, inputs: Inputs, random: np.random.Generator | None = None, scale: float = 1
    ) -> None:
        self._inputs, self._random, self._scale = inputs, random, scale
        self._values: dict[Tensor, Array] = {t: _wide(t, a) for t, a in inputs.fed.items()}

    def give(self, inputs: Inputs) -> None:
        """More inputs, for what is evaluated from now on."""
        self._inputs = inputs
        for tensor, array in inputs.fed.items():
            if tensor not in self._values:
                self._values[tensor] = _wide(tensor, array)

    def value(self, tensor: Tensor) -> Array:
        """The value of a tensor; those on the way to it are kept."""
        with np.errstate(all="ignore"):
            for op in self._missing(tensor):
                self._evaluate(op)
        return self._values[tensor]

    def _missing(self, tensor: Tensor) -> list[Operation]:
        found: set[Operation] = set()
        waiting = [tensor]
        while waiting:
            current = waiting.pop()
            if current not in self._values and current.op not in found:
                found.add(current.op)
                waiting.extend(current.op.inputs)
        return sorted(found, key=lambda op: op.index)

    def _evaluate(self, op: Operation) -> None:
        arrays = [self._values[x] for x in op.inputs]
        match op.record:
            case Placeholder():
                raise KeyError(f"{op.name} is not fed")
            case RunCounter():
                made: Any = np.asarray(self._inputs.counter, np.int64)
            case VariableHandle():
                made = self._inputs.state[op.name]
            case ReadVariable():
                made = arrays[0]
            case Assign():
                made = arrays[1]
            case record:
                specs = [Spec(a.shape, x.dtype) for x, a in zip(op.inputs, arrays, strict=True)]
                record.infer(*specs)  # which refuses what does not fit
                if op.type in SUMS:
                    arrays = [self._rounded(x, a) for x, a in zip(op.inputs, arrays, strict=True)]
                made = record.evaluate(np, *arrays)
                if op.type in EQUALITIES:
                    made = made ^ self._almost_equal(op.inputs[0], *arrays)
                if op.type == "Sub":  # of numbers that roundings may make equal
                    made = np.where(self._almost_equal(op.inputs[0], *arrays), 0, made)
        outputs = made if isinstance(made, tuple) else (made,)
        for tensor, array in zip(op.outputs, outputs, strict=True):
            wide = _wide(tensor, array)
            if not isinstance(op.record, VariableHandle | ReadVariable | Assign):
                wide = self._rounded_result(tensor, wide)
            self._values.setdefault(tensor, wide)

    def _almost_equal(self, tensor: Tensor, a: Array, b: Array) -> Array:
        """Where roundings decide whether numbers are equal: nothing can be said there."""
        if self._random is None or not tensor.dtype.is_floating:
            return np.zeros(np.shape(a), bool)
        near = NEAR * epsilon(tensor.dtype.numpy) * self._scale
        distance = np.abs(a - b)
        return np.asarray((distance > 0) & (distance <= near * np.maximum(np.abs(a), np.abs(b))))

    def _rounded(self, tensor: Tensor, array: Array) -> Array:
        """The array with a random rounding of every element."""
        if self._random is None or not tensor.dtype.is_floating:
            return array
        error = self._random.uniform(-1, 1, array.shape) * epsilon(tensor.dtype.numpy)
        return np.asarray(array * (1 + self._scale * error))

    def _rounded_result(self, tensor: Tensor, array: Array) -> Array:
        """The array with a random rounding of what the dtype cannot hold.

        A number below the smallest normal one may be flushed to zero, whatever multiplies it later,
        and one above the largest is infinite, so that nothing can be said of what follows from it.
        """
        if self._random is None or not tensor.dtype.is_floating:
            return array
        limit = float(ml_dtypes.finfo(tensor.dtype.numpy).max)  # type: ignore[no-untyped-call]
        array = np.where(np.abs(array) > limit, np.sign(array) * np.inf, array)
        is_subnormal = np.abs(array) < smallest(tensor.dtype.numpy)
        array = np.where(is_subnormal, array * self._random.uniform(0, 1, array.shape), array)
        exact = array.astype(tensor.dtype.numpy).astype(np.float64) == array
        wide = tensor.dtype.numpy == np.float64  # which cannot tell what is exact
        rounded = self._rounded(tensor, array)
        if tensor.op.type in MIXED and array.size:
            largest = (
                np.abs(array[np.isfinite(array)]).max(initial=0)
                * epsilon(tensor.dtype.numpy)
                * self._scale
            )
            return np.asarray(rounded + self._random.uniform(-largest, largest, array.shape))
        if wide:
            exact = array.astype(np.float32).astype(np.float64) == array
        return np.where(exact, array, rounded)


def _wide(tensor: Tensor, array: Any) -> Array:
    kind = np.float64 if tensor.dtype.is_floating else tensor.dtype.numpy
    return np.asarray(array).astype(kind)


@dataclass(frozen=True)
class Expected:
    """What a tensor should be, and by how much each element may be off.

    Attributes:
        values: in float64, or exact for what is not floating.
        slack: infinite where nothing can be said.
    """

    values: Array
    slack: Array


def expected(
    tensors: Sequence[Tensor], inputs: Inputs, trials: int = TRIALS, scale: float = 1
) -> list[Expected]:
    """What the tensors should be.

    Args:
        tensors: of one graph.
        inputs: of the run.
        trials: how many times to evaluate the graph with random roundings.
        scale: of how many epsilons they are.
    """
    exact = Reference(inputs)
    values = [exact.value(tensor) for tensor in tensors]
    tried = [Reference(inputs, np.random.default_rng(n), scale) for n in range(trials)]
    spreads = [
        _spread(value, [one.value(tensor) for one in tried])
        for tensor, value in zip(tensors, values, strict=True)
    ]
    pairs = zip(tensors, values, spreads, strict=True)
    return [Expected(value, _slack(tensor, value, spread)) for tensor, value, spread in pairs]


def _spread(value: Array, others: Iterable[Array]) -> Array:
    """The largest distance from the value; infinite where it makes a difference in kind."""
    if value.dtype.kind != "f":
        differs = [other != value for other in others]
        return np.where(np.any(differs, axis=0), np.inf, 0.0)
    largest = np.zeros(value.shape)
    with np.errstate(all="ignore"):
        for other in others:
            distance = np.where(_same(other, value), 0.0, np.abs(other - value))
            largest = np.maximum(largest, np.where(np.isnan(distance), np.inf, distance))
    return largest


def _same(a: Array, b: Array) -> Array:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))


def _slack(tensor: Tensor, value: Array, spread: Array) -> Array:
    if not tensor.dtype.is_floating:
        return spread
    dtype = tensor.dtype.numpy
    own = np.where(np.isfinite(value), np.abs(value), 0) * epsilon(dtype) * ULPS
    return np.asarray(SPREADS * spread + own + 4 * smallest(dtype))


def mismatch(actual: Array, wanted: Expected) -> str | None:
    """What is wrong with a result, or None."""
    if actual.shape != wanted.values.shape:
        return f"the shape is {list(actual.shape)}, not {list(wanted.values.shape)}"
    got = actual.astype(np.float64) if wanted.values.dtype == np.float64 else actual
    with np.errstate(all="ignore"):
        near = np.abs(got.astype(np.float64) - wanted.values.astype(np.float64)) <= wanted.slack
        good = _same(got, wanted.values) | near | np.isinf(wanted.slack)
    if good.all():
        return None
    at = tuple(int(n) for n in np.argwhere(~good)[0])
    wrong = int((~good).sum())
    return (
        f"{wrong} of {good.size} elements are wrong; the first, at {list(at)} of "
        f"{list(good.shape)}, is {got[at]}, not {wanted.values[at]} +- {wanted.slack[at]:.3g}"
    )
