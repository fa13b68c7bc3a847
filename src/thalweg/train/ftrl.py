"""FTRL-Proximal, which keeps weights at 0 unless the gradients insist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base.errors import GraphError
from thalweg.graph import Tensor
from thalweg.ops.arrays.create import zeros_like
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import Elements
from thalweg.train.optimizer import Optimizer, Update


class FtrlOptimizer(Optimizer):
    """Follow the regularised leader, for each element by itself (McMahan et al. 2013).

    With `g` the gradient plus `2 * l2_shrinkage * w`, and `p = -learning_rate_power`:

        b = a + g ** 2
        z += g - (b ** p - a ** p) / learning_rate * w
        w = (sign(z) * l1 - z) / (b ** p / learning_rate + 2 * l2)    if abs(z) > l1, else 0
        a = b

    Args:
        learning_rate: a number or a scalar tensor.
        learning_rate_power: how the rate falls with the sum of squares; not positive.
        initial_accumulator_value: what a starts from; not negative.
        l1_regularization_strength: l1; not negative.
        l2_regularization_strength: l2; not negative.
        use_locking: of no effect.
        name: of the operations.
        accum_name: of the variables that hold a; by default the optimiser's.
        linear_name: of those that hold z.
        l2_shrinkage_regularization_strength: of a penalty on the size of weights; not negative.
            For `IndexedSlices` it concerns the rows that they are for.

    Raises:
        ValueError: if a number is out of range.
    """

    def __init__(
        self,
        learning_rate: Any,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "Ftrl",
        accum_name: str | None = None,
        linear_name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0,
    ) -> None:
        super().__init__(use_locking, name)
        strengths = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }
        for what, value in strengths.items():
            if value < 0:
                raise GraphError(f"{what} {value} needs to be positive or zero")
        if learning_rate_power > 0:
            raise GraphError(f"learning_rate_power {learning_rate_power} needs to be <= 0")
        self._learning_rate, self._power = learning_rate, -learning_rate_power
        self._initial = initial_accumulator_value
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength
        self._shrinkage = l2_shrinkage_regularization_strength
        self._accum_name, self._linear_name = accum_name, linear_name

    def _create_slots(self, var_list: Sequence[Variable]) -> None:
        for variable in var_list:
            self._make_slot(variable, "accum", self._initial, self._accum_name)
            self._make_slot(variable, "linear", name=self._linear_name)

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        rate = self._number(self._learning_rate, variable.dtype)
        accum, linear = self._slots["accum"][variable], self._slots["linear"][variable]
        weights, past = elements.of(variable), elements.of(accum)
        slope = gradient + weights * (2 * self._shrinkage) if self._shrinkage else gradient
        squares = past + arithmetic.square(slope)
        growth = (self._root(squares) - self._root(past)) / rate
        total = elements.of(linear) + slope - growth * weights
        value = self._weights(total, self._root(squares) / rate + 2 * self._l2)
        return value, [elements.set(accum, squares), elements.set(linear, total)]

    def _root(self, squares: Tensor) -> Tensor:
        half = self._power == 0.5
        return arithmetic.sqrt(squares) if half else arithmetic.pow(squares, self._power)

    def _weights(self, total: Tensor, scale: Tensor) -> Tensor:
        value = (arithmetic.sign(total) * self._l1 - total) / scale
        return arithmetic.where(arithmetic.abs(total) > self._l1, value, zeros_like(value))
