"""What `evaluate` asks of an array module is what others than NumPy have, and changes no array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.ops.running import Array, evaluate
from thalweg.graph import Op, Sample
from thalweg.ops.catalogue import ALL
from thalweg.ops.elementwise import special

# What NumPy shares with jax.numpy, and is used.
NAMES = """
    abs add all any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin
    asarray broadcast_shapes broadcast_to ceil concatenate cos cosh cumprod cumsum divide equal exp
    expand_dims expm1 flip float32 float64 floor floor_divide full greater
    greater_equal inf int32 int64 isfinite isnan ix_ less less_equal log log1p logical_and
    logical_not logical_or logical_xor matmul matrix_transpose max maximum min minimum moveaxis
    multiply negative not_equal pad power prod reciprocal remainder reshape rint round sign signbit
    sin sinh sqrt square squeeze stack subtract sum swapaxes take take_along_axis tan tanh tile
    transpose
    uint64 where zeros zeros_like
"""
ATTRIBUTES = frozenset(["at", "dtype", "ndim", "shape", "size"])


class Traced(np.ndarray[Any, Any]):
    """An array that cannot be changed, and has no methods but JAX's `at`."""

    def __getattribute__(self, name: str) -> Any:
        if name not in ATTRIBUTES and not name.startswith("__"):
            raise AssertionError(f"arrays of other modules have no {name!r}")
        return super().__getattribute__(name)

    def __setitem__(self, place: Any, values: Any) -> None:
        raise AssertionError("arrays of other modules cannot be changed")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __setitem__  # type: ignore[assignment]

    @property
    def at(self) -> _At:
        """`x.at[place]`, which makes changed copies."""
        return _At(self)


class _At:
    def __init__(self, array: Array) -> None:
        self._array = array

    def __getitem__(self, place: Any) -> _Place:
        return _Place(self._array, place)


class _Place:
    def __init__(self, array: Array, place: Any) -> None:
        self._copy, self._place = np.array(array), _plain(place)

    def set(self, values: Any) -> Any:
        self._copy[self._place] = _plain(values)
        return _traced(self._copy)

    def add(self, values: Any) -> Any:
        np.add.at(self._copy, self._place, _plain(values))
        return _traced(self._copy)

    def max(self, values: Any) -> Any:
        np.maximum.at(self._copy, self._place, _plain(values))
        return _traced(self._copy)


class Module:
    """NumPy, but for arrays that are `Traced`, and without what others do not have."""

    def __getattr__(self, name: str) -> Any:
        assert name in NAMES.split(), f"other array modules have no {name!r}"
        found = getattr(np, name)
        return found if isinstance(found, type | float) else _on_traced(found)


def _on_traced(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return _traced(function(*_plain(args), **{k: _plain(v) for k, v in kwargs.items()}))

    return call


def _plain(item: Any) -> Any:
    if isinstance(item, tuple | list):
        return type(item)(map(_plain, item))
    return np.asarray(item) if isinstance(item, Traced) else item


def _traced(item: Any) -> Any:
    if isinstance(item, tuple | list):
        return type(item)(map(_traced, item))
    return item.view(Traced) if isinstance(item, np.ndarray | np.generic) else item


def _samples(host: bool) -> list[Any]:
    return [
        pytest.param(sample, id=f"{record.type}-{n}")
        for record in ALL
        if record.__module__ != special.__name__  # each has a library of its own for these
        for n, sample in enumerate(record.samples())
        if sample.op.effects.host == host
    ]


@pytest.mark.parametrize("sample", _samples(host=True))
def test_what_only_python_runs_changes_no_argument(sample: Sample) -> None:
    arrays = [np.array(array) for array in sample.arrays()]
    for array in arrays:
        array.flags.writeable = False
    evaluate(sample.op, arrays)


@pytest.mark.parametrize("sample", _samples(host=False))
def test_evaluate_is_pure_and_asks_for_no_more_than_other_modules_have(sample: Sample) -> None:
    op: Op = sample.op
    arrays = [
        array if n in op.static else np.array(array).view(Traced)  # static: known beforehand
        for n, array in enumerate(sample.arrays())
    ]
    with np.errstate(all="ignore"):
        made = op.evaluate(Module(), *arrays)
    for actual, expected in zip(
        made if isinstance(made, tuple) else (made,), evaluate(op, sample.arrays()), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(_plain(actual)), expected, strict=True)
