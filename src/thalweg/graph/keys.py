"""The standard names of collections."""

from __future__ import annotations

from typing import ClassVar, Final, final


@final
class GraphKeys:
    """Names of the collections that the library itself fills, as in TensorFlow 1."""

    GLOBAL_VARIABLES: Final = "variables"
    LOCAL_VARIABLES: Final = "local_variables"
    MODEL_VARIABLES: Final = "model_variables"
    TRAINABLE_VARIABLES: Final = "trainable_variables"
    MOVING_AVERAGE_VARIABLES: Final = "moving_average_variables"
    GLOBAL_STEP: Final = "global_step"
    LOSSES: Final = "losses"
    REGULARIZATION_LOSSES: Final = "regularization_losses"
    SUMMARIES: Final = "summaries"
    SUMMARY_OP: Final = "summary_op"
    UPDATE_OPS: Final = "update_ops"
    TRAIN_OP: Final = "train_op"
    INIT_OP: Final = "init_op"
    LOCAL_INIT_OP: Final = "local_init_op"
    READY_OP: Final = "ready_op"
    READY_FOR_LOCAL_INIT_OP: Final = "ready_for_local_init_op"
    METRIC_VARIABLES: Final = "metric_variables"
    SAVERS: Final = "savers"
    ACTIVATIONS: Final = "activations"
    WEIGHTS: Final = "weights"
    BIASES: Final = "biases"
    QUEUE_RUNNERS: Final = "queue_runners"
    ASSET_FILEPATHS: Final = "asset_filepaths"
    # Every variable of a graph, whatever collections the user chose: sessions look here.
    ALL_VARIABLES: Final = "thalweg/all_variables"
    # The graph's variable scopes, and what `get_variable` has made: one object.
    VARIABLE_STORE: Final = "thalweg/variable_store"
    VARIABLES: ClassVar[str] = GLOBAL_VARIABLES
