"""Training: TensorFlow 1's `tf.train`."""

from thalweg.graph import calls as _calls
from thalweg.protos.examples import (
    BytesList,
    Example,
    Feature,
    FeatureList,
    FeatureLists,
    Features,
    FloatList,
    Int64List,
    SequenceExample,
)
from thalweg.summary.event_file import summary_iterator
from thalweg.summary.file_writer import FileWriter as SummaryWriter
from thalweg.train.adadelta import AdadeltaOptimizer
from thalweg.train.adagrad import AdagradOptimizer
from thalweg.train.adam import AdamOptimizer
from thalweg.train.ftrl import FtrlOptimizer
from thalweg.train.gradient_descent import GradientDescentOptimizer
from thalweg.train.momentum import MomentumOptimizer
from thalweg.train.optimizer import Optimizer
from thalweg.train.proximal import ProximalAdagradOptimizer, ProximalGradientDescentOptimizer
from thalweg.train.rmsprop import RMSPropOptimizer
from thalweg.train.schedules import (
    exponential_decay,
    inverse_time_decay,
    natural_exp_decay,
    piecewise_constant,
    polynomial_decay,
)

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "BytesList",
    "Example",
    "Feature",
    "FeatureList",
    "FeatureLists",
    "Features",
    "FloatList",
    "FtrlOptimizer",
    "GradientDescentOptimizer",
    "Int64List",
    "MomentumOptimizer",
    "Optimizer",
    "ProximalAdagradOptimizer",
    "ProximalGradientDescentOptimizer",
    "RMSPropOptimizer",
    "SequenceExample",
    "SummaryWriter",
    "exponential_decay",
    "inverse_time_decay",
    "natural_exp_decay",
    "piecewise_constant",
    "polynomial_decay",
    "summary_iterator",
]

_calls.explain_errors(globals(), __all__)
