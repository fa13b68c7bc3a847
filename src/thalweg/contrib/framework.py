"""The parts of TensorFlow 1's `tf.contrib.framework` that training programs use."""

from thalweg.graph import calls as _calls
from thalweg.train.training_util import (
    assert_global_step,
    create_global_step,
    get_global_step,
    get_or_create_global_step,
)

__all__ = [
    "assert_global_step",
    "create_global_step",
    "get_global_step",
    "get_or_create_global_step",
]

_calls.explain_errors(globals(), __all__)
