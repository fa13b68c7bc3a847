"""Optimisers: what to do with gradients.

An optimiser adds plain operations to the graph: a new value for each variable and for each of its
slots, each made once and used both for the slot and for what depends on it. The compiler then does
a variable's whole update in one pass over memory. Where the gradient is `IndexedSlices`, only the
rows are updated that it is for, unless the rule says otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from thalweg.autodiff.gradients import gradients
from thalweg.base import dtypes, shapes
from thalweg.base.dtypes import DType
from thalweg.base.errors import DTypeError, GraphError, ShapeError
from thalweg.base.shapes import Shape, show
from thalweg.graph import Gradient, Graph, IndexedSlices, Operation, Tensor, home
from thalweg.graph.calls import explained
from thalweg.graph.keys import GraphKeys
from thalweg.ops.arrays.create import fill
from thalweg.ops.arrays.repeated import SumRepeated
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.build import convert, emit
from thalweg.ops.control.control import group
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import All, Elements, Rows

GradAndVar: TypeAlias = tuple[Gradient | None, Variable]
Update: TypeAlias = tuple[Any, Sequence[Tensor]]  # a new value, and the assignments to slots


class ConstraintError(GraphError, RuntimeError):
    """A constraint on a variable of which only some rows are updated."""


class Optimizer(ABC):
    """What optimisers share: computing gradients, and applying them.

    A subclass says which slots a variable has (`_create_slots`), how its elements change
    (`_update`) and, if the rule for `IndexedSlices` is another, how its rows do (`_update_rows`).

    Args:
        use_locking: of no effect: a run's updates never overlap another's.
        name: of the operations, and of the slots.
    """

    GATE_NONE: ClassVar[int] = 0
    GATE_OP: ClassVar[int] = 1
    GATE_GRAPH: ClassVar[int] = 2

    def __init__(self, use_locking: bool, name: str) -> None:
        if not name:
            raise GraphError("Must specify the optimizer name")
        self._name = name
        self._use_locking = use_locking
        self._slots: dict[str, dict[Variable, Variable]] = {}
        self._others: dict[tuple[str, Graph], Variable] = {}
        self._scalars: dict[tuple[int, DType, Graph], Any] = {}

    def get_name(self) -> str:
        """The name given to the optimiser."""
        return self._name

    # -- the public methods

    @explained
    def minimize(
        self,
        loss: Any,
        global_step: Variable | None = None,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Operation:
        """An operation that changes variables so that the loss goes down.

        Args:
            loss: a floating tensor, usually a scalar.
            global_step: a variable that goes up by one with each run of the operation.
            var_list: the variables to change; by default all trainable ones of the graph.
            gate_gradients: of no effect; kept for TensorFlow's programs, as the next one.
            aggregation_method: one of `tf.AggregationMethod`, of no effect.
            colocate_gradients_with_ops: see `tf.gradients`.
            name: of the operation.
            grad_loss: the gradient to start from, of the shape of the loss; ones by default.

        Raises:
            ValueError: if the loss depends on none of the variables.
        """
        pairs = self.compute_gradients(
            loss,
            var_list,
            gate_gradients,
            aggregation_method,
            colocate_gradients_with_ops,
            grad_loss,
        )
        if all(gradient is None for gradient, _ in pairs):
            names = [str(variable) for _, variable in pairs]
            raise GraphError(
                "No gradients provided for any variable, check your graph for ops that do not "
                f"support gradients, between variables {names} and loss {loss}."
            )
        return self.apply_gradients(pairs, global_step, name)

    @explained
    def compute_gradients(
        self,
        loss: Any,
        var_list: Sequence[Variable] | None = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[GradAndVar]:
        """The gradient of the loss by each variable, with the variable; None where there is none.

        Where the loss depends only on rows that were looked up, the gradient is `IndexedSlices`.

        Args:
            loss: a floating tensor.
            var_list: the variables; by default all trainable ones of the graph.
            gate_gradients: of no effect, as the next one.
            aggregation_method: one of `tf.AggregationMethod`.
            colocate_gradients_with_ops: see `tf.gradients`.
            grad_loss: the gradient to start from, of the shape of the loss.

        Raises:
            ValueError: if there are no variables, or the loss is not floating.
            TypeError: if something in `var_list` is not a variable.
        """
        if gate_gradients not in (self.GATE_NONE, self.GATE_OP, self.GATE_GRAPH):
            raise GraphError(
                "gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, "
                f"Optimizer.GATE_GRAPH. Not {gate_gradients}"
            )
        total = convert(loss)
        if not total.dtype.is_floating:
            raise DTypeError(
                f"Invalid type {total.dtype} for the loss {total.name}: it must be float"
            )
        variables = _variables(var_list, total.graph)
        with total.graph.as_default():
            found = gradients(
                total,
                variables,
                grad_loss,
                colocate_gradients_with_ops=colocate_gradients_with_ops,
                aggregation_method=aggregation_method,
            )
        return list(zip(found, variables, strict=True))

    @explained
    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Variable]],
        global_step: Variable | None = None,
        name: str | None = None,
    ) -> Operation:
        """An operation that changes the variables by their gradients.

        Args:
            grads_and_vars: pairs as `compute_gradients` returns them.
            global_step: a variable that goes up by one with each run of the operation.
            name: of the operation; by default the optimiser's.

        Raises:
            ValueError: if there are no variables, or all gradients are None.
            TypeError: if something is not a variable.
            ShapeError: if a gradient has not its variable's shape.
        """
        pairs = list(grads_and_vars)
        if not pairs:
            raise GraphError("No variables provided.")
        for _, variable in pairs:
            _check_variable(variable)
        given = [(g, v) for g, v in pairs if g is not None]
        if not given:
            names = [variable.name for _, variable in pairs]
            raise GraphError(f"No gradients provided for any variable: {names}.")
        graph = home(given[0][1].graph)
        with graph.as_default():
            with graph.name_scope(None), graph.control_dependencies(None):
                self._create_slots([variable for _, variable in given])
            with graph.name_scope(name or self._name) as scope:
                updates = [self._apply(graph, gradient, variable) for gradient, variable in given]
                updates.append(self._finish(graph))
                if global_step is not None:
                    updates.append([_step(global_step)])
                return group(*updates, name=scope)

    def get_slot(self, var: Variable, name: str) -> Variable | None:
        """The slot of that name that was made for a variable, or None."""
        return self._slots.get(name, {}).get(var)

    def get_slot_names(self) -> list[str]:
        """The names of the slots made so far, sorted."""
        return sorted(self._slots)

    def variables(self) -> list[Variable]:
        """The variables that hold the optimiser's own state."""
        slots = [slot for by_variable in self._slots.values() for slot in by_variable.values()]
        return [*self._others.values(), *slots]

    # -- what subclasses define

    @abstractmethod
    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        """Make the slots of the variables, where they do not exist yet."""

    @abstractmethod
    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        """New values of some elements of the variable, and what sets those of its slots.

        Args:
            gradient: for these elements.
            variable: to change.
            elements: all of them, or those of some rows.
        """

    def _update_rows(self, gradient: IndexedSlices, variable: Variable) -> Sequence[Tensor]:
        """What changes the rows of a variable that the gradient is for, and those of its slots."""
        summed, rows = self._summed(gradient, variable)
        value, slots = self._update(summed, variable, rows)
        return [rows.set(variable, value), *slots]

    def _finish(self, graph: Graph) -> list[Tensor]:
        """Assignments that every run makes once, whatever the number of variables."""
        return []

    # -- what they are made of

    def _apply(self, graph: Graph, gradient: Any, variable: Variable) -> list[Tensor]:
        with graph.name_scope(f"update_{variable.op.name}"), graph.colocate_with(variable):
            if isinstance(gradient, IndexedSlices):
                _check_slices(gradient, variable)
                return [*self._update_rows(gradient, variable)]
            slope = convert(gradient, hint=variable.dtype)
            _check_gradient(slope.static_shape, slope.dtype, variable)
            value, slots = self._update(slope, variable, All())
            if variable.constraint is not None:
                value = variable.constraint(value)
            return [variable.assign(value), *slots]

    @staticmethod
    def _summed(gradient: IndexedSlices, variable: Variable) -> tuple[Tensor, Rows]:
        """The gradient for each of its rows, where what belongs to one is summed; and the rows."""
        record, indices = SumRepeated(variable.static_shape[0]), gradient.indices
        summed, used = emit(record, gradient.values, indices), gradient.used
        if used is not None:  # a row of which one slice is used is used
            used = emit(record, cast(used, dtypes.int32), indices) > 0
        return summed, Rows(indices, used)

    def _make_slot(
        self, variable: Variable, slot: str, initial: float = 0.0, name: str | None = None
    ) -> Variable:
        """The slot of a variable, of its shape and dtype, named after variable and optimiser."""
        slots = self._slots.setdefault(slot, {})
        if variable not in slots:
            graph, full = variable.graph, f"{variable.op.name}/{name or self._name}"
            with graph.colocate_with(variable):
                with graph.name_scope(f"{full}/Initializer"):
                    value = fill(variable.static_shape, convert(initial, hint=variable.dtype))
                slots[variable] = Variable(value, trainable=False, name=full)
        return slots[variable]

    def _make_scalar(self, name: str, value: Any, graph: Graph) -> Variable:
        """A float32 number that belongs to the optimiser, in a graph."""
        if (name, graph) not in self._others:
            initial = convert(value, hint=dtypes.float32)
            self._others[name, graph] = Variable(initial, trainable=False, name=name)
        return self._others[name, graph]

    def _number(self, value: Any, dtype: DType) -> Any:
        """A setting (a number, a tensor or a function that returns one) for use at a dtype."""
        setting = value() if callable(value) else value
        if isinstance(setting, int | float | np.number):
            return float(setting)
        tensor = convert(setting)
        key = id(tensor), dtype, tensor.graph
        if key not in self._scalars or tensor.graph.in_control_context:
            shape = tensor.static_shape
            scalar = reshape(tensor, ()) if shape is None else tensor
            self._scalars[key] = (cast(scalar, dtype), tensor)
        made: Tensor = self._scalars[key][0]
        return made


