"""What the operators of tensors do."""

from __future__ import annotations

from collections.abc import Callable

from thalweg.graph import Tensor
from thalweg.graph.calls import explained
from thalweg.graph.operators import OPERATORS
from thalweg.ops.arrays.indexed_slices import densify
from thalweg.ops.arrays.indexing import getitem
from thalweg.ops.arrays.join import stack
from thalweg.ops.elementwise.arithmetic import abs, add, multiply, negative, subtract
from thalweg.ops.elementwise.comparison import greater, greater_equal, less, less_equal
from thalweg.ops.elementwise.division import floordiv, mod, truediv
from thalweg.ops.elementwise.logical import logical_and, logical_not, logical_or, logical_xor
from thalweg.ops.elementwise.power import pow
from thalweg.ops.host.boolean_mask import boolean_mask, is_mask
from thalweg.ops.linalg.matmul import matmul

_OPERATORS: dict[str, Callable[..., Tensor]] = {
    "neg": negative,
    "abs": abs,
    "invert": logical_not,
    "getitem": lambda x, key: (boolean_mask if is_mask(key) else getitem)(x, key),
    "stack": stack,
    "densify": densify,
    "add": lambda x, y: add(x, y, name="add"),
    "sub": lambda x, y: subtract(x, y, name="sub"),
    "mul": lambda x, y: multiply(x, y, name="mul"),
    "truediv": truediv,
    "floordiv": floordiv,
    "mod": lambda x, y: mod(x, y, name="mod"),
    "pow": lambda x, y: pow(x, y, name="pow"),
    "matmul": lambda x, y: matmul(x, y, name="matmul"),
    "lt": less,
    "le": less_equal,
    "gt": greater,
    "ge": greater_equal,
    "and": logical_and,
    "or": logical_or,
    "xor": logical_xor,
}


def define_operators() -> None:
    """Give tensors their operators."""
    OPERATORS.update({name: explained(made, name) for name, made in _OPERATORS.items()})
