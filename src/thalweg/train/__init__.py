"""Training: TensorFlow 1's `tf.train`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.graph import calls as _calls
from thalweg.graph.later import later as _later
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

if TYPE_CHECKING:
    from thalweg.saving.checkpoint import (
        CheckpointReader,
        NewCheckpointReader,
        checkpoint_exists,
        get_checkpoint_mtimes,
        list_variables,
        load_checkpoint,
        load_variable,
        remove_checkpoint,
    )
    from thalweg.saving.checkpoint_state import (
        CheckpointState,
        generate_checkpoint_state_proto,
        get_checkpoint_state,
        latest_checkpoint,
        update_checkpoint_state,
    )
    from thalweg.saving.export_meta_graph import export_meta_graph, write_graph
    from thalweg.saving.import_saver import import_meta_graph
    from thalweg.saving.saver import Saver, SaverDef, SaveReport

# Imported when they are first used: a program that saves nothing starts without them.
_LATER = {
    "CheckpointReader": "thalweg.saving.checkpoint",
    "NewCheckpointReader": "thalweg.saving.checkpoint",
    "checkpoint_exists": "thalweg.saving.checkpoint",
    "get_checkpoint_mtimes": "thalweg.saving.checkpoint",
    "list_variables": "thalweg.saving.checkpoint",
    "load_checkpoint": "thalweg.saving.checkpoint",
    "load_variable": "thalweg.saving.checkpoint",
    "remove_checkpoint": "thalweg.saving.checkpoint",
    "CheckpointState": "thalweg.saving.checkpoint_state",
    "generate_checkpoint_state_proto": "thalweg.saving.checkpoint_state",
    "get_checkpoint_state": "thalweg.saving.checkpoint_state",
    "latest_checkpoint": "thalweg.saving.checkpoint_state",
    "update_checkpoint_state": "thalweg.saving.checkpoint_state",
    "Saver": "thalweg.saving.saver",
    "SaverDef": "thalweg.saving.saver",
    "SaveReport": "thalweg.saving.saver",
    "export_meta_graph": "thalweg.saving.export_meta_graph",
    "import_meta_graph": "thalweg.saving.import_saver",
    "write_graph": "thalweg.saving.export_meta_graph",
}

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "BytesList",
    "CheckpointReader",
    "CheckpointState",
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
    "NewCheckpointReader",
    "Optimizer",
    "ProximalAdagradOptimizer",
    "ProximalGradientDescentOptimizer",
    "RMSPropOptimizer",
    "SaveReport",
    "Saver",
    "SaverDef",
    "SequenceExample",
    "SummaryWriter",
    "checkpoint_exists",
    "exponential_decay",
    "export_meta_graph",
    "generate_checkpoint_state_proto",
    "get_checkpoint_mtimes",
    "get_checkpoint_state",
    "import_meta_graph",
    "inverse_time_decay",
    "latest_checkpoint",
    "list_variables",
    "load_checkpoint",
    "load_variable",
    "natural_exp_decay",
    "piecewise_constant",
    "polynomial_decay",
    "remove_checkpoint",
    "summary_iterator",
    "update_checkpoint_state",
    "write_graph",
]

_calls.explain_errors(globals(), set(__all__) - _LATER.keys())

__getattr__ = _later(__name__, _LATER)
