"""What the programs of one plan share: their code, the variables, constants and an arena."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.backends import memory
from thalweg.backends.native.parts import Code
from thalweg.backends.native.plans import Planned
from thalweg.backends.state import VariableStore, address_of
from thalweg.base.dims import Sizes
from thalweg.base.record import Record, field
from thalweg.kernels import values

Array = np.ndarray[Any, Any]


class ArenaMemory(Record, frozen=False):
    """Memory for temporaries, shared by the programs of a workspace, which run one at a time."""

    memory: Array | None = None
    size: int = 0
    address: int = 0

    def reserve(self, size: int) -> int:
        """The address of at least `size` bytes."""
        if self.size < size:
            self.memory = None  # give the old one back before asking for more
            self.memory = memory.aligned_empty((size,), np.dtype(np.uint8))
            self.size, self.address = size, address_of(self.memory)
        return self.address


class Compiled(Record, eq=False):
    """What programs of one plan share, whatever their extents.

    Attributes:
        planned: what they compute.
        codes: one for each kernel.
        state: the variables.
        arenas: memory for temporaries, by the numbers of workspaces.
        arena: that of these programs.
        threads: how many threads they may use.
        constants: copies that are aligned.
    """

    planned: Planned
    codes: Sequence[Code]
    state: VariableStore
    arenas: dict[int, ArenaMemory]
    arena: ArenaMemory
    threads: int
    constants: dict[values.ConstantMemory, Array] = field(default_factory=dict)

    def constant(self, storage: values.ConstantMemory, sizes: Sizes) -> Array:
        """Aligned memory with the contents of a constant."""
        if storage.planned is not None:
            return _aligned(sizes.array(storage.planned))
        if storage not in self.constants:
            self.constants[storage] = _aligned(storage.array)
        return self.constants[storage]


def _aligned(array: Array) -> Array:
    made = memory.aligned_empty(array.shape, array.dtype)
    np.copyto(made, array)
    return made
