"""Channels of images and filters, in groups."""

from __future__ import annotations

import math
from typing import Any

from thalweg.base.dtypes import DType
from thalweg.base.errors import DTypeError, ShapeError
from thalweg.base.shapes import show
from thalweg.formula import Affine, Axis, affine, axes
from thalweg.formula.functions import FLOATING
from thalweg.graph import Spec
from thalweg.ops.convolution.windows import Extent
from thalweg.ops.elementwise.pointwise import check_kind


def check_channels(have: Extent, need: Extent, x: Spec, w: Spec, what: str) -> None:
    """Check that there are as many channels as the filter takes."""
    if have is not None and need is not None and have != need:
        raise ShapeError(
            f"{what} has {have} channels but the filter takes {need}: "
            f"{what} is {show(x.shape)}, filter is {show(w.shape)}"
        )


def same_dtype(*specs: Spec) -> DType:
    """The floating dtype that all have."""
    first = specs[0].dtype
    for spec in specs:
        if spec.dtype != first:
            raise DTypeError(f"the inputs are {first} and {spec.dtype}")
    check_kind(FLOATING, first)
    return first


def channels_of(each: Extent, groups: int) -> Extent:
    """How many channels so many groups have."""
    return None if each is None else each * groups


def share(all: Extent, groups: int, spec: Spec) -> Extent:
    """How many channels of the filter's result each group has."""
    if all is None or all % groups == 0:
        return None if all is None else all // groups
    raise ShapeError(f"the filter, {show(spec.shape)}, makes no {groups} groups of equal size")


def by_group(xp: Any, x: Any, groups: int) -> Any:
    """`[..., groups * channels]` as `[groups, rows, channels]`."""
    rows = math.prod(x.shape[:-1])
    return xp.moveaxis(xp.reshape(x, (rows, groups, x.shape[-1] // groups)), 1, 0)


def channel_axes(groups: int, each: int, name: str) -> tuple[tuple[Axis, ...], Affine, Affine]:
    """Axes over the channels of all groups, the group, and the place in it.

    Where one of the two extents is 1 there is one axis alone, so that stores are in place.
    """
    g, k = axes(groups, each, names=f"g{name}")
    if groups == 1:
        return (k,), affine(0), affine(k)
    if type(each) is int and each == 1:
        return (g,), affine(g), affine(0)
    return (g, k), affine(g), affine(k)
