"""Summaries of how values are distributed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np

from thalweg.base.errors import InvalidArgumentError
from thalweg.graph import Sample, Spec, Tensor
from thalweg.ops.build import convert
from thalweg.ops.samples import TABLE
from thalweg.ops.summaries.tags import (
    SUMMARY,
    TAG,
    SummaryOp,
    check_numbers,
    check_tag,
    emit_summary,
    serialised,
    summary_scope,
)
from thalweg.protos.summaries import HistogramProto, Summary

Array = np.ndarray[Any, Any]
_LARGEST = sys.float_info.max


class HistogramSummary(SummaryOp):
    """A summary with a histogram of all elements."""

    type: ClassVar[str] = "HistogramSummary"

    def infer(self, tag: Spec, values: Spec) -> Spec:
        check_tag(tag)
        check_numbers(values)
        return SUMMARY

    def evaluate(self, xp: Any, tag: Any, values: Any) -> Any:
        return serialised([Summary.Value(tag=tag.item(), histo=histogram(values))])

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TAG, TABLE), exact=True)
        yield Sample(cls(), (TAG, -TABLE[0]), exact=True)
        yield Sample(cls(), (TAG, np.array([0, 3, 3], np.int32)), exact=True)
        yield Sample(cls(), (TAG, TABLE[:0]), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE, TABLE), "the tag must be a string, not float32")
        yield Sample(cls(), (TAG[None], TABLE), "the tag must be a scalar; it is [1]")
        yield Sample(cls(), (TAG, TAG), "takes numbers, not string")


def histogram(values: Array) -> HistogramProto:
    """The histogram of an array in TensorFlow's buckets, each a tenth wider than the one before.

    A run of empty buckets is written as one. Source: tensorflow/core/lib/histogram/histogram.cc.

    Raises:
        InvalidArgumentError: if a value is not finite.
    """
    ordered = np.sort(values, axis=None).astype(np.float64)
    if not ordered.size:
        return HistogramProto(min=_LARGEST, max=-_LARGEST, bucket_limit=[_LARGEST], bucket=[0.0])
    if not (np.isfinite(ordered[0]) and np.isfinite(ordered[-1])):  # NaN is the last
        raise InvalidArgumentError(f"a histogram of values that are not finite: {_bad(values)}")
    limits, counts = _counted(ordered)
    return HistogramProto(
        min=ordered[0],
        max=ordered[-1],
        num=ordered.size,
        sum=ordered.sum(),
        sum_squares=np.dot(ordered, ordered),
        bucket_limit=limits.tolist(),
        bucket=counts.tolist(),
    )


def _bad(values: Array) -> str:
    """What is not finite: "3 of 100 are NaN, 1 is infinite"."""
    nans, infinities = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    kinds = [(nans, "NaN"), (infinities, "infinite")]
    return f"of {values.size}, " + " and ".join(f"{n} {kind}" for n, kind in kinds if n)


def _counted(ordered: Array) -> tuple[Array, Array]:
    """The upper limits of buckets, and how many of the sorted values lie in each."""
    limits = _limits()
    counts = np.diff(np.searchsorted(ordered, limits), prepend=0).astype(np.float64)
    # Of a run of empty buckets, the last one stands for all.
    kept = (counts > 0) | np.append(counts[1:] > 0, True)
    return limits[kept], counts[kept]


@cache
def _limits() -> Array:
    """The upper limits of all buckets; a value that is a limit lies in the next bucket."""
    steps = [1e-12]
    while steps[-1] * 1.1 < 1e20:
        steps.append(steps[-1] * 1.1)
    positive = np.array([*steps, _LARGEST])
    return np.concatenate([-positive[::-1], [0.0], positive])


def histogram_(
    name: str, values: Any, collections: Sequence[str] | None = None, family: str | None = None
) -> Tensor:
    """A summary of how the elements of a tensor are distributed.

        tf.summary.histogram("weights", weights)

    Exported as `tf.summary.histogram`.

    Args:
        name: the tag, inside the scopes that are open.
        values: numbers, in any shape.
        collections: what it is added to; `[tf.GraphKeys.SUMMARIES]` by default.
        family: what TensorBoard groups it under; the outermost scope by default.

    Returns:
        a string: a serialised `tf.Summary`.

    Raises:
        DTypeError: if the tensor holds no numbers.
        InvalidArgumentError: in a run, if a value is not finite.
    """
    tensor = convert(values)
    with summary_scope(name, family, tensor) as (tag, full):
        return emit_summary(HistogramSummary(), tag, tensor, name=full, collections=collections)


def histogram_summary(
    tag: Any, values: Any, collections: Sequence[str] | None = None, name: str | None = None
) -> Tensor:
    """The older form of `tf.summary.histogram`: the tag is taken as it stands."""
    tensor = convert(values)
    return emit_summary(HistogramSummary(), tag, tensor, name=name, collections=collections)
