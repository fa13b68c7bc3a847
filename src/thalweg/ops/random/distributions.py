"""Distributions, written once: functions of uniform numbers over a small set of functions.

The set is either NumPy's (`evaluate`) or the formulas' (`lower`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.base.dtypes import DType
from thalweg.base.errors import DTypeError
from thalweg.base.shapes import Shape, size, strides
from thalweg.formula import (
    FUNCTIONS,
    Affine,
    Const,
    Expr,
    Formula,
    Lowered,
    Operand,
    Position,
    affine,
    apply,
    axes,
)
from thalweg.graph import Op, Operation, Sample, Spec, Tensor
from thalweg.graph.effects import Effects
from thalweg.ops.build import emit
from thalweg.ops.extents import computed_dims, planned_shape
from thalweg.ops.random.philox import Key, unit

Unit: TypeAlias = Callable[[int], Any]  # the element's uniform number of each word


Functions: TypeAlias = Callable[..., Any]  # (name, *arguments): log, sqrt, cos


def _evaluated(xp: Any, name: str, *args: Any) -> Any:
    return FUNCTIONS[name].evaluate(xp, *args)


def _normal(unit: Unit, f: Functions, dtype: DType) -> Any:
    """Box and Muller (1958); `1 - u` is never 0."""
    radius = f("sqrt", f("log", 1 - unit(0)) * -2.0)
    return radius * f("cos", unit(1) * (2 * math.pi))


def _truncated_normal(unit: Unit, f: Functions, dtype: DType) -> Any:
    """The normal distribution within two standard deviations, by its inverse."""
    edge = math.erf(math.sqrt(2))
    return _erfinv((unit(0) * 2.0 - 1.0) * edge, f, dtype) * math.sqrt(2)


# Giles, Approximating the erfinv function (GPU Computing Gems, 2010): the central branches, which
# hold for w < 5 and w < 6.25. Two standard deviations reach w = 2.42.
_ERFINV_32 = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip


_ERFINV_64 = (
    -3.6444120640178196996e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18,
    1.115787767802518096e-17, -1.333171662854620906e-16, 2.0972767875968561637e-17,
    6.6376381343583238325e-15, -4.0545662729752068639e-14, -8.1519341976054721522e-14,
    2.6335093153082322977e-12, -1.2975133253453532498e-11, -5.4154120542946279317e-11,
    1.051212273321532285e-09, -4.1126339803469836976e-09, -2.9070369957882005086e-08,
    4.2347877827932403518e-07, -1.3654692000834678645e-06, -1.3882523362786468719e-05,
    0.0001867342080340571352, -0.00074070253416626697512, -0.0060336708714301490533,
    0.24015818242558961693, 1.6536545626831027356,
)  # fmt: skip


def _erfinv(x: Any, f: Functions, dtype: DType) -> Any:
    """The inverse of the error function for |x| below 0.99."""
    coefficients, center = (_ERFINV_32, 2.5) if dtype == "float32" else (_ERFINV_64, 3.125)
    w = 0.0 - f("log", 1 - x * x) - center
    total = w * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * w + coefficient
    return total * x


_WITHOUT_KEY = {"key": ""}  # it is drawn anew each time unless there is a seed


class Distribution(Op):
    """What random tensors share: one input, the run's number, and no gradient.

    Attributes:
        shape: of the result.
        dtype: float32 or float64.
        key: the seed, two signed numbers of 32 bits.
    """

    effects: ClassVar[Effects] = Effects(draws=True)
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def shown(self) -> Mapping[str, str]:
        return _WITHOUT_KEY

    def draw(self, unit: Unit, f: Functions) -> Any:
        """The element's number, from its uniform numbers in [0, 1)."""
        raise NotImplementedError

    def infer(self, counter: Spec) -> Spec:
        _check_counter(counter)
        return Spec(self.shape, self.dtype)

    def evaluate(self, xp: Any, counter: Any) -> Any:
        element = xp.reshape(xp.arange(size(self.shape), dtype=xp.int64), self.shape)

        def numbers(word: int) -> Any:
            return unit(self.key, counter, element, word, self.dtype, xp)

        return xp.asarray(self.draw(numbers, partial(_evaluated, xp)))

    def lower(self, *inputs: Operand) -> Lowered:
        (counter,) = inputs
        index = axes(*self.shape)
        linear = sum((i * s for i, s in zip(index, strides(self.shape), strict=True)), Affine())
        # A number of the kernel, and so no part of its code: another seed compiles nothing.
        words = [word if isinstance(word, Dim) else Dim(word) for word in self.key]
        key = [Position(affine(word), dtypes.int32) for word in words]
        run, element = counter[()], Position(linear)

        def numbers(word: int) -> Expr:
            args = (*key, run, element, Const(word, dtypes.int32))
            return apply("random_unit", *args, dtype=self.dtype)

        return Formula.make(index, self.draw(numbers, apply))

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        make: Any = cls
        for shape, run in (((2, 3, 5), 0), ((33,), 2**33 + 7), ((), 1)):
            for dtype in (dtypes.float32, dtypes.float64):
                yield Sample(make(shape, dtype, (-5, 17)), (np.int64(run),))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        make: Any = cls
        yield Sample(make((2,), dtypes.float32, (1, 2)), (np.int32(1),), "the run counter")


