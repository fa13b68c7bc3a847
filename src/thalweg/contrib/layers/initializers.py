"""Initialisers with the arguments that they have in `tf.contrib.layers`."""

from __future__ import annotations

from typing import Any

from thalweg.base import dtypes
from thalweg.ops.build import float_dtype
from thalweg.ops.state.initializers import VarianceScaling


def xavier_initializer(
    uniform: bool = True, seed: int | None = None, dtype: Any = dtypes.float32
) -> VarianceScaling:
    """Makes weights of the variance `2 / (inputs + outputs)`.

    Args:
        uniform: whether they are uniformly distributed, as by `tf.glorot_uniform_initializer`, or
            normally, as by `tf.glorot_normal_initializer`.
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.
    """
    return variance_scaling_initializer(1.0, "FAN_AVG", uniform, seed, dtype)


def variance_scaling_initializer(
    factor: float = 2.0,
    mode: str = "FAN_IN",
    uniform: bool = False,
    seed: int | None = None,
    dtype: Any = dtypes.float32,
) -> VarianceScaling:
    """Makes weights of the variance `factor / n`, where n depends on the shape.

    Args:
        factor: positive.
        mode: what n is: "FAN_IN", "FAN_OUT" or "FAN_AVG"; see `tf.variance_scaling_initializer`.
        uniform: whether they are uniformly distributed, or normally within two deviations.
        seed: see `set_random_seed`.
        dtype: the element type where a call names none; floating.

    Raises:
        ValueError: if the factor is not positive, or there is no such mode.
        DTypeError: if the type is not floating.
    """
    kind, distribution = float_dtype(dtype), "uniform" if uniform else "truncated_normal"
    return VarianceScaling(factor, mode.lower(), distribution, seed, kind)
