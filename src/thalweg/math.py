"""Mathematical functions: TensorFlow 1's `tf.math`."""

from thalweg.graph import calls as _calls
from thalweg.nn.activations import log_sigmoid, log_softmax, softmax, softplus, softsign
from thalweg.nn.layers import in_top_k, zero_fraction
from thalweg.nn.normalisation import l2_normalize
from thalweg.ops.elementwise import classification as _classification
from thalweg.ops.elementwise import comparison as _comparison
from thalweg.ops.elementwise import exponential as _exponential
from thalweg.ops.elementwise import hyperbolic as _hyperbolic
from thalweg.ops.elementwise import logical as _logical
from thalweg.ops.elementwise import power as _power
from thalweg.ops.elementwise import rounding as _rounding
from thalweg.ops.elementwise import special as _special
from thalweg.ops.elementwise import trigonometric as _trigonometric
from thalweg.ops.elementwise.arithmetic import (
    abs,
    add,
    add_n,
    multiply,
    negative,
    sign,
    square,
    squared_difference,
    subtract,
)
from thalweg.ops.elementwise.classification import *
from thalweg.ops.elementwise.comparison import *
from thalweg.ops.elementwise.division import divide, floordiv, mod, reciprocal, truediv
from thalweg.ops.elementwise.division import mod as floormod
from thalweg.ops.elementwise.exponential import *
from thalweg.ops.elementwise.extremes import maximum, minimum
from thalweg.ops.elementwise.hyperbolic import *
from thalweg.ops.elementwise.logical import *
from thalweg.ops.elementwise.power import *
from thalweg.ops.elementwise.rounding import *
from thalweg.ops.elementwise.special import *
from thalweg.ops.elementwise.trigonometric import *
from thalweg.ops.reduction.cumulative import cumprod, cumsum
from thalweg.ops.reduction.position import argmax, argmin
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

# Of these groups all functions are in it.
_GROUPS = (
    _classification,
    _comparison,
    _exponential,
    _hyperbolic,
    _logical,
    _power,
    _rounding,
    _special,
    _trigonometric,
)
__all__ = [
    "abs",
    "add",
    "add_n",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "divide",
    "floordiv",
    "floormod",
    "in_top_k",
    "l2_normalize",
    "log_sigmoid",
    "log_softmax",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "negative",
    "reciprocal",
    "reduce_all",
    "reduce_any",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
    "sign",
    "softmax",
    "softplus",
    "softsign",
    "square",
    "squared_difference",
    "subtract",
    "truediv",
    "zero_fraction",
]
__all__.extend(name for group in _GROUPS for name in group.__all__)

_calls.explain_errors(globals(), __all__)
