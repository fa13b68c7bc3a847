"""Cells of recurrent networks: TensorFlow 1's `tf.nn.rnn_cell`."""

from thalweg.graph import calls as _calls
from thalweg.nn.rnn.basic import BasicRNNCell, GRUCell
from thalweg.nn.rnn.cell import RNNCell
from thalweg.nn.rnn.lstm import BasicLSTMCell, LSTMCell, LSTMStateTuple
from thalweg.nn.rnn.multi import MultiRNNCell
from thalweg.nn.rnn.wrappers import DeviceWrapper, DropoutWrapper, ResidualWrapper

__all__ = [
    "BasicLSTMCell",
    "BasicRNNCell",
    "DeviceWrapper",
    "DropoutWrapper",
    "GRUCell",
    "LSTMCell",
    "LSTMStateTuple",
    "MultiRNNCell",
    "RNNCell",
    "ResidualWrapper",
]

_calls.explain_errors(globals(), __all__)
