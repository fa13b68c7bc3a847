"""Which forward operation an operation of a gradient or of an update belongs to.

`tf.gradients` names what it builds after the operation that it differentiates, and an optimiser
after the variable that it updates:

    gradients/conv1/Conv2D_grad/Conv2DFilterGrad   is backward, of conv1/Conv2D
    Adam/update_conv1/W/mul_1                      is an update, of conv1/W
    conv1/W/Adam                                   is the memory of an update
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from thalweg.base.record import Record

GRADIENT, UPDATE = "_grad/", "update_"


class Role(Enum):
    """What an operation is there for."""

    FORWARD = "forward"
    BACKWARD = "backward"
    UPDATE = "update"


class Attribution(Record):
    """Where an operation belongs.

    Attributes:
        name: of the forward operation, or of the variable; of itself if it is forward.
        role: what it does for that.
    """

    name: str
    role: Role = Role.FORWARD


class Attributions:
    """The attributions of a graph's operations.

    Args:
        names: of the operations, those in the bodies of loops and branches too.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names if isinstance(names, frozenset) else frozenset(names)

    def of(self, name: str) -> Attribution:
        """That of an operation; one that was made by a pass need not be in the graph."""
        return self._update(name) or self._gradient(name) or Attribution(name)

    def _gradient(self, name: str) -> Attribution | None:
        """From the last `_grad/` backwards: a gradient may be one of a gradient, or in a loop."""
        head, found, _ = name.rpartition(GRADIENT)
        while found:
            if (known := self._longest_known(head)) is not None:
                return Attribution(self.of(known).name, Role.BACKWARD)
            head, found, _ = head.rpartition(GRADIENT)
        return None

    def _longest_known(self, path: str) -> str | None:
        """The longest end of a path that names an operation."""
        parts = path.split("/")
        ends = ("/".join(parts[n:]) for n in range(len(parts)))
        return next((end for end in ends if end in self._names), None)

    def _update(self, name: str) -> Attribution | None:
        """A variable's name follows `update_`, and what computes its new value follows that."""
        parts = name.split("/")
        for n, part in enumerate(parts[:-1]):
            if part.startswith(UPDATE):
                rest = [part.removeprefix(UPDATE), *parts[n + 1 :]]
                for end in range(len(rest), 0, -1):
                    if (variable := "/".join(rest[:end])) in self._names:
                        return Attribution(variable, Role.UPDATE)
        return None
