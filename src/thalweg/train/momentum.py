"""Gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.graph import Tensor
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import Elements
from thalweg.train.optimizer import Optimizer, Update


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

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        rate = self._number(self._learning_rate, variable.dtype)
        momentum = self._number(self._momentum, variable.dtype)
        slot = self._make_slot(variable, "momentum")
        speed = elements.of(slot) * momentum + gradient
        step = gradient + speed * momentum if self._use_nesterov else speed
        return elements.of(variable) - step * rate, [elements.set(slot, speed)]
