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
    from thalweg.saving.init_from_checkpoint import init_from_checkpoint
    from thalweg.saving.saver import Saver, SaverDef, SaveReport
    from thalweg.train.coordinator import (
        Coordinator,
        LooperThread,
    )
    from thalweg.train.hooks import (
        FeedFnHook,
        FinalOpsHook,
        GlobalStepWaiterHook,
        LoggingTensorHook,
        NanLossDuringTrainingError,
        NanTensorHook,
        SecondOrStepTimer,
        StopAtStepHook,
    )
    from thalweg.train.monitored_session import (
        MonitoredSession,
        MonitoredTrainingSession,
        SingularMonitoredSession,
    )
    from thalweg.train.moving_averages import (
        ExponentialMovingAverage,
    )
    from thalweg.train.queue_runner import (
        start_queue_runners,
    )
    from thalweg.train.saving_hooks import (
        CheckpointSaverHook,
        CheckpointSaverListener,
        ProfilerHook,
        StepCounterHook,
        SummarySaverHook,
    )
    from thalweg.train.scaffold import (
        Scaffold,
    )
    from thalweg.train.session_creator import (
        ChiefSessionCreator,
        SessionCreator,
        WorkerSessionCreator,
    )
    from thalweg.train.session_manager import (
        SessionManager,
    )
    from thalweg.train.session_run_hook import (
        SessionRunArgs,
        SessionRunContext,
        SessionRunHook,
        SessionRunValues,
    )
    from thalweg.train.supervisor import (
        Supervisor,
    )
    from thalweg.train.training_util import (
        assert_global_step,
        create_global_step,
        get_global_step,
        get_or_create_global_step,
        global_step,
    )

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
    "init_from_checkpoint": "thalweg.saving.init_from_checkpoint",
    "Saver": "thalweg.saving.saver",
    "SaverDef": "thalweg.saving.saver",
    "SaveReport": "thalweg.saving.saver",
    "export_meta_graph": "thalweg.saving.export_meta_graph",
    "import_meta_graph": "thalweg.saving.import_saver",
    "write_graph": "thalweg.saving.export_meta_graph",
    "assert_global_step": "thalweg.train.training_util",
    "create_global_step": "thalweg.train.training_util",
    "get_global_step": "thalweg.train.training_util",
    "get_or_create_global_step": "thalweg.train.training_util",
    "global_step": "thalweg.train.training_util",
    "Coordinator": "thalweg.train.coordinator",
    "LooperThread": "thalweg.train.coordinator",
    "FeedFnHook": "thalweg.train.hooks",
    "FinalOpsHook": "thalweg.train.hooks",
    "GlobalStepWaiterHook": "thalweg.train.hooks",
    "LoggingTensorHook": "thalweg.train.hooks",
    "NanLossDuringTrainingError": "thalweg.train.hooks",
    "NanTensorHook": "thalweg.train.hooks",
    "SecondOrStepTimer": "thalweg.train.hooks",
    "StopAtStepHook": "thalweg.train.hooks",
    "MonitoredSession": "thalweg.train.monitored_session",
    "MonitoredTrainingSession": "thalweg.train.monitored_session",
    "SingularMonitoredSession": "thalweg.train.monitored_session",
    "ExponentialMovingAverage": "thalweg.train.moving_averages",
    "start_queue_runners": "thalweg.train.queue_runner",
    "CheckpointSaverHook": "thalweg.train.saving_hooks",
    "CheckpointSaverListener": "thalweg.train.saving_hooks",
    "ProfilerHook": "thalweg.train.saving_hooks",
    "StepCounterHook": "thalweg.train.saving_hooks",
    "SummarySaverHook": "thalweg.train.saving_hooks",
    "Scaffold": "thalweg.train.scaffold",
    "ChiefSessionCreator": "thalweg.train.session_creator",
    "SessionCreator": "thalweg.train.session_creator",
    "WorkerSessionCreator": "thalweg.train.session_creator",
    "SessionManager": "thalweg.train.session_manager",
    "SessionRunArgs": "thalweg.train.session_run_hook",
    "SessionRunContext": "thalweg.train.session_run_hook",
    "SessionRunHook": "thalweg.train.session_run_hook",
    "SessionRunValues": "thalweg.train.session_run_hook",
    "Supervisor": "thalweg.train.supervisor",
}

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "BytesList",
    "CheckpointReader",
    "CheckpointSaverHook",
    "CheckpointSaverListener",
    "CheckpointState",
    "ChiefSessionCreator",
    "Coordinator",
    "Example",
    "ExponentialMovingAverage",
    "Feature",
    "FeatureList",
    "FeatureLists",
    "Features",
    "FeedFnHook",
    "FinalOpsHook",
    "FloatList",
    "FtrlOptimizer",
    "GlobalStepWaiterHook",
    "GradientDescentOptimizer",
    "Int64List",
    "LoggingTensorHook",
    "LooperThread",
    "MomentumOptimizer",
    "MonitoredSession",
    "MonitoredTrainingSession",
    "NanLossDuringTrainingError",
    "NanTensorHook",
    "NewCheckpointReader",
    "Optimizer",
    "ProfilerHook",
    "ProximalAdagradOptimizer",
    "ProximalGradientDescentOptimizer",
    "RMSPropOptimizer",
    "SaveReport",
    "Saver",
    "SaverDef",
    "Scaffold",
    "SecondOrStepTimer",
    "SequenceExample",
    "SessionCreator",
    "SessionManager",
    "SessionRunArgs",
    "SessionRunContext",
    "SessionRunHook",
    "SessionRunValues",
    "SingularMonitoredSession",
    "StepCounterHook",
    "StopAtStepHook",
    "SummarySaverHook",
    "SummaryWriter",
    "Supervisor",
    "WorkerSessionCreator",
    "assert_global_step",
    "checkpoint_exists",
    "create_global_step",
    "exponential_decay",
    "export_meta_graph",
    "generate_checkpoint_state_proto",
    "get_checkpoint_mtimes",
    "get_checkpoint_state",
    "get_global_step",
    "get_or_create_global_step",
    "global_step",
    "import_meta_graph",
    "init_from_checkpoint",
    "inverse_time_decay",
    "latest_checkpoint",
    "list_variables",
    "load_checkpoint",
    "load_variable",
    "natural_exp_decay",
    "piecewise_constant",
    "polynomial_decay",
    "remove_checkpoint",
    "start_queue_runners",
    "summary_iterator",
    "update_checkpoint_state",
    "write_graph",
]

_calls.explain_errors(globals(), set(__all__) - _LATER.keys())

__getattr__ = _later(__name__, _LATER)
