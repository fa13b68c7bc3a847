"""Operations that XLA has forms of its own for: they compute what `evaluate` does, but faster."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy import special

from thalweg.graph import Op
from thalweg.ops.arrays.gather import Gather, GatherOwned
from thalweg.ops.convolution.avg_pool import SumPool
from thalweg.ops.convolution.conv import Conv2D, Conv2DFilterGrad, Conv2DTransposed
from thalweg.ops.convolution.max_pool import MaxPool
from thalweg.ops.convolution.windows import Pool, slab, widened
from thalweg.ops.elementwise.special import Digamma, Erf, Erfc, Lgamma, Trigamma
from thalweg.ops.state.scatter import ScatterUpdate

Pair = tuple[int, int]


# -- convolutions


def _convolve(
    x: Any, w: Any, groups: int, strides: Pair, padding: Any = "VALID", dilation: Pair = (1, 1)
) -> Any:
    return lax.conv_general_dilated(
        x,
        w,
        strides,
        padding,
        lhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def _conv(record: Conv2D, x: Any, w: Any) -> Any:
    return _convolve(x, w, record.groups, record.strides)


def _conv_filter_grad(record: Conv2DFilterGrad, x: Any, dy: Any) -> Any:
    """The adjoint of a convolution in its filter, as JAX has it."""
    forward = Conv2D(record.strides, record.groups)
    shape = (*record.size, x.shape[3] // record.groups, dy.shape[3])
    like = jnp.zeros(shape, x.dtype)  # for its shape
    (made,) = jax.linear_transpose(lambda w: _conv(forward, x, w), like)(dy)
    return made


def _conv_transposed(record: Conv2DTransposed, x: Any, w: Any) -> Any:
    """A convolution of the image with zeros between its elements, by the reversed filter."""
    height, width, depth, out = w.shape
    groups, (sh, sw) = record.groups, record.strides
    split = jnp.reshape(w[::-1, ::-1], (height, width, depth, groups, out // groups))
    swapped = jnp.transpose(split, (0, 1, 4, 3, 2)).reshape(height, width, -1, groups * depth)
    around = ((sh - 1, sh - 1), (sw - 1, sw - 1))
    return _convolve(x, swapped, groups, (1, 1), around, record.strides)


# -- pools, window element by window element, which XLA fuses into one loop


def _slabs(record: Pool, x: Any) -> list[Any]:
    counts = record.counts(x.shape[1:3])
    places = [(p, q) for p in range(record.size[0]) for q in range(record.size[1])]
    return [slab(x, p, q, counts, record.strides) for p, q in places]


def _max_pool(record: MaxPool, x: Any) -> tuple[Any, Any]:
    best, *others = _slabs(record, x)
    index = jnp.zeros(best.shape, jnp.int32)
    for number, element in enumerate(others, 1):
        is_larger = ~(element <= best) & (best == best)  # NaN is larger than all that is no NaN
        index = jnp.where(is_larger, number, index)
        best = jnp.where(is_larger, element, best)
    return best, index


def _sum_pool(record: SumPool, x: Any) -> Any:
    (wide,) = widened(jnp, x)
    return reduce(jnp.add, _slabs(record, wide))


# -- rows


def _gather(record: Gather, params: Any, indices: Any, *owned: Any) -> Any:
    """Indices have been checked: what is read in place of a wrong one does not matter."""
    axis = record.axis % params.ndim
    return jnp.take(params, indices, axis=axis, mode="clip")


def _scatter_update(record: ScatterUpdate, table: Any, rows: Any, updates: Any) -> Any:
    """Of the updates of one row the last stays, on devices that write in any order, too."""
    flat = rows.reshape(-1)
    values = updates.reshape(flat.shape + table.shape[1:])
    places = jnp.arange(1, flat.size + 1)
    last = jnp.zeros(table.shape[:1], places.dtype).at[flat].max(places)
    stays = last.at[flat].get(mode="fill", fill_value=0) == places
    return table.at[jnp.where(stays, flat, table.shape[0])].set(values)


# -- functions that `jax.numpy` has elsewhere


def _function(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda record, x: function(x)


def _in_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """In float64, as in float32 some results would have three digits less than their type."""
    return lambda record, x: function(x.astype(jnp.float64))


OVERRIDES: dict[type[Op], Callable[..., Any]] = {
    Conv2D: _conv,
    Conv2DFilterGrad: _conv_filter_grad,
    Conv2DTransposed: _conv_transposed,
    MaxPool: _max_pool,
    SumPool: _sum_pool,
    Gather: _gather,
    GatherOwned: _gather,
    ScatterUpdate: _scatter_update,
    Erf: _function(special.erf),
    Erfc: _function(special.erfc),
    Lgamma: _in_double(special.gammaln),
    Digamma: _in_double(special.digamma),
    Trigamma: _in_double(lambda x: special.polygamma(1, x)),
}
