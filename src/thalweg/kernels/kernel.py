"""What a plan is made into: scheduled kernels, some of them tiled depth first."""

from __future__ import annotations

from thalweg.base.record import Record
from thalweg.kernels.flow import Choice, Repeat, Straight
from thalweg.kernels.lower.checks import Checked
from thalweg.kernels.memory import Lives
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule

Kernel = tuple[Nest, Schedule]


class TiledKernels(Record):
    """Kernels that run one after the other for each slice of a dimension.

    See `kernels.rewrites.tile_depth_first`.

    Attributes:
        before: those that run once for each part of the slices, before these.
        kernels: those that run for each slice, in order.
        extent: how many slices there are.
        parts: in how many parts they are cut; 0 if each is its own.
        private: what only they read and write, for one slice.
    """

    before: tuple[Kernel, ...]
    kernels: tuple[Kernel, ...]
    extent: int
    parts: int
    private: Lives


class Kernels(Record):
    """A plan as kernels.

    Attributes:
        parts: the kernels, some of them tiled.
        temporaries: their lives.
        checked: what they check.
        flow: in which order they run; one after the other if it is empty.
    """

    parts: tuple[Kernel | TiledKernels, ...]
    temporaries: Lives
    checked: tuple[Checked, ...] = ()
    flow: tuple[Straight | Repeat | Choice, ...] = ()

    @property
    def nests(self) -> tuple[Kernel, ...]:
        """Every kernel, in order."""
        return tuple(kernel for part in self.parts for kernel in kernels_of(part))


def kernels_of(part: Kernel | TiledKernels) -> tuple[Kernel, ...]:
    """The kernels that are tiled together, or the kernel itself."""
    return (*part.before, *part.kernels) if isinstance(part, TiledKernels) else (part,)
