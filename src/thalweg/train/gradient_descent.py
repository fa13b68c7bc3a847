"""Gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.graph import IndexedSlices, Tensor
from thalweg.ops.state.scatter import scatter_sub
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import Elements
from thalweg.train.optimizer import Optimizer, Update


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

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        rate = self._number(self._learning_rate, variable.dtype)
        return elements.of(variable) - gradient * rate, ()

    def _update_rows(self, gradient: IndexedSlices, variable: Variable) -> Sequence[Tensor]:
        """What belongs to one row need not be summed first."""
        rate = self._number(self._learning_rate, variable.dtype)
        return [scatter_sub(variable, gradient.indices, gradient.values * rate)]
