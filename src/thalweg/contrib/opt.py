"""More optimisers: TensorFlow 1's `tf.contrib.opt`."""

from thalweg.graph import calls as _calls
from thalweg.train.adam import LazyAdamOptimizer

__all__ = ["LazyAdamOptimizer"]

_calls.explain_errors(globals(), __all__)
