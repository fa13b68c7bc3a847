"""The global step: the variable that counts training steps."""

from __future__ import annotations

from typing import Any

from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, GraphError, ShapeError
from thalweg.graph import Graph, default_graph
from thalweg.graph.keys import GraphKeys
from thalweg.ops.arrays.create import constant
from thalweg.ops.state.variable import Variable


def get_global_step(graph: Graph | None = None) -> Variable | None:
    """The graph's global step, or None if it has none.

    Args:
        graph: the default graph if not given.

    Raises:
        DTypeError: if the variable that is registered as the global step is not of integers.
        ShapeError: if it is not a scalar.
    """
    own = graph or default_graph().root
    found = own.get_collection(GraphKeys.GLOBAL_STEP)
    if not found:
        name = "global_step"
        found = [v for v in own.get_collection(GraphKeys.GLOBAL_VARIABLES) if v.op.name == name]
    if not found:
        return None
    if len(found) > 1:
        raise GraphError(f"the graph has several global steps: {[str(v) for v in found]}")
    assert_global_step(found[0])
    step: Variable = found[0]
    return step


def create_global_step(graph: Graph | None = None) -> Variable:
    """Make the graph's global step: an int64 scalar that begins at 0.

    Args:
        graph: the default graph if not given.

    Raises:
        ValueError: if the graph has a global step already.
    """
    own = graph or default_graph().root
    if get_global_step(own) is not None:
        raise GraphError('"global_step" already exists.')
    collections = [GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP]
    with own.as_default(), own.name_scope(None), own.control_dependencies(None):
        zero = constant(0, dtypes.int64)
        return Variable(zero, trainable=False, collections=collections, name="global_step")


def get_or_create_global_step(graph: Graph | None = None) -> Variable:
    """The graph's global step, which is made if there is none.

    Args:
        graph: the default graph if not given.
    """
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found


def assert_global_step(global_step_tensor: Any) -> None:
    """Check that a variable can be a global step: a scalar of integers.

    Raises:
        TypeError: if it is no variable, or not of integers.
        ShapeError: if it is not a scalar.
    """
    if not hasattr(global_step_tensor, "static_shape"):
        raise TypeError(f"a global step is a variable, not {global_step_tensor!r}")
    if not global_step_tensor.dtype.is_integer:
        raise DTypeError(
            f'Existing "global_step" does not have integer type: {global_step_tensor.dtype}'
        )
    if global_step_tensor.static_shape not in (None, ()):
        raise ShapeError(f'Existing "global_step" is not scalar: {global_step_tensor.get_shape()}')


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The value of the global step in a session.

    Args:
        sess: has the value.
        global_step_tensor: the variable, or a tensor of it.
    """
    return int(sess.run(global_step_tensor))
