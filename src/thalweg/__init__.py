"""Thalweg: a dataflow-graph deep-learning system in pure Python, compiled to native code.

    import thalweg as tf

keeps TensorFlow 1's names: build a graph of tensor operations, differentiate it, and run it in a
session.
"""

from thalweg import autodiff as _autodiff
from thalweg import nn, train
from thalweg.base import errors
from thalweg.base.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    bool_,
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
from thalweg.base.dtypes import bool_ as bool  # noqa: A004 -- TensorFlow's name
from thalweg.base.shapes import Dimension, TensorShape
from thalweg.config import (
    ConfigProto,
    GPUOptions,
    GraphOptions,
    OptimizerOptions,
    RunMetadata,
    RunOptions,
)
from thalweg.graph import Graph, Operation, Tensor, reset_default_graph
from thalweg.graph import default_graph as get_default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.control import (
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
from thalweg.ops.control import tuple_ as tuple  # noqa: A004 -- TensorFlow's name
from thalweg.ops.math import (
    abs,  # noqa: A004 -- TensorFlow's name
    add,
    ceil,
    clip_by_value,
    cos,
    div,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
    floordiv,
    greater,
    greater_equal,
    is_finite,
    is_inf,
    is_nan,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    mod,
    multiply,
    negative,
    not_equal,
    pow,  # noqa: A004 -- TensorFlow's name
    reciprocal,
    round,  # noqa: A004 -- TensorFlow's name
    rsqrt,
    saturate_cast,
    sigmoid,
    sign,
    sin,
    sqrt,
    square,
    squared_difference,
    subtract,
    tanh,
    to_bfloat16,
    to_double,
    to_float,
    to_int32,
    to_int64,
    truediv,
    where,
)
from thalweg.ops.math import multiply as mul
from thalweg.ops.math import negative as neg
from thalweg.ops.math import subtract as sub
from thalweg.ops.matmul import matmul
from thalweg.ops.pointwise import add_n, cast
from thalweg.ops.random import random_normal, random_uniform, set_random_seed, truncated_normal
from thalweg.ops.reduce import (
    argmax,
    argmin,
    reduce_all,
    reduce_any,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from thalweg.ops.reduce import argmax as arg_max
from thalweg.ops.reduce import argmin as arg_min
from thalweg.ops.variable import (
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
from thalweg.ops.views import (
    broadcast_to,
    concat,
    constant,
    convert_to_tensor,
    expand_dims,
    fill,
    identity,
    one_hot,
    ones,
    ones_like,
    pad,
    placeholder,
    placeholder_with_default,
    rank,
    reshape,
    shape,
    size,
    split,
    squeeze,
    stack,
    stop_gradient,
    tile,
    transpose,
    unstack,
    zeros,
    zeros_like,
)
from thalweg.ops.views import range_ as range  # noqa: A004 -- TensorFlow's name
from thalweg.ops.views import slice_ as slice  # noqa: A004 -- TensorFlow's name
from thalweg.ops.views import stack as pack
from thalweg.ops.views import unstack as unpack
from thalweg.session import InteractiveSession, Session, get_default_session

__version__ = "0.1.0"

gradients = _autodiff.gradients
double = float64
half = float16
