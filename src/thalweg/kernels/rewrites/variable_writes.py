"""Which definitions overwrite variables: no read of one may move past them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from thalweg.formula import is_identity
from thalweg.kernels.values import Definition, Storage, VariableMemory, is_elementwise


class VariableWrites:
    """Which definitions overwrite each variable, in order; each waits for the one before."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._writes: dict[Storage, list[Definition]] = {}
        for definition in definitions:
            storage = definition.value.storage
            if isinstance(storage, VariableMemory):
                self._writes.setdefault(storage, []).append(definition)

    def of_what(self, reader: Definition) -> list[list[Definition]]:
        """Those that overwrite a variable which the definition reads, for each such variable."""
        read = [read.source.root.storage for read in reader.reads()]
        variables = dict.fromkeys([s for s in read if isinstance(s, VariableMemory)])
        return [self._writes[s] for s in variables if s in self._writes]

    def permit(self, producer: Definition, user: Definition) -> bool:
        """Whether the user finds in the variables what the producer does."""
        for writes in self.of_what(producer):
            later = bisect_left(writes, producer.order, key=_order)
            if later < len(writes) and writes[later].order < user.order:
                return False
        return not isinstance(user.value.storage, VariableMemory) or _at_one_point(producer, user)

    def wait_for(self, user: Definition) -> None:
        """Let later writes wait for a definition that has come to read a variable.

        The next one does; those after it wait for that one.
        """
        for writes in self.of_what(user):
            later = bisect_right(writes, user.order, key=_order)
            if later < len(writes):
                writes[later].after.add(user)


def _at_one_point(producer: Definition, user: Definition) -> bool:
    """Whether each element of the user's needs the element of the same index of what it overwrites.

    Any other one may have been overwritten by then.
    """
    storage = user.value.storage
    there = [read for read in producer.reads() if read.source.root.storage == storage]
    here = [read for read in user.reads() if read.source is producer.value]
    return not there or (
        user.is_pointwise
        and all(is_identity(read.index, user.axes) for read in here)
        and all(is_elementwise(read, producer.axes) for read in there)
    )


def _order(definition: Definition) -> int:
    return definition.order
