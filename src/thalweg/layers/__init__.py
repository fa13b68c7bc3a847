"""Layers that make their own variables: TensorFlow 1's `tf.layers`."""

from thalweg.graph import calls as _calls
from thalweg.layers.convolution import (
    Conv2D,
    Conv2DTranspose,
    conv2d,
    conv2d_transpose,
)
from thalweg.layers.dense import Dense, dense, flatten
from thalweg.layers.dropout import dropout
from thalweg.layers.normalisation import BatchNormalization, batch_normalization
from thalweg.layers.pooling import average_pooling2d, max_pooling2d
from thalweg.ops.state.layer import Layer

__all__ = [
    "BatchNormalization",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "Layer",
    "average_pooling2d",
    "batch_normalization",
    "conv2d",
    "conv2d_transpose",
    "dense",
    "dropout",
    "flatten",
    "max_pooling2d",
]

_calls.explain_errors(globals(), __all__)