def _variables(var_list: Any, graph: Graph) -> list[Variable]:
    """The variables to differentiate by, checked."""
    if var_list is None:
        variables = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES)
    else:
        variables = [var_list] if isinstance(var_list, Variable) else list(var_list)
    for variable in variables:
        _check_variable(variable)
    if not variables:
        raise GraphError("No variables to optimize.")
    return variables


def _check_variable(variable: Any) -> None:
    if not isinstance(variable, Variable):
        raise TypeError(f"Argument is not a variable: {variable!r}")


def _check_gradient(shape: Shape, dtype: DType, variable: Variable) -> None:
    if not shapes.compatible(shape, variable.static_shape):
        raise ShapeError(
            f"the gradient for {variable.name!r} is {show(shape)}, "
            f"the variable {show(variable.static_shape)}"
        )
    if dtype != variable.dtype:
        raise DTypeError(
            f"the gradient for {variable.name!r} is {dtype}, the variable {variable.dtype}"
        )


def _check_slices(gradient: IndexedSlices, variable: Variable) -> None:
    slices = gradient.values.static_shape
    _check_gradient(None if slices is None else (None, *slices[1:]), gradient.dtype, variable)
    if variable.constraint is not None:
        raise ConstraintError(
            f"the gradient for {variable.name!r} is IndexedSlices: Cannot use a constraint "
            "function on a sparse variable."
        )


def _step(global_step: Any) -> Tensor:
    _check_variable(global_step)
    result: Tensor = global_step.assign_add(1)
    return result
