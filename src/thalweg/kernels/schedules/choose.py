"""Choose a schedule: candidates, of which the model takes the cheapest.

A contraction is best as an outer product kept in registers: `rows` broadcasts of one operand times
`vectors` vectors of the other (Goto & van de Geijn 2008; the tile form of Georganas et al. 2018 for
convolutions). Where the contiguous axis of both operands is the reduced one, each accumulator is a
vector of partial sums instead, added up at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import product

from thalweg.base.dims import Dim
from thalweg.base.record import replace
from thalweg.formula import Axis, Read, walk
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.k_blocking import is_streamed, k_block_of
from thalweg.kernels.schedules.model import LINE, PAGE, Model
from thalweg.kernels.schedules.schedule import Machine, Schedule
from thalweg.kernels.schedules.staging import stageable, with_stages
from thalweg.kernels.values import work


def choose(nest: Nest, machine: Machine) -> Schedule:
    """The cheapest schedule by the model; of those with little code if it will hardly ever run."""
    candidates = _candidates(nest, lanes_for(nest, machine), machine)
    if nest.when:
        candidates = (s for s in candidates if _vectors(s) <= MAX_QUICK_VECTORS)
    return complete(nest, min(candidates, key=Model(nest).cycles))


def _vectors(s: Schedule) -> int:
    """How many vectors a tile has."""
    return math.prod(n // s.lanes if axis is s.vector else n for axis, n in s.tile.items())


def alternatives(nest: Nest, chosen: Schedule, machine: Machine, count: int) -> list[Schedule]:
    """The candidates that the model likes best, of those that give the same bits as `chosen`.

    The order in which a sum is taken depends on whether the lanes hold parts of it, and on nothing
    else that a schedule says.
    """
    candidates = _candidates(nest, lanes_for(nest, machine), machine)
    same = [s for s in candidates if splits_sums(nest, s) == splits_sums(nest, chosen)]
    return [complete(nest, s) for s in sorted(same, key=Model(nest).cycles)[:count]]


def variants(nest: Nest, s: Schedule) -> list[Schedule]:
    """The schedule with other loop orders, unrolling and K blocks, one thing changed at a time."""
    if nest.unrolled:
        return []
    made = [replace(s, unroll=unroll) for unroll in (1, 2, 4, 8) if nest.reductions]
    made += [replace(s, k_block=k_block) for k_block in (s.k_block // 2, s.k_block * 2) if k_block]
    if not s.staged and not nest.sequential and len(s.order) > 1:
        first, *rest = s.order
        order = (*rest, first)
        made.append(replace(s, order=order, parallel=_parallel_loops(order, s)))
    return [variant for variant in made if variant != s]


def splits_sums(nest: Nest, s: Schedule) -> Axis | None:
    """The reduced axis whose values are spread over lanes, if one is."""
    return None if s.vector in nest.axes else s.vector


def complete(nest: Nest, s: Schedule) -> Schedule:
    """The schedule with what follows from its tile: loop order, tasks and unrolling."""
    order = _loop_order(nest, s)
    if s.staged:
        order = (*(a for a in order if a is s.vector), *(a for a in order if a is not s.vector))
    return replace(
        s,
        order=order,
        parallel=_parallel_loops([a for a in order if a not in nest.sequential], s),
        unroll=_unroll(nest, s),
    )


# -- candidates

MAX_TILE_ROWS = 28  # of a tile
MAX_QUICK_VECTORS = 6  # vectors of a tile that is compiled soon
MAX_LIGHT_INSTRUCTIONS = 8  # instructions for a point
MIN_MOVED_POINTS = 4096  # of a nest that is worth the code for a block


def lanes_for(nest: Nest, machine: Machine) -> int:
    """Lanes of the nest's widest arithmetic type that fill a register."""
    kinds = [e.dtype for e in nest.exprs] + [s.dtype for s in nest.stores]
    floats = [max(k.size, 4) for k in kinds if k.is_floating]
    widest = max(floats) if floats else min(max((k.size for k in kinds), default=4), 8)
    return machine.vector_bits // 8 // max(widest, 4)


