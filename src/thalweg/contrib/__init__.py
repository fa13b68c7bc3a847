"""What TensorFlow 1 has under `tf.contrib`."""

from thalweg.contrib import layers, rnn

__all__ = ["layers", "rnn"]
