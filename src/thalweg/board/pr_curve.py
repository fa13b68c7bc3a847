"""Precision and recall at many thresholds, which TensorBoard draws as a curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, InvalidArgumentError
from thalweg.graph import Tensor
from thalweg.ops.arrays.create import one_hot
from thalweg.ops.arrays.join import stack
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.build import convert, scope
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.elementwise.extremes import clip_by_value, maximum
from thalweg.ops.elementwise.rounding import floor
from thalweg.ops.reduction.cumulative import cumsum
from thalweg.ops.reduction.reduce import reduce_sum
from thalweg.ops.summaries.tensor import tensor_summary
from thalweg.protos.message import Message, int32
from thalweg.protos.summaries import SummaryMetadata

__all__ = ["pr_curve"]

LEAST = 1e-7  # a count that stands for none in a denominator


class _PluginData(Message):
    """What the plugin keeps about a tag: tensorboard/plugins/pr_curve/plugin_data.proto."""

    version: int = int32(1)
    num_thresholds: int = int32(2)


def pr_curve(
    name: str,
    labels: Any,
    predictions: Any,
    num_thresholds: int = 201,
    weights: Any = None,
    display_name: str | None = None,
    description: str | None = None,
    collections: Sequence[str] | None = None,
) -> Tensor:
    """A summary of the precision and recall of a classifier; `tensorboard.plugins.pr_curve.op`.

    Args:
        name: the tag, inside the scopes that are open.
        labels: bool, of any shape.
        predictions: how sure the classifier is, from 0 to 1, in the same shape.
        num_thresholds: at how many thresholds, evenly spaced from 0 to 1, they are computed.
        weights: of each prediction; 1 by default.
        display_name: what TensorBoard calls it.
        description: Markdown, shown with it.
        collections: what it is added to; `[tf.GraphKeys.SUMMARIES]` by default.

    Returns:
        a string: a serialised `tf.Summary`, with a tensor [6, num_thresholds]: true and false
        positives, true and false negatives, precision, recall.

    Raises:
        DTypeError: if the labels are not bool.
        InvalidArgumentError: if there are fewer than 2 thresholds.
    """
    truth, sure = convert(labels), convert(predictions)
    if not truth.dtype.is_bool:
        raise DTypeError(f"labels must be bool, not {truth.dtype}")
    if num_thresholds < 2:
        raise InvalidArgumentError(f"there must be at least 2 thresholds, not {num_thresholds}")
    data = _PluginData(num_thresholds=num_thresholds).SerializeToString()
    plugin = SummaryMetadata.PluginData(plugin_name="pr_curves", content=data)
    with scope(None, f"{name}_counts", truth, sure):
        rates = _rates(truth, sure, num_thresholds, weights)
    return tensor_summary(
        name,
        rates,
        description,
        collections=collections,
        summary_metadata=SummaryMetadata(plugin_data=plugin),
        display_name=display_name,
    )


def _rates(labels: Tensor, predictions: Tensor, count: int, weights: Any) -> Tensor:
    """Counts of hits and misses at each threshold, precision and recall."""
    true = cast(labels, dtypes.float32)
    factor = 1.0 if weights is None else cast(convert(weights), dtypes.float32)
    sure = cast(clip_by_value(reshape(predictions, [-1]), 0.0, 1.0), dtypes.float32)
    bucket = one_hot(cast(floor(sure * (count - 1)), dtypes.int32), count)
    # How many lie at or above each threshold: those of all buckets from there on.
    positives = [
        cumsum(reduce_sum(bucket * reshape(part, [-1, 1]), 0), reverse=True)
        for part in (true * factor, (1.0 - true) * factor)
    ]
    tp, fp = positives
    tn, fn = fp[0] - fp, tp[0] - tp
    precision, recall = tp / maximum(LEAST, tp + fp), tp / maximum(LEAST, tp + fn)
    return stack([tp, fp, tn, fn, precision, recall])