def _check_counter(counter: Spec) -> None:
    if counter.dtype != dtypes.int64 or counter.shape not in (None, ()):
        raise DTypeError(f"the run counter must be an int64 scalar, not {counter}")


class RandomUniform(Distribution):
    """Uniform numbers in [0, 1)."""

    type: ClassVar[str] = "RandomUniform"
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def shown(self) -> Mapping[str, str]:
        return _WITHOUT_KEY

    def draw(self, unit: Unit, f: Functions) -> Any:
        return unit(0)


class RandomUniformRest(Distribution):
    """What `RandomUniform` of float64 leaves of an element's random bits: other uniform numbers."""

    type: ClassVar[str] = "RandomUniformRest"
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def shown(self) -> Mapping[str, str]:
        return _WITHOUT_KEY

    def draw(self, unit: Unit, f: Functions) -> Any:
        return unit(1)


class RandomNormal(Distribution):
    """Normally distributed numbers, of mean 0 and deviation 1."""

    type: ClassVar[str] = "RandomStandardNormal"
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def shown(self) -> Mapping[str, str]:
        return _WITHOUT_KEY

    def draw(self, unit: Unit, f: Functions) -> Any:
        return _normal(unit, f, self.dtype)


class TruncatedNormal(Distribution):
    """Normally distributed numbers, of mean 0 and deviation 1, none beyond 2."""

    type: ClassVar[str] = "TruncatedNormal"
    shape: tuple[int, ...]
    dtype: DType
    key: Key

    def shown(self) -> Mapping[str, str]:
        return _WITHOUT_KEY

    def draw(self, unit: Unit, f: Functions) -> Any:
        return _truncated_normal(unit, f, self.dtype)


DISTRIBUTIONS: dict[str, Any] = {
    record.type: record
    for record in (RandomUniform, RandomUniformRest, RandomNormal, TruncatedNormal)
}


class RandomOfShape(Op):
    """Random numbers of a shape that a tensor holds.

    Attributes:
        distribution: the type of the record that it becomes once the shape is known.
        dtype: float32 or float64.
        key: the seed.
        dims: what is known of the shape.
    """

    type: ClassVar[str] = "RandomOfShape"
    effects: ClassVar[Effects] = Effects(draws=True)
    static: ClassVar[tuple[int, ...]] = (0,)
    distribution: str
    dtype: DType
    key: Key
    dims: Shape = None

    def shown(self) -> Mapping[str, str]:
        return _WITHOUT_KEY

    def infer(self, shape: Spec, counter: Spec) -> Spec:
        _check_counter(counter)
        return Spec(computed_dims(self.dims, shape), self.dtype)

    def _of(self, shape: Sequence[int]) -> Distribution:
        record: Distribution = DISTRIBUTIONS[self.distribution](tuple(shape), self.dtype, self.key)
        return record

    def evaluate(self, xp: Any, shape: Any, counter: Any) -> Any:
        return self._of([int(extent) for extent in shape]).evaluate(xp, counter)

    def expand(self, *inputs: Tensor) -> Tensor:
        shape, counter = inputs
        return emit(self._of(planned_shape("random", self.dims, shape)), counter)

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [None, None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for kind in DISTRIBUTIONS:
            record = cls(kind, dtypes.float32, (3, 4))
            yield Sample(record, (np.array([2, 3], np.int32), np.int64(9)))

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        record, run = cls("RandomUniform", dtypes.float32, (3, 4)), np.int64(1)
        yield Sample(record, (np.ones(1, np.float32), run), "a shape must be integers, not float32")
        yield Sample(
            record, (np.ones((1, 2), np.int32), run), "a shape must be a vector, not [1, 2]"
        )
