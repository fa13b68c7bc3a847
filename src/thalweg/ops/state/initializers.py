"""Initialisers: what makes the initial value of a variable once its shape is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from thalweg.base import dtypes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import InvalidArgumentError, ShapeError
from thalweg.base.record import Record
from thalweg.base.shapes import as_shape, known, show, size
from thalweg.graph import Tensor
from thalweg.ops.arrays import create
from thalweg.ops.arrays.reshape import reshape, transpose
from thalweg.ops.build import float_dtype
from thalweg.ops.elementwise.arithmetic import sign
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.linalg.band import matrix_band_part
from thalweg.ops.linalg.qr import qr
from thalweg.ops.random.random import random_normal, random_uniform, truncated_normal
from thalweg.ops.reduction.reduce import reduce_sum

Extents = tuple[int, ...]


class Initializer:
    """What initialisers share: a call with a shape makes the value, as a tensor.

    Attributes:
        dtype: the element type where a call names none.
    """

    dtype: Any = dtypes.float32

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value of a variable.

        Args:
            shape: of the variable, fully known.
            dtype: its element type; by default that of the initialiser.
            partition_info: accepted for TensorFlow 1 and ignored.

        Raises:
            ShapeError: if the shape is not fully known, or has a rank that the initialiser lacks.
            DTypeError: if numbers of that type cannot be drawn.
            InvalidArgumentError: if the arguments of the initialiser make no sense.
        """
        kind = as_dtype(self.dtype if dtype is None else dtype)
        return self.make(known(as_shape(shape)), kind)

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        """The value of a known shape."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments of the class, with the dtype as a name."""
        return {**vars(self), "dtype": str(as_dtype(self.dtype))}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The initialiser that a `get_config` describes."""
        return cls(**config)


class Zeros(Record, Initializer):
    """Makes variables that begin as zeros (False for bool)."""

    dtype: Any = dtypes.float32

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        return create.zeros(shape, dtype)


class Ones(Record, Initializer):
    """Makes variables that begin as ones (True for bool)."""

    dtype: Any = dtypes.float32

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        return create.ones(shape, dtype)


class Constant(Record, Initializer):
    """Makes variables that begin as given numbers.

    Args:
        value: a number, nested list or array. The last element is repeated if there are too few.
        dtype: the element type where a call names none.
        verify_shape: whether `value` must have the shape already.
    """

    value: Any = 0
    dtype: Any = dtypes.float32
    verify_shape: bool = False

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        if np.ndim(self.value) == 0 and not self.verify_shape:
            return create.fill(shape, create.constant(self.value, dtype))
        return create.constant(self.value, dtype, shape, verify_shape=self.verify_shape)


class RandomUniform(Record, Initializer):
    """Makes variables of numbers drawn uniformly from `[minval, maxval)`.

    Args:
        minval: the lower bound.
        maxval: the upper bound; 1 for floating types if not given.
        seed: see `set_random_seed`.
        dtype: the element type where a call names none.
    """

    minval: Any = 0
    maxval: Any = None
    seed: int | None = None
    dtype: Any = dtypes.float32

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        return random_uniform(shape, self.minval, self.maxval, dtype, seed=self.seed)


class RandomNormal(Record, Initializer):
    """Makes variables of normally distributed numbers.

    Args:
        mean: of the distribution.
        stddev: its standard deviation.
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.
    """

    mean: Any = 0.0
    stddev: Any = 1.0
    seed: int | None = None
    dtype: Any = dtypes.float32

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        return random_normal(shape, self.mean, self.stddev, dtype, seed=self.seed)


class TruncatedNormal(Record, Initializer):
    """As `random_normal_initializer`, with no number beyond two standard deviations.

    Args:
        mean: of the distribution.
        stddev: its standard deviation before truncation.
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.
    """

    mean: Any = 0.0
    stddev: Any = 1.0
    seed: int | None = None
    dtype: Any = dtypes.float32

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        return truncated_normal(shape, self.mean, self.stddev, dtype, seed=self.seed)


class UniformUnitScaling(Record, Initializer):
    """Makes weights that keep the variance of what is multiplied by them: uniform numbers.

    They lie within `factor * sqrt(3 / n)`, where n is the product of all extents but the last.

    Args:
        factor: of the bounds.
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.

    Source: Sussillo and Abbott, Random Walk Initialization, arXiv:1412.6558.
    """

    factor: float = 1.0
    seed: int | None = None
    dtype: Any = dtypes.float32

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        limit = math.sqrt(3 / max(size(shape[:-1]), 1)) * self.factor
        return random_uniform(shape, -limit, limit, float_dtype(dtype), seed=self.seed)


# The standard deviation of a standard normal distribution cut off at -2 and 2.
_TRUNCATED_STDDEV = 0.87962566103423978

_FANS: dict[str, Callable[[float, float], float]] = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
}


def fans(shape: Extents) -> tuple[int, int]:
    """How many inputs each output of a layer has, and how many outputs each input reaches.

    Args:
        shape: of the layer's weights: `[inputs, outputs]`, or `[..., inputs, outputs]` for filters.
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    field = size(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class VarianceScaling(Initializer):
    """Makes weights of the variance `scale / n`, where n depends on the shape.

    Args:
        scale: the factor, positive.
        mode: what n is: "fan_in", the number of inputs of each output; "fan_out", the number of
            outputs of each input; or "fan_avg", the mean of both.
        distribution: "truncated_normal" or "normal", which are the same, "untruncated_normal" or
            "uniform".
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.

    Raises:
        ValueError: if the scale is not positive, or there is no such mode or distribution.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:
        if not scale > 0:
            raise InvalidArgumentError(f"scale must be positive, not {scale!r}")
        if mode not in _FANS or distribution not in _DRAWN:
            raise InvalidArgumentError(
                f"mode must be one of {', '.join(_FANS)} and distribution one of "
                f"{', '.join(_DRAWN)}; they are {mode!r} and {distribution!r}"
            )
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.seed, self.dtype = seed, dtype

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        variance = self.scale / max(1.0, _FANS[self.mode](*fans(shape)))
        draw = _DRAWN[self.distribution]
        return draw(shape, math.sqrt(variance), float_dtype(dtype), self.seed)


def _truncated(shape: Extents, stddev: float, dtype: DType, seed: int | None) -> Tensor:
    return truncated_normal(shape, 0.0, stddev / _TRUNCATED_STDDEV, dtype, seed=seed)


def _untruncated(shape: Extents, stddev: float, dtype: DType, seed: int | None) -> Tensor:
    return random_normal(shape, 0.0, stddev, dtype, seed=seed)


def _uniform(shape: Extents, stddev: float, dtype: DType, seed: int | None) -> Tensor:
    limit = math.sqrt(3) * stddev
    return random_uniform(shape, -limit, limit, dtype, seed=seed)


_DRAWN: dict[str, Callable[[Extents, float, DType, int | None], Tensor]] = {
    "normal": _truncated,
    "truncated_normal": _truncated,
    "untruncated_normal": _untruncated,
    "uniform": _uniform,
}


class _Glorot(VarianceScaling):
    """A scaling by the mean of the numbers of inputs and outputs, which has two arguments left."""

    own: ClassVar[str]

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", self.own, seed, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "dtype": str(as_dtype(self.dtype))}


class GlorotUniform(_Glorot):
    """Makes weights drawn uniformly from within `sqrt(6 / (inputs + outputs))`.

    `get_variable` uses it where no initialiser is given.

    Args:
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010.
    """

    own = "uniform"


class GlorotNormal(_Glorot):
    """Makes normally distributed weights of the variance `2 / (inputs + outputs)`.

    Args:
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.

    Source: as `glorot_uniform_initializer`.
    """

    own = "truncated_normal"


class Orthogonal(Record, Initializer):
    """Makes matrices with orthonormal rows or columns, whichever are fewer, times a number.

    Of a shape of higher rank, all axes but the last together count as the rows.

    Args:
        gain: the number.
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.

    Source: Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks, ICLR 2014.
    """

    gain: float = 1.0
    seed: int | None = None
    dtype: Any = dtypes.float32

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        if len(shape) < 2:
            raise ShapeError(f"what is orthogonal has rank 2 or more; the shape is {show(shape)}")
        rows, columns = size(shape[:-1]), shape[-1]
        tall, kind = rows >= columns, float_dtype(dtype)
        drawn = dtypes.float32 if kind.size < dtypes.float32.size else kind
        sides = (rows, columns) if tall else (columns, rows)
        q, r = qr(random_normal(sides, dtype=drawn, seed=self.seed))
        # With a positive diagonal of r, all orthogonal matrices are as probable.
        q = q * sign(reduce_sum(matrix_band_part(r, 0, 0), 0)) * self.gain
        made = reshape(q if tall else transpose(q), shape)
        return cast(made, kind)


class Identity(Record, Initializer):
    """Makes matrices with a number on the diagonal and zeros elsewhere.

    Args:
        gain: the number.
        dtype: the element type where a call names none.
    """

    gain: float = 1.0
    dtype: Any = dtypes.float32

    def make(self, shape: Extents, dtype: DType) -> Tensor:
        if len(shape) != 2:
            raise ShapeError(f"only matrices can be an identity; the shape is {show(shape)}")
        return create.constant(np.eye(*shape) * self.gain, dtype)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Makes normally distributed weights of the variance `2 / inputs`, for `relu`.

    Source: He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015.
    """
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Makes weights drawn uniformly from within `sqrt(6 / inputs)`, for `relu`.

    Source: as `he_normal`.
    """
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Makes normally distributed weights of the variance `1 / inputs`.

    Source: LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998.
    """
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Makes weights drawn uniformly from within `sqrt(3 / inputs)`.

    Source: as `lecun_normal`.
    """
    return VarianceScaling(1.0, "fan_in", "uniform", seed)
