"""Metrics over many batches: TensorFlow 1's `tf.metrics`.

Each function returns two tensors: the metric over all batches so far, and an operation that takes
one more batch into account and gives the metric with it. The sums are local variables, which
`tf.local_variables_initializer()` sets to 0.
"""

from thalweg.graph import calls as _calls
from thalweg.metrics.auc import auc
from thalweg.metrics.counts import (
    false_negatives,
    false_positives,
    mean_iou,
    precision,
    recall,
    true_negatives,
    true_positives,
)
from thalweg.metrics.means import (
    accuracy,
    mean,
    mean_absolute_error,
    mean_cosine_distance,
    mean_relative_error,
    mean_squared_error,
    mean_tensor,
    percentage_below,
    root_mean_squared_error,
)
from thalweg.metrics.thresholds import precision_at_thresholds, recall_at_thresholds

__all__ = [
    "accuracy",
    "auc",
    "false_negatives",
    "false_positives",
    "mean",
    "mean_absolute_error",
    "mean_cosine_distance",
    "mean_iou",
    "mean_relative_error",
    "mean_squared_error",
    "mean_tensor",
    "percentage_below",
    "precision",
    "precision_at_thresholds",
    "recall",
    "recall_at_thresholds",
    "root_mean_squared_error",
    "true_negatives",
    "true_positives",
]

_calls.explain_errors(globals(), __all__)
