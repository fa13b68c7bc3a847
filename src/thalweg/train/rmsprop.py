"""RMSProp: steps divided by a running root mean square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.graph import Tensor
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import Elements
from thalweg.train.optimizer import Optimizer, Update


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

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        kind = variable.dtype
        rate, decay = self._number(self._learning_rate, kind), self._number(self._decay, kind)
        momentum, epsilon = self._number(self._momentum, kind), self._number(self._epsilon, kind)
        rms, speed = self._make_slot(variable, "rms", 1.0), self._make_slot(variable, "momentum")
        squares = elements.of(rms) * decay + arithmetic.square(gradient) * (1 - decay)
        slots, spread = [elements.set(rms, squares)], squares
        if self._centered:
            mg = self._make_slot(variable, "mg")
            mean = elements.of(mg) * decay + gradient * (1 - decay)
            slots.append(elements.set(mg, mean))
            spread = arithmetic.maximum(squares - arithmetic.square(mean), 0)
        change = gradient * rate / arithmetic.sqrt(spread + epsilon)
        step = elements.of(speed) * momentum + change
        return elements.of(variable) - step, [*slots, elements.set(speed, step)]
