"""What TensorFlow 1 has under `tf.contrib`."""

from thalweg.contrib import layers

__all__ = ["layers"]
