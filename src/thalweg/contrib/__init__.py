"""What TensorFlow 1 had in `tf.contrib`."""

from thalweg.contrib import opt

__all__ = ["opt"]
