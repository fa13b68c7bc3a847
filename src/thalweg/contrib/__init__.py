"""What TensorFlow 1 has under `tf.contrib`."""

from thalweg.contrib import layers, opt, predictor, rnn

__all__ = ["layers", "opt", "predictor", "rnn"]
