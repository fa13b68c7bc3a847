"""Summaries of single numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import shapes
from thalweg.base.errors import DTypeError
from thalweg.graph import Sample, Spec, Tensor
from thalweg.ops.build import convert
from thalweg.ops.samples import TABLE
from thalweg.ops.summaries.tags import (
    SUMMARY,
    TAG,
    SummaryOp,
    check_numbers,
    emit_summary,
    serialised,
    summary_scope,
)
from thalweg.protos.summaries import Summary

_NAMES = np.array([b"a", b"b", b"c"], object)


class ScalarSummary(SummaryOp):
    """A summary with a number for each tag."""

    type: ClassVar[str] = "ScalarSummary"
    tag_name: ClassVar[str] = "tags"

    def infer(self, tags: Spec, values: Spec) -> Spec:
        if not tags.dtype.is_string:
            raise DTypeError(f"tags must be strings, not {tags.dtype}")
        check_numbers(values)
        shapes.merge(tags.shape, values.shape)
        return SUMMARY

    def evaluate(self, xp: Any, tags: Any, values: Any) -> Any:
        pairs = zip(tags.reshape(-1).tolist(), values.reshape(-1).tolist(), strict=True)
        return serialised(Summary.Value(tag=tag, simple_value=value) for tag, value in pairs)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TAG, np.float32(0.5)), exact=True)
        yield Sample(cls(), (TAG, np.int32(-3)), exact=True)
        yield Sample(cls(), (_NAMES, TABLE[0]), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TAG, TABLE), "shapes [] and [2, 3] are not compatible")
        yield Sample(cls(), (TABLE, TABLE), "tags must be strings, not float32")
        yield Sample(cls(), (TAG, np.bool_(True)), "takes numbers, not bool")


def scalar(
    name: str, tensor: Any, collections: Sequence[str] | None = None, family: str | None = None
) -> Tensor:
    """A summary of a single number.

        tf.summary.scalar("loss", loss)

    Args:
        name: the tag, inside the scopes that are open.
        tensor: a number; a tensor without axes.
        collections: what it is added to; `[tf.GraphKeys.SUMMARIES]` by default.
        family: what TensorBoard groups it under; the outermost scope by default.

    Returns:
        a string: a serialised `tf.Summary`.

    Raises:
        ShapeError: if the tensor has axes.
        DTypeError: if it holds no numbers.
    """
    value = convert(tensor)
    with summary_scope(name, family, value) as (tag, full):
        return emit_summary(ScalarSummary(), tag, value, name=full, collections=collections)


def scalar_summary(
    tags: Any, values: Any, collections: Sequence[str] | None = None, name: str | None = None
) -> Tensor:
    """The older form of `tf.summary.scalar`: the tag is taken as it stands.

    Args:
        tags: a string, or as many as there are values, in the same shape.
        values: numbers.
        collections: what it is added to; `[tf.GraphKeys.SUMMARIES]` by default.
        name: of the operation.
    """
    numbers = convert(values)
    return emit_summary(ScalarSummary(), tags, numbers, name=name, collections=collections)
