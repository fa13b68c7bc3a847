"""Where each module of TensorFlow 1 finds its names in Thalweg.

A module of TensorFlow that is not in the table, `tensorflow.nn` for example, is that of the same
name here. TensorFlow's internal modules, which many scripts import, have names that are public
elsewhere: `tensorflow.python.ops.array_ops.reshape` is `tf.reshape`. `tensorflow.compat.v1` is
`tensorflow`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["API_VERSION", "HOMES", "ONLY_PACKAGES", "VALUES"]

API_VERSION = "1.15.0"  # what scripts that look at `tf.__version__` are told

# TensorFlow's module -> modules of Thalweg in which its names are looked up, in this order.
HOMES: Mapping[str, Sequence[str]] = {
    "tensorflow": ["thalweg"],
    "tensorflow.compat": ["thalweg.compat.strings"],
    "tensorflow.contrib": ["thalweg.contrib"],
    "tensorflow.examples.tutorials.mnist.input_data": ["thalweg.compat.input_data"],
    "tensorflow.contrib.learn.python.learn.datasets.mnist": ["thalweg.compat.input_data"],
    "tensorflow.models.rnn.rnn": ["thalweg.nn"],
    "tensorflow.models.rnn.rnn_cell": ["thalweg.nn.rnn_cell"],
    "tensorflow.python.client.session": ["thalweg"],
    "tensorflow.python.client.timeline": ["thalweg.profiler.timeline"],
    "tensorflow.python.client.device_lib": ["thalweg.session.devices", "thalweg"],
    "tensorflow.python.framework.constant_op": ["thalweg"],
    "tensorflow.python.framework.dtypes": ["thalweg"],
    "tensorflow.python.framework.errors": ["thalweg.errors"],
    "tensorflow.python.framework.graph_util": ["thalweg.graph_util"],
    "tensorflow.python.framework.ops": ["thalweg"],
    "tensorflow.python.framework.tensor_shape": ["thalweg"],
    "tensorflow.python.framework.random_seed": ["thalweg"],
    "tensorflow.python.lib.io.file_io": ["thalweg.platform.gfile"],
    "tensorflow.python.ops.array_ops": ["thalweg"],
    "tensorflow.python.ops.clip_ops": ["thalweg"],
    "tensorflow.python.ops.control_flow_ops": ["thalweg"],
    "tensorflow.python.ops.embedding_ops": ["thalweg.nn"],
    "tensorflow.python.ops.init_ops": ["thalweg"],
    "tensorflow.python.ops.linalg_ops": ["thalweg"],
    "tensorflow.python.ops.math_ops": ["thalweg"],
    "tensorflow.python.ops.nn": ["thalweg.nn"],
    "tensorflow.python.ops.nn_ops": ["thalweg.nn"],
    "tensorflow.python.ops.random_ops": ["thalweg"],
    "tensorflow.python.ops.rnn": ["thalweg.nn"],
    "tensorflow.python.ops.rnn_cell": ["thalweg.nn.rnn_cell"],
    "tensorflow.python.ops.rnn_cell_impl": ["thalweg.nn.rnn_cell"],
    "tensorflow.python.ops.state_ops": ["thalweg"],
    "tensorflow.python.ops.tensor_array_ops": ["thalweg"],
    "tensorflow.python.ops.variable_scope": ["thalweg"],
    "tensorflow.python.ops.variables": ["thalweg"],
    "tensorflow.python.platform.app": ["thalweg.platform.app"],
    "tensorflow.python.platform.flags": ["thalweg.platform.flags"],
    "tensorflow.python.platform.gfile": ["thalweg.platform.gfile"],
    "tensorflow.python.platform.test": ["thalweg.platform.test"],
    "tensorflow.python.platform.tf_logging": ["thalweg.platform.logging"],
    "tensorflow.python.saved_model.builder": ["thalweg.saved_model.builder"],
    "tensorflow.python.saved_model.loader": ["thalweg.saved_model.loader"],
    "tensorflow.python.saved_model.signature_constants": [
        "thalweg.saved_model.signature_constants"
    ],
    "tensorflow.python.saved_model.signature_def_utils": [
        "thalweg.saved_model.signature_def_utils"
    ],
    "tensorflow.python.saved_model.tag_constants": ["thalweg.saved_model.tag_constants"],
    "tensorflow.python.saved_model.utils": ["thalweg.saved_model.utils"],
    "tensorflow.python.summary.summary": ["thalweg.summary"],
    "tensorflow.python.training.adam": ["thalweg.train"],
    "tensorflow.python.training.moving_averages": ["thalweg.train"],
    "tensorflow.python.training.optimizer": ["thalweg.train"],
    "tensorflow.python.training.saver": ["thalweg.train"],
    "tensorflow.python.training.training": ["thalweg.train"],
    "tensorflow.python.util.compat": ["thalweg.compat.strings"],
}

# Folders of TensorFlow that hold modules of the table, and no names of their own.
ONLY_PACKAGES = frozenset(
    name.rsplit(".", depth)[0]
    for name in HOMES
    for depth in range(1, name.count(".") + 1)
    if name.rsplit(".", depth)[0] not in HOMES
)


def _nothing(*arguments: Any, **options: Any) -> None:
    """What turns TensorFlow 2 into TensorFlow 1: it is so already."""


def _no() -> bool:
    """Whether operations run as they are written: never, there is always a graph."""
    return False


_VERSION: Mapping[str, Any] = {
    "__version__": API_VERSION,
    "VERSION": API_VERSION,
    "disable_eager_execution": _nothing,
    "disable_resource_variables": _nothing,
    "disable_v2_behavior": _nothing,
    "disable_v2_tensorshape": _nothing,
    "enable_resource_variables": _nothing,
    "executing_eagerly": _no,
    "newaxis": None,
}

_file_io: Mapping[str, str] = {
    "FileIO": "GFile",
    "create_dir": "MkDir",
    "delete_file": "Remove",
    "delete_recursively": "DeleteRecursively",
    "file_exists": "Exists",
    "get_matching_files": "Glob",
    "is_directory": "IsDirectory",
    "list_directory": "ListDirectory",
    "recursive_create_dir": "MakeDirs",
    "stat": "Stat",
}


def _file_io_values() -> dict[str, Any]:
    from thalweg.platform import gfile

    return {name: getattr(gfile, own) for name, own in _file_io.items()}


def _shapes() -> dict[str, Any]:
    from thalweg import TensorShape

    return {
        "scalar": lambda: TensorShape([]),
        "vector": lambda length: TensorShape([length]),
        "matrix": lambda rows, columns: TensorShape([rows, columns]),
        "unknown_shape": lambda: TensorShape(None),
    }


def _numpy_names() -> dict[str, Any]:
    return {"np": np, "numpy": np}


# TensorFlow's module -> what makes names that are nowhere in Thalweg.
VALUES: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "tensorflow": lambda: _VERSION,
    "tensorflow.examples.tutorials.mnist.input_data": _numpy_names,
    "tensorflow.python.framework.tensor_shape": _shapes,
    "tensorflow.python.lib.io.file_io": _file_io_values,
}
