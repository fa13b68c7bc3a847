"""Which elements of variables an update changes: all of them, or some rows.

An optimiser's rule for an element is the same in both cases. So it is written once, over what it
reads and sets:

    speed = elements.of(slot) * momentum + gradient
    elements.set(slot, speed)
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from thalweg.graph import Tensor
from thalweg.ops.arrays.gather import gather
from thalweg.ops.elementwise.selection import where
from thalweg.ops.state.scatter import scatter_update
from thalweg.ops.state.variable import Variable


class Elements(ABC):
    """Elements of variables that all have one shape."""

    @abstractmethod
    def of(self, variable: Variable) -> Tensor:
        """What earlier updates of the same run have left there."""

    @abstractmethod
    def set(self, variable: Variable, value: Tensor) -> Tensor:
        """Replace them; the tensor returned holds the variable's whole new value."""


class All(Elements):
    """All elements."""

    def of(self, variable: Variable) -> Tensor:
        """The whole value."""
        return variable.value_to_update()

    def set(self, variable: Variable, value: Tensor) -> Tensor:
        """Assign it."""
        assigned: Tensor = variable.assign(value)
        return assigned


class Rows(Elements):
    """The elements of some rows, which are changed in place.

    Args:
        indices: `[n]`, the numbers of the rows. Where one occurs again, its values must, too.
        used: `[n]`, which of them may change; None for all.
    """

    def __init__(self, indices: Tensor, used: Tensor | None = None) -> None:
        self._indices, self._used = indices, used

    def of(self, variable: Variable) -> Tensor:
        """The rows."""
        return gather(variable.value_to_update(), self._indices)

    def set(self, variable: Variable, value: Tensor) -> Tensor:
        """Replace the rows."""
        if self._used is not None:
            value = where(self._used, value, self.of(variable))
        return scatter_update(variable, self._indices, value)
