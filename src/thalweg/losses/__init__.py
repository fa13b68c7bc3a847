"""Collections of losses: TensorFlow 1's `tf.losses`."""

from thalweg.graph import calls as _calls
from thalweg.losses.collection import (
    add_loss,
    get_losses,
    get_regularization_loss,
    get_regularization_losses,
    get_total_loss,
)

__all__ = [
    "add_loss",
    "get_losses",
    "get_regularization_loss",
    "get_regularization_losses",
    "get_total_loss",
]

_calls.explain_errors(globals(), __all__)
