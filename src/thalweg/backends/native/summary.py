"""Kernels in terms for people."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.backends.native.parts import Part, Step
from thalweg.base.record import Record


class KernelSummary(Record):
    """What a kernel computes, and what it costs.

    Attributes:
        ops: names of the graph's operations that it computes; an operation may be in several.
        types: their types; "" for what the compiler has added.
        loops: the loops over its results, with their extents.
        flops: floating-point operations; see `kernels.cost`. 0 for a kernel that is skipped unless
            an image is out of range; see `kernels.rewrites.range_checks`.
        bytes: of the elements that it reads and writes; 0 for the same.
        lanes: of the vectors that it computes with.
        tile: what is computed together in registers: "32o 14i" for 32 values of o times 14 of i.
        tasks: how many parts threads can share; 1 if one thread runs it.
        formulas: its loop nest as lines of text.
    """

    ops: tuple[str, ...]
    types: tuple[str, ...]
    loops: tuple[tuple[str, int], ...]
    flops: int
    bytes: int
    lanes: int
    tile: str
    tasks: int
    formulas: tuple[str, ...]


def summarise(
    step: Step, part: Part, types: Mapping[str, str], is_serial: bool, iterations: int
) -> KernelSummary:
    """The summary of a kernel.

    Args:
        step: the kernel.
        part: in which it is.
        types: of the graph's operations, by name.
        is_serial: whether one thread runs the part.
        iterations: of the loops that it is in; those of a loop whose end a value tells count as
            one.
    """
    from thalweg.kernels.printer import show_nest  # only when somebody looks

    s, slices = step.schedule, [("n", part.times(step))] if part.parts else []
    if iterations != 1:
        slices = [("iteration", iterations), *slices]
    cost = step.cost.times(part.times(step) * iterations)
    tile = {axis.name: size for axis, size in s.tile.items()}
    if s.vector is not None and s.vector not in s.tile:
        tile[s.vector.name] = s.lanes
    return KernelSummary(
        ops=step.nest.ops,
        types=tuple(types.get(name, "") for name in step.nest.ops),
        loops=(*slices, *((axis.name, int(axis.extent)) for axis in step.nest.axes)),
        flops=cost.flops,
        bytes=cost.bytes,
        lanes=s.lanes,
        tile=" ".join(f"{size}{name}" for name, size in tile.items()) or "1",
        tasks=1 if is_serial else part.tasks,
        formulas=tuple(show_nest(step.nest).splitlines()),
    )
