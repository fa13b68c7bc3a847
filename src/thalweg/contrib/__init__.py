"""What TensorFlow 1 has under `tf.contrib`."""

from thalweg.contrib import layers, opt, rnn

__all__ = ["layers", "opt", "rnn"]
