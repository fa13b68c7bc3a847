"""Thalweg: a dataflow-graph deep-learning system in pure Python, compiled to native code.

    import thalweg as tf

keeps TensorFlow 1's names: build a graph of tensor operations, differentiate it, and run it in a
session.
"""

from thalweg import contrib, math, nn, train
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
    uint8,
    uint16,
)
from thalweg.base.dtypes import bool_ as bool
from thalweg.base.shapes import Dimension, TensorShape
from thalweg.graph import Graph, IndexedSlices, Operation, Tensor, reset_default_graph
from thalweg.graph import calls as _calls
from thalweg.graph import default_graph as get_default_graph
from thalweg.graph.indexed_slices import IndexedSlicesValue
from thalweg.graph.keys import GraphKeys
from thalweg.inspect.explain import Explanation, explain
from thalweg.ops import operators as _operators
from thalweg.ops.arrays.broadcast import broadcast_to, tile
from thalweg.ops.arrays.create import (
    constant,
    convert_to_tensor,
    fill,
    one_hot,
    ones,
    ones_like,
    placeholder,
    placeholder_with_default,
    zeros,
    zeros_like,
)
from thalweg.ops.arrays.create import range_ as range
from thalweg.ops.arrays.gather import gather
from thalweg.ops.arrays.join import concat, split, stack, unstack
from thalweg.ops.arrays.join import stack as pack
from thalweg.ops.arrays.join import unstack as unpack
from thalweg.ops.arrays.pad import pad
from thalweg.ops.arrays.reshape import (
    expand_dims,
    identity,
    reshape,
    squeeze,
    stop_gradient,
    transpose,
)
from thalweg.ops.arrays.shape import rank, shape, size
from thalweg.ops.arrays.slicing import slice_ as slice
from thalweg.ops.control.control import (
    add_to_collection,
    add_to_collections,
    control_dependencies,
    device,
    get_collection,
    get_collection_ref,
    group,
    name_scope,
    no_op,
    op_scope,
)
from thalweg.ops.control.control import tuple_ as tuple
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
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.random.random import (
    random_normal,
    random_uniform,
    truncated_normal,
)
from thalweg.ops.random.seeds import set_random_seed
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
from thalweg.ops.reduction.reduce import (
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from thalweg.ops.state.scatter import (
    scatter_add,
    scatter_div,
    scatter_max,
    scatter_min,
    scatter_mul,
    scatter_sub,
    scatter_update,
)
from thalweg.ops.state.variable import (
    Variable,
    all_variables,
    assign,
    assign_add,
    assign_sub,
    global_variables,
    global_variables_initializer,
    initialize_all_variables,
    initialize_variables,
    local_variables,
    local_variables_initializer,
    trainable_variables,
    variables_initializer,
)
from thalweg.session.config import (
    ConfigProto,
    GPUOptions,
    GraphOptions,
    OptimizerOptions,
    RunMetadata,
    RunOptions,
)
from thalweg.session.session import InteractiveSession, Session, get_default_session

__all__ = [
    "AggregationMethod",
    "ConfigProto",
    "DType",
    "Dimension",
    "Explanation",
    "GPUOptions",
    "Graph",
    "GraphKeys",
    "GraphOptions",
    "IndexedSlices",
    "IndexedSlicesValue",
    "InteractiveSession",
    "Operation",
    "OptimizerOptions",
    "RunMetadata",
    "RunOptions",
    "Session",
    "Tensor",
    "TensorShape",
    "Variable",
    "add_to_collection",
    "add_to_collections",
    "all_variables",
    "arg_max",
    "arg_min",
    "argmax",
    "argmin",
    "as_dtype",
    "assign",
    "assign_add",
    "assign_sub",
    "bfloat16",
    "bool",
    "broadcast_to",
    "clip_by_average_norm",
    "clip_by_global_norm",
    "clip_by_norm",
    "concat",
    "constant",
    "contrib",
    "control_dependencies",
    "convert_to_tensor",
    "cumprod",
    "cumsum",
    "device",
    "double",
    "errors",
    "expand_dims",
    "explain",
    "fill",
    "float16",
    "float32",
    "float64",
    "gather",
    "get_collection",
    "get_collection_ref",
    "get_default_graph",
    "get_default_session",
    "global_norm",
    "global_variables",
    "global_variables_initializer",
    "gradients",
    "group",
    "half",
    "identity",
    "initialize_all_variables",
    "initialize_variables",
    "int8",
    "int16",
    "int32",
    "int64",
    "local_variables",
    "local_variables_initializer",
    "math",
    "matmul",
    "name_scope",
    "nn",
    "no_op",
    "norm",
    "one_hot",
    "ones",
    "ones_like",
    "op_scope",
    "pack",
    "pad",
    "placeholder",
    "placeholder_with_default",
    "random_normal",
    "random_uniform",
    "range",
    "rank",
    "reduce_all",
    "reduce_any",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
    "reset_default_graph",
    "reshape",
    "scatter_add",
    "scatter_div",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_sub",
    "scatter_update",
    "set_random_seed",
    "shape",
    "size",
    "slice",
    "split",
    "squeeze",
    "stack",
    "stop_gradient",
    "tile",
    "train",
    "trainable_variables",
    "transpose",
    "truncated_normal",
    "tuple",
    "uint8",
    "uint16",
    "unpack",
    "unstack",
    "variables_initializer",
    "zeros",
    "zeros_like",
]

__all__.extend(_elementwise.NAMES)

__version__ = "0.1.0"

double = float64
half = float16

_operators.define_operators()
_calls.explain_errors(globals(), __all__)
