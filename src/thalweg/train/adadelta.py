"""Adadelta: steps scaled by those before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.graph import Tensor
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import Elements
from thalweg.train.optimizer import Optimizer, Update


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

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        kind = variable.dtype
        rate, rho = self._number(self._learning_rate, kind), self._number(self._rho, kind)
        epsilon = self._number(self._epsilon, kind)
        accum = self._make_slot(variable, "accum")
        accum_update = self._make_slot(variable, "accum_update")
        past = elements.of(accum_update)
        squares = elements.of(accum) * rho + arithmetic.square(gradient) * (1 - rho)
        scale = arithmetic.sqrt(past + epsilon) / arithmetic.sqrt(squares + epsilon)
        step = scale * gradient
        steps = past * rho + arithmetic.square(step) * (1 - rho)
        value = elements.of(variable) - step * rate
        return value, [elements.set(accum, squares), elements.set(accum_update, steps)]
