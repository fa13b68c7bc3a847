"""Optimisers: what to do with gradients.

An optimiser adds plain operations to the graph: a new value for each variable and for each of its
slots, each made once and used both for the slot and for what depends on it. The compiler then does
a variable's whole update in one pass over memory.
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
from thalweg.base.shapes import show
from thalweg.graph import Graph, Operation, Tensor, home
from thalweg.graph.calls import explained
from thalweg.graph.keys import GraphKeys
from thalweg.ops.arrays.create import zeros
from thalweg.ops.arrays.reshape import reshape
from thalweg.ops.build import convert
from thalweg.ops.control.control import group
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.state.variable import Variable

GradAndVar: TypeAlias = tuple[Tensor | None, Variable]


class Optimizer(ABC):
    """What optimisers share: computing gradients, and applying them.

    A subclass says which slots a variable has (`_create_slots`) and how it changes (`_update`).

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
            gate_gradients: of no effect; kept for TensorFlow's programs, as the next two.
            aggregation_method: of no effect.
            colocate_gradients_with_ops: of no effect.
            name: of the operation.
            grad_loss: the gradient to start from, of the shape of the loss; ones by default.

        Raises:
            ValueError: if the loss depends on none of the variables.
        """
        pairs = self.compute_gradients(loss, var_list, gate_gradients, grad_loss=grad_loss)
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

        Args:
            loss: a floating tensor.
            var_list: the variables; by default all trainable ones of the graph.
            gate_gradients: of no effect, as the next two.
            aggregation_method: of no effect.
            colocate_gradients_with_ops: of no effect.
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
            found = gradients(total, variables, grad_ys=grad_loss)
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
    def _update(self, gradient: Tensor, variable: Variable) -> tuple[Any, Sequence[Tensor]]:
        """The variable's new value, and the assignments of new values to its slots."""

    def _finish(self, graph: Graph) -> list[Tensor]:
        """Assignments that every run makes once, whatever the number of variables."""
        return []

    # -- what they are made of

    def _apply(self, graph: Graph, gradient: Any, variable: Variable) -> list[Tensor]:
        with graph.name_scope(f"update_{variable.op.name}"):
            slope = convert(gradient, hint=variable.dtype)
            _check_gradient(slope, variable)
            value, slots = self._update(slope, variable)
            if variable.constraint is not None:
                value = variable.constraint(value)
            return [variable.assign(value), *slots]

    def _make_slot(self, variable: Variable, name: str, fill: float = 0.0) -> Variable:
        """The slot of a variable, of its shape and dtype, named after variable and optimiser."""
        slots = self._slots.setdefault(name, {})
        if variable not in slots:
            initial = np.full(variable.static_shape, fill, variable.dtype.numpy)
            slots[variable] = Variable(
                convert(initial) if fill else zeros(variable.static_shape, variable.dtype),
                trainable=False,
                name=f"{variable.op.name}/{self._name}",
            )
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


def _check_gradient(gradient: Tensor, variable: Variable) -> None:
    if not shapes.compatible(gradient.static_shape, variable.static_shape):
        raise ShapeError(
            f"the gradient for {variable.name!r} is {show(gradient.static_shape)}, "
            f"the variable {show(variable.static_shape)}"
        )
    if gradient.dtype != variable.dtype:
        raise DTypeError(
            f"the gradient for {variable.name!r} is {gradient.dtype}, the variable {variable.dtype}"
        )


def _step(global_step: Any) -> Tensor:
    _check_variable(global_step)
    result: Tensor = global_step.assign_add(1)
    return result


