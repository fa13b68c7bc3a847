"""Layers, regularisers and initialisers: TensorFlow 1's `tf.contrib.layers`."""

from thalweg.contrib.layers.initializers import (
    variance_scaling_initializer,
    xavier_initializer,
)
from thalweg.contrib.layers.initializers import xavier_initializer as xavier_initializer_conv2d
from thalweg.contrib.layers.layers import fully_connected
from thalweg.contrib.layers.regularizers import (
    apply_regularization,
    l1_l2_regularizer,
    l1_regularizer,
    l2_regularizer,
    sum_regularizer,
)
from thalweg.graph import calls as _calls
from thalweg.layers.dense import flatten

__all__ = [
    "apply_regularization",
    "flatten",
    "fully_connected",
    "l1_l2_regularizer",
    "l1_regularizer",
    "l2_regularizer",
    "sum_regularizer",
    "variance_scaling_initializer",
    "xavier_initializer",
    "xavier_initializer_conv2d",
]

_calls.explain_errors(globals(), __all__)
