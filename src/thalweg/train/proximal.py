"""Descent that after each step draws weights towards 0 (Duchi and Singer 2009)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import GraphError
from thalweg.graph import Tensor
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import Elements
from thalweg.train.optimizer import Optimizer, Update


class ProximalGradientDescentOptimizer(Optimizer):
    """`u = w - rate * g`, then `w = sign(u) * max(abs(u) - rate * l1, 0) / (1 + rate * l2)`.

    Args:
        learning_rate: a number or a scalar tensor.
        l1_regularization_strength: l1; not negative.
        l2_regularization_strength: l2; not negative.
        use_locking: of no effect.
        name: of the operations.
    """

    def __init__(
        self,
        learning_rate: Any,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalGradientDescent",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        pass

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        rate = self._number(self._learning_rate, variable.dtype)
        moved = elements.of(variable) - gradient * rate
        return _drawn(moved, rate, self._l1, self._l2), ()


class ProximalAdagradOptimizer(Optimizer):
    """The same with Adagrad's rate for each element: `a += g ** 2`, `rate / sqrt(a)`.

    Args:
        learning_rate: a number or a scalar tensor.
        initial_accumulator_value: what a starts from; positive.
        l1_regularization_strength: l1; not negative.
        l2_regularization_strength: l2; not negative.
        use_locking: of no effect.
        name: of the operations.

    Raises:
        ValueError: if the initial value is not positive.
    """

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalAdagrad",
    ) -> None:
        if initial_accumulator_value <= 0:
            raise GraphError(
                f"initial_accumulator_value must be positive: {initial_accumulator_value}"
            )
        super().__init__(use_locking, name)
        self._learning_rate, self._initial = learning_rate, initial_accumulator_value
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        for variable in var_list:
            self._make_slot(variable, "accumulator", self._initial)

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        slot = self._make_slot(variable, "accumulator", self._initial)
        squares = elements.of(slot) + arithmetic.square(gradient)
        rate = self._number(self._learning_rate, variable.dtype) / arithmetic.sqrt(squares)
        moved = elements.of(variable) - gradient * rate
        return _drawn(moved, rate, self._l1, self._l2), [elements.set(slot, squares)]


def _drawn(moved: Tensor, rate: Any, l1: float, l2: float) -> Tensor:
    """Weights that are drawn towards 0, and stay there if they would pass it."""
    if l1:
        left = arithmetic.maximum(arithmetic.abs(moved) - rate * l1, 0)
        moved = arithmetic.sign(moved) * left
    return moved / (1 + rate * l2) if l2 else moved