class GradientDescentOptimizer(Optimizer):
    """`w -= learning_rate * g`.

    Args:
        learning_rate: a number or a scalar tensor.
        use_locking: of no effect.
        name: of the operations.
    """

    def __init__(
        self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent"
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        pass

    def _update(self, gradient: Tensor, variable: Variable) -> tuple[Any, Sequence[Tensor]]:
        rate = self._number(self._learning_rate, variable.dtype)
        return variable.value_to_update() - gradient * rate, ()


class MomentumOptimizer(Optimizer):
    """`a = momentum * a + g`, then `w -= learning_rate * a` (Polyak 1964).

    Args:
        learning_rate: a number or a scalar tensor.
        momentum: a number or a scalar tensor.
        use_locking: of no effect.
        name: of the operations.
        use_nesterov: whether to use `w -= learning_rate * (g + momentum * a)` (Sutskever 2013).
    """

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._use_nesterov = use_nesterov

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        for variable in var_list:
            self._make_slot(variable, "momentum")

    def _update(self, gradient: Tensor, variable: Variable) -> tuple[Any, Sequence[Tensor]]:
        rate = self._number(self._learning_rate, variable.dtype)
        momentum = self._number(self._momentum, variable.dtype)
        slot = self._make_slot(variable, "momentum")
        speed = slot.value_to_update() * momentum + gradient
        step = gradient + speed * momentum if self._use_nesterov else speed
        return variable.value_to_update() - step * rate, [slot.assign(speed)]


class AdagradOptimizer(Optimizer):
    """`a += g ** 2`, then `w -= learning_rate * g / sqrt(a)` (Duchi, Hazan and Singer 2011).

    Args:
        learning_rate: a number or a scalar tensor.
        initial_accumulator_value: what a starts from; positive.
        use_locking: of no effect.
        name: of the operations.
    """

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        if initial_accumulator_value <= 0:
            raise GraphError(
                f"initial_accumulator_value must be positive: {initial_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial = initial_accumulator_value

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        for variable in var_list:
            self._make_slot(variable, "accumulator", self._initial)

    def _update(self, gradient: Tensor, variable: Variable) -> tuple[Any, Sequence[Tensor]]:
        rate = self._number(self._learning_rate, variable.dtype)
        slot = self._make_slot(variable, "accumulator", self._initial)
        squares = slot.value_to_update() + arithmetic.square(gradient)
        step = gradient * rate / arithmetic.sqrt(squares)
        return variable.value_to_update() - step, [slot.assign(squares)]


class AdadeltaOptimizer(Optimizer):
    """Steps scaled by the ratio of past steps to past gradients (Zeiler 2012).

    Args:
        learning_rate: a number or a scalar tensor.
        rho: how much of the running means stays with each step.
        epsilon: added under the square roots.
        use_locking: of no effect.
        name: of the operations.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate, self._rho, self._epsilon = learning_rate, rho, epsilon

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        for variable in var_list:
            self._make_slot(variable, "accum")
            self._make_slot(variable, "accum_update")

    def _update(self, gradient: Tensor, variable: Variable) -> tuple[Any, Sequence[Tensor]]:
        kind = variable.dtype
        rate, rho = self._number(self._learning_rate, kind), self._number(self._rho, kind)
        epsilon = self._number(self._epsilon, kind)
        accum = self._make_slot(variable, "accum")
        accum_update = self._make_slot(variable, "accum_update")
        past = accum_update.value_to_update()
        squares = accum.value_to_update() * rho + arithmetic.square(gradient) * (1 - rho)
        scale = arithmetic.sqrt(past + epsilon) / arithmetic.sqrt(squares + epsilon)
        step = scale * gradient
        steps = past * rho + arithmetic.square(step) * (1 - rho)
        value = variable.value_to_update() - step * rate
        return value, [accum.assign(squares), accum_update.assign(steps)]


class RMSPropOptimizer(Optimizer):
    """Steps divided by a running root mean square of the gradient (Tieleman and Hinton 2012).

    Args:
        learning_rate: a number or a scalar tensor.
        decay: how much of the running mean stays with each step.
        momentum: how much of the last step is repeated.
        epsilon: added under the square root.
        use_locking: of no effect.
        centered: whether to divide by the standard deviation of the gradient instead; a variance
            that rounding makes negative counts as 0.
        name: of the operations.
    """

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate, self._decay = learning_rate, decay
        self._momentum, self._epsilon = momentum, epsilon
        self._centered = centered

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        for variable in var_list:
            self._make_slot(variable, "rms", 1.0)
            if self._centered:
                self._make_slot(variable, "mg")
            self._make_slot(variable, "momentum")

    def _update(self, gradient: Tensor, variable: Variable) -> tuple[Any, Sequence[Tensor]]:
        kind = variable.dtype
        rate, decay = self._number(self._learning_rate, kind), self._number(self._decay, kind)
        momentum, epsilon = self._number(self._momentum, kind), self._number(self._epsilon, kind)
        rms, speed = self._make_slot(variable, "rms", 1.0), self._make_slot(variable, "momentum")
        squares = rms.value_to_update() * decay + arithmetic.square(gradient) * (1 - decay)
        slots, spread = [rms.assign(squares)], squares
        if self._centered:
            mg = self._make_slot(variable, "mg")
            mean = mg.value_to_update() * decay + gradient * (1 - decay)
            slots.append(mg.assign(mean))
            spread = arithmetic.maximum(squares - arithmetic.square(mean), 0)
        change = gradient * rate / arithmetic.sqrt(spread + epsilon)
        step = speed.value_to_update() * momentum + change
        return variable.value_to_update() - step, [*slots, speed.assign(step)]


class AdamOptimizer(Optimizer):
    """Steps from running means of the gradient and of its square (Kingma and Ba 2015).

    `m = beta1 * m + (1 - beta1) * g`, `v = beta2 * v + (1 - beta2) * g ** 2`, and
    `w -= learning_rate * sqrt(1 - beta2 ** t) / (1 - beta1 ** t) * m / (sqrt(v) + epsilon)`: the
    form at the end of section 2 of the paper, whose epsilon is not the one of Algorithm 1.

    Args:
        learning_rate: a number or a scalar tensor.
        beta1: how much of the mean of gradients stays with each step.
        beta2: how much of the mean of their squares stays with each step.
        epsilon: keeps the division away from 0.
        use_locking: of no effect.
        name: of the operations.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate, self._epsilon = learning_rate, epsilon
        self._beta1, self._beta2 = beta1, beta2

    def _powers(self, graph: Graph) -> tuple[Variable, Variable]:
        """The betas to the power of the coming step's number."""
        first = self._make_scalar("beta1_power", _value(self._beta1), graph)
        return first, self._make_scalar("beta2_power", _value(self._beta2), graph)

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        self._powers(var_list[0].graph)
        for variable in var_list:
            self._make_slot(variable, "m")
            self._make_slot(variable, "v")

    def _update(self, gradient: Tensor, variable: Variable) -> tuple[Any, Sequence[Tensor]]:
        kind = variable.dtype
        beta1, beta2 = self._number(self._beta1, kind), self._number(self._beta2, kind)
        first, second = self._make_slot(variable, "m"), self._make_slot(variable, "v")
        m = first.value_to_update() * beta1 + gradient * (1 - beta1)
        v = second.value_to_update() * beta2 + arithmetic.square(gradient) * (1 - beta2)
        epsilon = self._number(self._epsilon, kind)
        step = m * self._step_size(variable) / (arithmetic.sqrt(v) + epsilon)
        return variable.value_to_update() - step, [first.assign(m), second.assign(v)]

    def _step_size(self, variable: Variable) -> Tensor:
        """The learning rate with both means' bias towards 0 taken out."""
        power1, power2 = (p.value_to_update() for p in self._powers(variable.graph))
        rate = self._number(self._learning_rate, dtypes.float32)
        corrected = arithmetic.sqrt(1 - power2) / (1 - power1) * rate
        return cast(corrected, variable.dtype)

    def _finish(self, graph: Graph) -> list[Tensor]:
        betas = (self._number(b, dtypes.float32) for b in (self._beta1, self._beta2))
        powers = zip(self._powers(graph), betas, strict=True)
        return [power.assign(power.value_to_update() * beta) for power, beta in powers]


def _value(setting: Any) -> Any:
    return setting() if callable(setting) else setting
