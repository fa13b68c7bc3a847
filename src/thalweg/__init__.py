"""Thalweg: a dataflow-graph deep-learning system in pure Python, compiled to native code.

    import thalweg as tf

keeps TensorFlow 1's names: build a graph of tensor operations, differentiate it, and run it in a
session.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from thalweg import (
    contrib,
    initializers,
    layers,
    linalg,
    losses,
    math,
    nn,
    profiler,
    python_io,
    summary,
    train,
)
from thalweg.autodiff.gradients import AggregationMethod, gradients
from thalweg.base import errors
from thalweg.base.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    string,
    uint8,
    uint16,
)
from thalweg.base.dtypes import bool_ as bool
from thalweg.base.shapes import Dimension, TensorShape
from thalweg.graph import Graph, IndexedSlices, Operation, Tensor, reset_default_graph
from thalweg.graph import calls as _calls
from thalweg.graph import default_graph as get_default_graph
from thalweg.graph.devices import DeviceSpec
from thalweg.graph.indexed_slices import IndexedSlicesValue
from thalweg.graph.keys import GraphKeys
from thalweg.graph.later import later as _later
from thalweg.initializers import constant as constant_initializer
from thalweg.initializers import glorot_normal as glorot_normal_initializer
from thalweg.initializers import glorot_uniform as glorot_uniform_initializer
from thalweg.initializers import ones as ones_initializer
from thalweg.initializers import orthogonal as orthogonal_initializer
from thalweg.initializers import random_normal as random_normal_initializer
from thalweg.initializers import random_uniform as random_uniform_initializer
from thalweg.initializers import truncated_normal as truncated_normal_initializer
from thalweg.initializers import uniform_unit_scaling as uniform_unit_scaling_initializer
from thalweg.initializers import variance_scaling as variance_scaling_initializer
from thalweg.initializers import zeros as zeros_initializer
from thalweg.inspect.explain import Explanation, explain
from thalweg.inspect.profile import Profile, profile
from thalweg.ops import operators as _operators
from thalweg.ops.arrays import create as _create
from thalweg.ops.arrays.boxes import slice_ as slice
from thalweg.ops.arrays.broadcast import broadcast_to, tile
from thalweg.ops.arrays.create import *
from thalweg.ops.arrays.gather import gather
from thalweg.ops.arrays.indexing import strided_slice
from thalweg.ops.arrays.join import concat, split, stack, unstack
from thalweg.ops.arrays.join import stack as pack
from thalweg.ops.arrays.join import unstack as unpack
from thalweg.ops.arrays.lookups import gather_nd, reverse, sequence_mask
from thalweg.ops.arrays.lookups import reverse as reverse_v2
from thalweg.ops.arrays.pad import pad
from thalweg.ops.arrays.ranges import range_ as range
from thalweg.ops.arrays.reshape import (
    expand_dims,
    identity,
    reshape,
    squeeze,
    stop_gradient,
    transpose,
)
from thalweg.ops.arrays.shape import rank, shape, size
from thalweg.ops.control import control as _control
from thalweg.ops.control.branches import case, cond
from thalweg.ops.control.control import *
from thalweg.ops.control.control import tuple_ as tuple
from thalweg.ops.control.folds import foldl, foldr, map_fn, scan
from thalweg.ops.control.numerics import add_check_numerics_ops, check_numerics
from thalweg.ops.control.tensor_array import TensorArray
from thalweg.ops.control.while_loop import while_loop
from thalweg.ops.elementwise import math as _elementwise
from thalweg.ops.elementwise.arithmetic import *
from thalweg.ops.elementwise.classification import *
from thalweg.ops.elementwise.comparison import *
from thalweg.ops.elementwise.conversion import *
from thalweg.ops.elementwise.division import *
from thalweg.ops.elementwise.exponential import *
from thalweg.ops.elementwise.extremes import *
from thalweg.ops.elementwise.hyperbolic import *
from thalweg.ops.elementwise.logical import *
from thalweg.ops.elementwise.power import *
from thalweg.ops.elementwise.rounding import *
from thalweg.ops.elementwise.saturation import *
from thalweg.ops.elementwise.selection import *
from thalweg.ops.elementwise.special import *
from thalweg.ops.elementwise.trigonometric import *
from thalweg.ops.host import asserts as _asserts
from thalweg.ops.host.assertion import Assert_ as Assert
from thalweg.ops.host.asserts import *
from thalweg.ops.host.boolean_mask import boolean_mask
from thalweg.ops.host.initialised import is_variable_initialized, report_uninitialized_variables
from thalweg.ops.host.partition import dynamic_partition, dynamic_stitch, invert_permutation
from thalweg.ops.host.printing import Print_ as Print
from thalweg.ops.host.py_func import py_func
from thalweg.ops.host.strings import as_string, string_join, string_to_number, substr
from thalweg.ops.host.unique import setdiff1d, unique, unique_with_counts
from thalweg.ops.linalg.band import matrix_band_part, matrix_diag
from thalweg.ops.linalg.cholesky import cholesky, cholesky_solve
from thalweg.ops.linalg.determinant import log_matrix_determinant, matrix_determinant
from thalweg.ops.linalg.eigen import self_adjoint_eig, self_adjoint_eigvals
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.linalg.matrices import matrix_transpose
from thalweg.ops.linalg.qr import qr
from thalweg.ops.linalg.solve import matrix_inverse, matrix_solve, matrix_solve_ls
from thalweg.ops.linalg.svd import svd
from thalweg.ops.linalg.triangular import matrix_triangular_solve
from thalweg.ops.random.random import (
    random_normal,
    random_uniform,
    truncated_normal,
)
from thalweg.ops.random.seeds import set_random_seed
from thalweg.ops.reduction import reduce as _reduce
from thalweg.ops.reduction.clipping import (
    clip_by_average_norm,
    clip_by_global_norm,
    clip_by_norm,
    global_norm,
)
from thalweg.ops.reduction.cumulative import cumprod, cumsum
from thalweg.ops.reduction.norm import norm
from thalweg.ops.reduction.position import argmax, argmin
from thalweg.ops.reduction.position import argmax as arg_max
from thalweg.ops.reduction.position import argmin as arg_min
from thalweg.ops.reduction.reduce import *
from thalweg.ops.state import scatter as _scatter
from thalweg.ops.state import variable_lists as _variable_lists
from thalweg.ops.state.get_variable import get_local_variable, get_variable, no_regularizer
from thalweg.ops.state.scatter import *
from thalweg.ops.state.variable import Variable, assign, assign_add, assign_sub
from thalweg.ops.state.variable_lists import *
from thalweg.ops.state.variable_scope import (
    AUTO_REUSE,
    VariableScope,
    get_variable_scope,
    variable_op_scope,
    variable_scope,
)
from thalweg.ops.summaries.histogram import histogram_summary
from thalweg.ops.summaries.image import image_summary
from thalweg.ops.summaries.merge import merge_all_summaries, merge_summary
from thalweg.ops.summaries.scalar import scalar_summary
from thalweg.platform import app, flags, gfile, logging, test
from thalweg.protos.events import Event, LogMessage, SessionLog
from thalweg.protos.summaries import HistogramProto, Summary, SummaryMetadata
from thalweg.protos.tensors import make_ndarray, make_tensor_proto
from thalweg.saving import hooks as _hooks
from thalweg.session.config import (
    ConfigProto,
    GPUOptions,
    GraphOptions,
    OptimizerOptions,
    XlaOptions,
)
from thalweg.session.run_metadata import RunMetadata, RunOptions
from thalweg.session.session import InteractiveSession, Session, get_default_session

if _TYPE_CHECKING:
    from thalweg import graph_util, metrics, saved_model
    from thalweg.saving.graph_def import GraphDef, NodeDef
    from thalweg.saving.import_graph import import_graph_def
    from thalweg.saving.meta_graph import MetaGraphDef

_LATER = {
    "GraphDef": "thalweg.saving.graph_def",
    "MetaGraphDef": "thalweg.saving.meta_graph",
    "NodeDef": "thalweg.saving.graph_def",
    "graph_util": "thalweg.graph_util",
    "import_graph_def": "thalweg.saving.import_graph",
    "metrics": "thalweg.metrics",
    "saved_model": "thalweg.saved_model",
}

__all__ = [
    "AUTO_REUSE",
    "AggregationMethod",
    "Assert",
    "ConfigProto",
    "DType",
    "DeviceSpec",
    "Dimension",
    "Event",
    "Explanation",
    "GPUOptions",
    "Graph",
    "GraphDef",
    "GraphKeys",
    "GraphOptions",
    "HistogramProto",
    "IndexedSlices",
    "IndexedSlicesValue",
    "InteractiveSession",
    "LogMessage",
    "MetaGraphDef",
    "NodeDef",
    "Operation",
    "OptimizerOptions",
    "Print",
    "Profile",
    "RunMetadata",
    "RunOptions",
    "Session",
    "SessionLog",
    "Summary",
    "SummaryMetadata",
    "Tensor",
    "TensorArray",
    "TensorShape",
    "Variable",
    "VariableScope",
    "XlaOptions",
    "add_check_numerics_ops",
    "app",
    "arg_max",
    "arg_min",
    "argmax",
    "argmin",
    "as_dtype",
    "as_string",
    "assign",
    "assign_add",
    "assign_sub",
    "bfloat16",
    "bool",
    "boolean_mask",
    "broadcast_to",
    "case",
    "check_numerics",
    "cholesky",
    "cholesky_solve",
    "clip_by_average_norm",
    "clip_by_global_norm",
    "clip_by_norm",
    "concat",
    "cond",
    "constant_initializer",
    "contrib",
    "cumprod",
    "cumsum",
    "double",
    "dynamic_partition",
    "dynamic_stitch",
    "errors",
    "expand_dims",
    "explain",
    "flags",
    "float16",
    "float32",
    "float64",
    "foldl",
    "foldr",
    "gather",
    "gather_nd",
    "get_default_graph",
    "get_default_session",
    "get_local_variable",
    "get_variable",
    "get_variable_scope",
    "gfile",
    "global_norm",
    "glorot_normal_initializer",
    "glorot_uniform_initializer",
    "gradients",
    "graph_util",
    "half",
    "histogram_summary",
    "identity",
    "image_summary",
    "import_graph_def",
    "initializers",
    "int8",
    "int16",
    "int32",
    "int64",
    "invert_permutation",
    "is_variable_initialized",
    "layers",
    "linalg",
    "log_matrix_determinant",
    "logging",
    "losses",
    "make_ndarray",
    "make_tensor_proto",
    "map_fn",
    "math",
    "matmul",
    "matrix_band_part",
    "matrix_determinant",
    "matrix_diag",
    "matrix_inverse",
    "matrix_solve",
    "matrix_solve_ls",
    "matrix_transpose",
    "matrix_triangular_solve",
    "merge_all_summaries",
    "merge_summary",
    "metrics",
    "nn",
    "no_regularizer",
    "norm",
    "ones_initializer",
    "orthogonal_initializer",
    "pack",
    "pad",
    "profile",
    "profiler",
    "py_func",
    "python_io",
    "qr",
    "random_normal",
    "random_normal_initializer",
    "random_uniform",
    "random_uniform_initializer",
    "range",
    "rank",
    "report_uninitialized_variables",
    "reset_default_graph",
    "reshape",
    "reverse",
    "reverse_v2",
    "saved_model",
    "scalar_summary",
    "scan",
    "self_adjoint_eig",
    "self_adjoint_eigvals",
    "sequence_mask",
    "set_random_seed",
    "setdiff1d",
    "shape",
    "size",
    "slice",
    "split",
    "squeeze",
    "stack",
    "stop_gradient",
    "strided_slice",
    "string",
    "string_join",
    "string_to_number",
    "substr",
    "summary",
    "svd",
    "test",
    "tile",
    "train",
    "transpose",
    "truncated_normal",
    "truncated_normal_initializer",
    "tuple",
    "uint8",
    "uint16",
    "uniform_unit_scaling_initializer",
    "unique",
    "unique_with_counts",
    "unpack",
    "unstack",
    "variable_op_scope",
    "variable_scope",
    "variance_scaling_initializer",
    "while_loop",
    "zeros_initializer",
]

# Modules whose names are all public here say them themselves.
for _family in (_asserts, _control, _create, _reduce, _scatter, _variable_lists):
    __all__.extend(_family.__all__)
__all__.extend(_elementwise.NAMES)

__version__ = "0.1.0"

double = float64
half = float16

_operators.define_operators()
_hooks.connect()
_calls.explain_errors(globals(), set(__all__) - _LATER.keys())

__getattr__ = _later(__name__, _LATER)
