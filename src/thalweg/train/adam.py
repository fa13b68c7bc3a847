"""Adam, which keeps running means of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg.base import dtypes
from thalweg.graph import Graph, IndexedSlices, Tensor
from thalweg.ops.elementwise import math as arithmetic
from thalweg.ops.elementwise.conversion import cast
from thalweg.ops.state.variable import Variable
from thalweg.train.elements import Elements, Rows
from thalweg.train.optimizer import Optimizer, Update


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

    def _update(self, gradient: Tensor, variable: Variable, elements: Elements) -> Update:
        kind = variable.dtype
        beta1, beta2 = self._number(self._beta1, kind), self._number(self._beta2, kind)
        first, second = self._make_slot(variable, "m"), self._make_slot(variable, "v")
        m = elements.of(first) * beta1 + gradient * (1 - beta1)
        v = elements.of(second) * beta2 + arithmetic.square(gradient) * (1 - beta2)
        epsilon = self._number(self._epsilon, kind)
        step = m * self._step_size(variable) / (arithmetic.sqrt(v) + epsilon)
        return elements.of(variable) - step, [elements.set(first, m), elements.set(second, v)]

    def _update_rows(self, gradient: IndexedSlices, variable: Variable) -> Sequence[Tensor]:
        """TensorFlow 1's rule: the means of all rows decay, and so all rows move."""
        kind, (summed, rows) = variable.dtype, self._summed(gradient, variable)
        beta1, beta2 = self._number(self._beta1, kind), self._number(self._beta2, kind)
        m = self._decayed(self._make_slot(variable, "m"), beta1, summed, rows)
        v = self._decayed(self._make_slot(variable, "v"), beta2, arithmetic.square(summed), rows)
        epsilon = self._number(self._epsilon, kind)
        step = m * self._step_size(variable) / (arithmetic.sqrt(v) + epsilon)
        return [variable.assign(variable.value_to_update() - step)]

    @staticmethod
    def _decayed(mean: Variable, beta: Any, new: Tensor, rows: Rows) -> Tensor:
        """The running mean of all rows, for some of which there is something new."""
        decayed = mean.assign(mean.value_to_update() * beta)
        with mean.graph.control_dependencies([decayed]):
            return rows.set(mean, rows.of(mean) + new * (1 - beta))

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


class LazyAdamOptimizer(AdamOptimizer):
    """Adam that leaves alone the rows, and their means, which a step has not looked up.

    It is much faster than `AdamOptimizer` for large tables, and not quite the same algorithm: the
    means of a row decay only in the steps that look it up. Dense gradients are treated alike.

    Args:
        learning_rate: a number or a scalar tensor.
        beta1: how much of the mean of gradients stays with each step.
        beta2: how much of the mean of their squares stays with each step.
        epsilon: keeps the division away from 0.
        use_locking: of no effect.
        name: of the operations.
    """

    def _update_rows(self, gradient: IndexedSlices, variable: Variable) -> Sequence[Tensor]:
        return Optimizer._update_rows(self, gradient, variable)