def _candidates(nest: Nest, lanes: int, machine: Machine) -> Iterator[Schedule]:
    if nest.unrolled:
        yield from _unrolled(nest, lanes)
        return
    yield Schedule(nest.axes)
    for axis in nest.axes:
        if (axis.extent > 1 or isinstance(axis.extent, Dim)) and axis not in nest.sequential:
            yield from _output_vector(nest, axis, lanes, machine)
    reductions = nest.reductions
    if reductions and not any(r.combiner.startswith("arg") for r in reductions):
        shared = set(reductions[0].axes).intersection(*(r.axes for r in reductions))
        for axis in reductions[0].axes:
            if axis in shared and axis.extent >= lanes // 2:
                yield from _reduced_vector(nest, axis, lanes, machine)


def _unrolled(nest: Nest, lanes: int) -> Iterator[Schedule]:
    """Tiles of all values of the unrolled axes, times one vector of another axis."""
    whole = {axis: int(axis.extent) for axis in nest.unrolled}
    yield Schedule(nest.axes, tile=whole)
    for axis in nest.axes:
        if axis not in whole:
            yield Schedule(nest.axes, axis, lanes, {**whole, axis: lanes})


def _output_vector(nest: Nest, axis: Axis, lanes: int, machine: Machine) -> Iterator[Schedule]:
    most = -(-int(axis.extent) // lanes)
    heavy = bool(nest.reductions)
    k_block, streams = k_block_of(nest), is_streamed(nest)
    staged = () if streams else stageable(nest, axis, k_block)
    if nest.sequential:  # only what is left of the loops can be shared by threads
        most = min(most, max(most // TASKS, _vectors_of_line(nest, lanes)))
    widths = [1, 2, 3, 4]
    if heavy and (machine.registers > 16 or streams):
        widths += [w for w in (8, 16) if w < machine.registers - 1]
    for vectors in [v for v in widths if v <= most] or [1]:
        base = {axis: vectors * lanes}
        yield Schedule(nest.axes, axis, lanes, base, k_block=k_block)
        if vectors == 1 and not heavy and _is_moved(nest):
            for other in _along_memory(nest, axis):
                for rows in (4, 8):
                    if rows <= other.extent:
                        yield Schedule(nest.axes, axis, lanes, {**base, other: rows})
        if heavy:
            for other, most_rows in _row_axes(nest, axis, vectors, machine):
                for rows in range(2, most_rows + 1):
                    tile = {**base, other: rows}
                    made = Schedule(nest.axes, axis, lanes, tile, k_block=k_block)
                    yield made
                    if staged:
                        yield from with_stages(nest, replace(made, staged=staged))


def _vectors_of_line(nest: Nest, lanes: int) -> int:
    """How many vectors of what is stored lie in one line of memory, which one task should have."""
    return max(LINE // (lanes * max(store.dtype.size for store in nest.stores)), 1)


def _is_moved(nest: Nest) -> bool:
    """Whether a nest moves more than it computes, and enough to be worth the code for a block."""
    return (
        nest.points >= MIN_MOVED_POINTS
        and sum(work(s.body) for s in nest.stores) <= MAX_LIGHT_INSTRUCTIONS
    )


def _along_memory(nest: Nest, vector: Axis) -> list[Axis]:
    """The axes along which something lies in memory whose vectors, along this one, would not."""
    reads = [e.index[0] for e in nest.exprs if isinstance(e, Read)]
    places = [at for at in (*reads, *(s.offset for s in nest.stores)) if at.coefficient(vector) > 1]
    return [
        a for a in nest.axes if a is not vector and any(at.coefficient(a) == 1 for at in places)
    ]


def _slides(nest: Nest, vector: Axis, other: Axis) -> bool:
    """Whether neighbouring rows of a tile read the same vectors, at different taps of a window.

    Such a vector is kept in a register from one unrolled tap to the next.
    """
    for reduce in nest.reductions:
        for tap in reduce.axes[-1:]:
            for at in (read.index[0] for read in reduce.body.reads):
                row, step = at.coefficient(other), at.coefficient(tap)
                overlap = step and row and row % step == 0 and row // step < tap.extent
                if at.coefficient(vector) and overlap:
                    return True
    return False


def _reduced_vector(nest: Nest, axis: Axis, lanes: int, machine: Machine) -> Iterator[Schedule]:
    yield Schedule(nest.axes, axis, lanes)
    for a, b in product(nest.axes, nest.axes):
        if a is not b:
            for rows, columns in product(range(1, 8), range(1, 8)):
                fits = rows * columns + rows + columns <= machine.registers + 2
                if fits and rows <= a.extent and columns <= b.extent:
                    yield Schedule(nest.axes, axis, lanes, {a: rows, b: columns})
    if len(nest.axes) == 1:
        for rows in range(2, 9):
            if rows <= nest.axes[0].extent:
                yield Schedule(nest.axes, axis, lanes, {nest.axes[0]: rows})


def _row_axes(
    nest: Nest, vector: Axis, vectors: int, machine: Machine
) -> Iterator[tuple[Axis, int]]:
    """The axes along which a tile may have rows of so many vectors, and how many at most."""
    for axis in nest.axes:
        if axis is not vector:
            held = 2 * vectors if _slides(nest, vector, axis) else vectors  # for each row
            most = (machine.registers - vectors - 1) // held
            yield axis, min(most, MAX_TILE_ROWS, int(axis.extent))


# -- order, tasks, unrolling


TASKS = 32  # enough to share among threads evenly
DYNAMIC_GUESS = 4  # what an extent that varies from run to run is taken for


def _loop_order(nest: Nest, s: Schedule) -> tuple[Axis, ...]:
    """Axes of the largest array outermost, so that it is streamed only once.

    It may be one that is only read or written at the end: the weights that a gradient updates.
    """
    inner = nest.sequential or nest.unrolled
    if inner:
        return (*(a for a in nest.axes if a not in inner), *inner)
    reads = [e for r in nest.reductions for e in walk(r.body) if isinstance(e, Read)]
    if len(reads) < 2:
        return nest.axes
    accesses = [(nest.slots[e.source].size, e.index[0]) for e in nest.exprs if isinstance(e, Read)]
    accesses += [(nest.slots[store.slot].size, store.offset) for store in nest.stores]
    _, largest = max(accesses, key=lambda access: access[0])
    outer = [a for a in nest.axes if largest.coefficient(a)]
    return (*outer, *(a for a in nest.axes if a not in outer))


def _parallel_loops(order: Iterable[Axis], s: Schedule) -> int:
    tasks, loops = 1, 0
    for axis in order:
        if tasks >= TASKS:
            break
        dynamic = isinstance(axis.extent, Dim) and s.tile_of(axis) == 1
        tasks *= DYNAMIC_GUESS if dynamic else -(-int(axis.extent) // s.tile_of(axis))
        loops += 1
    return loops


def _unroll(nest: Nest, s: Schedule) -> int:
    """Unroll small reductions wholly, longer ones so that loop control is hidden."""
    if not nest.reductions or nest.when:
        return 1
    points = 1
    for axis in nest.axes:
        points *= s.tile_of(axis) // (s.lanes if axis is s.vector else 1)
    innermost = nest.reductions[0].axes[-1] if nest.reductions[0].axes else None
    if innermost is None or innermost is s.vector:
        return 4 if points < 8 else 2
    if isinstance(innermost.extent, Dim):
        return 4 if points < 8 or (points < 16 and not _is_in_one_set(nest, innermost)) else 2
    if innermost.extent <= 5:
        return max(int(innermost.extent), 1)
    return next((u for u in (4, 3, 2) if innermost.extent % u == 0), 4) if points < 32 else 2


def _is_in_one_set(nest: Nest, axis: Axis) -> bool:
    """Whether all values of an operand along a reduced axis are in one set of the first cache."""
    reads = [read for reduce in nest.reductions for read in reduce.body.reads]
    steps = [read.index[0].coefficient(axis) * read.dtype.size for read in reads]
    return any(step and not isinstance(step, Dim) and step % PAGE == 0 for step in steps)
