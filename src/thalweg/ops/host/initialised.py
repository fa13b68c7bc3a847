"""Which variables have a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from thalweg.base import dtypes
from thalweg.graph import Effects, Op, Operation, Spec, Tensor
from thalweg.graph.calls import explained
from thalweg.ops.arrays.create import constant
from thalweg.ops.arrays.join import stack
from thalweg.ops.build import emit
from thalweg.ops.elementwise.logical import logical_not
from thalweg.ops.host.boolean_mask import boolean_mask
from thalweg.ops.state.variable import Variable
from thalweg.ops.state.variable_lists import global_variables, local_variables


class IsVariableInitialized(Op):
    """Whether a variable has a value in the session."""

    type: ClassVar[str] = "IsVariableInitialized"
    effects: ClassVar[Effects] = Effects(asks=(0,), host=True)

    def infer(self, handle: Spec) -> Spec:
        return Spec((), dtypes.bool_)

    def evaluate(self, xp: Any, handle: Any) -> Any:
        raise AssertionError("the session answers")

    def grad(self, node: Operation, dy: Tensor) -> Sequence[Tensor | None]:
        return [None]


@explained
def is_variable_initialized(variable: Any) -> Tensor:
    """Whether a variable has a value, before the writes of the same run: a bool scalar.

    A session gives a variable its initial value when a run first needs it, so False is no mistake.

    Raises:
        TypeError: if it is no variable.
    """
    if not isinstance(variable, Variable):
        raise TypeError(f"is_variable_initialized: {variable!r} is not a variable")
    return emit(IsVariableInitialized(), variable.handle)


@explained
def report_uninitialized_variables(
    var_list: Sequence[Variable] | None = None, name: str = "report_uninitialized_variables"
) -> Tensor:
    """The names of the variables that have no value yet: a vector of strings.

    Args:
        var_list: the variables; by default all global and local ones of the default graph.
        name: of the operation.
    """
    every = [*global_variables(), *local_variables()]
    variables = every if var_list is None else list(var_list)
    if not variables:
        return constant([], dtypes.string, name=name)
    names = constant([variable.op.name.encode() for variable in variables], dtypes.string)
    known = stack([is_variable_initialized(variable) for variable in variables])
    made: Tensor = boolean_mask(names, logical_not(known), name=name)
    return made
