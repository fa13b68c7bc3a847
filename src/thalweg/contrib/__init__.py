"""What TensorFlow 1 has under `tf.contrib`."""

from typing import TYPE_CHECKING

from thalweg.contrib import layers, opt, rnn
from thalweg.graph.later import later as _later

if TYPE_CHECKING:
    from thalweg.contrib import framework, predictor

__all__ = ["framework", "layers", "opt", "predictor", "rnn"]

__getattr__ = _later(
    __name__, {name: f"thalweg.contrib.{name}" for name in ("framework", "predictor")}
)
