"""Recurrent networks: TensorFlow 1's `tf.contrib.rnn`."""

from thalweg.graph import calls as _calls
from thalweg.nn import static_bidirectional_rnn, static_rnn
from thalweg.nn.rnn.projections import InputProjectionWrapper, OutputProjectionWrapper
from thalweg.nn.rnn_cell import (
    BasicLSTMCell,
    BasicRNNCell,
    DeviceWrapper,
    DropoutWrapper,
    GRUCell,
    LSTMCell,
    LSTMStateTuple,
    MultiRNNCell,
    ResidualWrapper,
    RNNCell,
)

__all__ = [
    "BasicLSTMCell",
    "BasicRNNCell",
    "DeviceWrapper",
    "DropoutWrapper",
    "GRUCell",
    "InputProjectionWrapper",
    "LSTMCell",
    "LSTMStateTuple",
    "MultiRNNCell",
    "OutputProjectionWrapper",
    "RNNCell",
    "ResidualWrapper",
    "static_bidirectional_rnn",
    "static_rnn",
]

_calls.explain_errors(globals(), __all__)
