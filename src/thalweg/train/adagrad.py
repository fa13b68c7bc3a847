"""Adagrad: steps divided by the root of all squares so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import GraphError
from thalweg.graph import Tensor
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import Elements
from thalweg.train.optimizer import Optimizer, Update


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

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        rate = self._number(self._learning_rate, variable.dtype)
        slot = self._make_slot(variable, "accumulator", self._initial)
        squares = elements.of(slot) + arithmetic.square(gradient)
        step = gradient * rate / arithmetic.sqrt(squares)
        return elements.of(variable) - step, [elements.set(slot, squares)]
