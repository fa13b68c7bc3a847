"""Choose how a nest runs: the vectorised axis, register tiles, loop order, and parallel tasks.

A contraction is best as an outer product kept in registers: `rows` broadcasts of one operand times
`vectors` vectors of the other (Goto & van de Geijn 2008; the tile form of Georganas et al. 2018 for
convolutions). Where the contiguous axis of both operands is the reduced one, each accumulator is a
vector of partial sums instead, added up at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from thalweg.base.shapes import Dim
from thalweg.formula import Affine, Axis, Const, Expr, Position, Read, Reduce, iterations, walk
from thalweg.kernels.nest import Nest, all_axes, structure
from thalweg.kernels.values import work


@dataclass(frozen=True)
class Machine:
    """What the schedule needs to know of the processor.

    Attributes:
        vector_bits: width of a vector register.
        registers: how many there are.
    """

    vector_bits: int = 512
    registers: int = 32


@dataclass(frozen=True)
class Schedule:
    """How a nest runs.

    Attributes:
        order: the output axes, outermost loop first.
        vector: the axis whose consecutive values fill a vector's lanes; an output axis or a
            reduced one; None for scalar code.
        lanes: how many lanes.
        tile: how many values of an axis are computed together; for the vector axis a multiple of
            `lanes`.
        parallel: how many of the outermost loops are split into tasks.
        unroll: how many values of the innermost reduced axis are unrolled.
        chunk: how many values of the first reduced axis are summed in one sweep over all tasks; 0
            for all of them. Between sweeps the sums rest in memory, so that a sweep finds its part
            of the operands in the cache.
    """

    order: tuple[Axis, ...]
    vector: Axis | None = None
    lanes: int = 1
    tile: dict[Axis, int] = field(default_factory=dict)
    parallel: int = 0
    unroll: int = 1
    chunk: int = 0

    def tile_of(self, axis: Axis) -> int:
        return self.tile.get(axis, 1)


def lanes_for(nest: Nest, machine: Machine) -> int:
    """Lanes of the nest's widest arithmetic type that fill a register."""
    kinds = [e.dtype for e in nest.exprs] + [s.dtype for s in nest.stores]
    floats = [max(k.size, 4) for k in kinds if k.is_floating]
    widest = max(floats) if floats else min(max((k.size for k in kinds), default=4), 8)
    return machine.vector_bits // 8 // max(widest, 4)


def schedule(nest: Nest, machine: Machine) -> Schedule:
    """How to run the nest: as the last nest of the same structure, or by the model.

    Nests of one structure differ only in extents that vary from run to run. They share a schedule
    and hence their code, so that a new batch size compiles nothing.
    """
    key = (structure(nest), machine)
    axes = all_axes(nest)
    if key not in _chosen:
        _chosen[key] = _abstract(choose(nest, machine), axes)
    return _concrete(_chosen[key], axes)


_chosen: dict[tuple[str, Machine], AbstractSchedule] = {}


@dataclass(frozen=True)
class AbstractSchedule:
    """A schedule with axes by number."""

    order: tuple[int, ...]
    vector: int | None
    tile: tuple[tuple[int, int], ...]
    rest: Schedule


def _abstract(s: Schedule, axes: Sequence[Axis]) -> AbstractSchedule:
    number = {axis: n for n, axis in enumerate(axes)}
    return AbstractSchedule(
        tuple(number[a] for a in s.order),
        None if s.vector is None else number[s.vector],
        tuple((number[a], size) for a, size in s.tile.items()),
        replace(s, order=(), vector=None, tile={}),
    )


def _concrete(s: AbstractSchedule, axes: Sequence[Axis]) -> Schedule:
    return replace(
        s.rest,
        order=tuple(axes[n] for n in s.order),
        vector=None if s.vector is None else axes[s.vector],
        tile={axes[n]: size for n, size in s.tile},
    )


def choose(nest: Nest, machine: Machine) -> Schedule:
    """The cheapest schedule by the model among a few candidates."""
    lanes = lanes_for(nest, machine)
    best = min(_candidates(nest, lanes, machine), key=lambda c: _cost(nest, c, machine))
    order = _loop_order(nest, best)
    return replace(
        best,
        order=order,
        parallel=_parallel_loops([a for a in order if a not in nest.sequential], best),
        unroll=_unroll(nest, best),
        chunk=_chunk(nest, best),
    )


# -- candidates


def _candidates(nest: Nest, lanes: int, machine: Machine) -> Iterator[Schedule]:
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


def _output_vector(nest: Nest, axis: Axis, lanes: int, machine: Machine) -> Iterator[Schedule]:
    most = -(-int(axis.extent) // lanes)
    heavy = bool(nest.reductions)
    if nest.sequential:  # only what is left of the loops can be shared by threads
        most = min(most, most // TASKS)
    for vectors in [v for v in (1, 2, 3, 4) if v <= most] or [1]:
        base = {axis: vectors * lanes}
        yield Schedule(nest.axes, axis, lanes, base)
        if heavy:
            for other, rows in _row_tiles(nest, axis):
                if rows * vectors + vectors + 1 <= machine.registers:
                    yield Schedule(nest.axes, axis, lanes, {**base, other: rows})


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


def _row_tiles(nest: Nest, vector: Axis) -> Iterator[tuple[Axis, int]]:
    for axis in nest.axes:
        if axis is not vector:
            for rows in range(2, 29):
                if rows <= axis.extent:
                    yield axis, rows


# -- cost model, in cycles


GATHER = 14.0  # per vector whose lanes are not consecutive in memory
WASTE_PER_TILE = 12.0  # loop control, accumulator set-up and the like


def _cost(nest: Nest, s: Schedule, machine: Machine) -> float:
    """Estimated cycles of the whole nest on one core."""
    points = float(s.tile_of(s.vector) // s.lanes if s.vector in nest.axes else 1)
    tiles = 1.0
    for axis in nest.axes:
        size = s.tile_of(axis)
        tiles *= _tiles(axis, s)
        if axis is not s.vector:
            points *= size
    per_tile = WASTE_PER_TILE + _straight_cost(nest, s, points)
    for reduce in nest.reductions:
        per_tile += _reduction_cost(reduce, nest, s, points)
    cleared = sum(nest.slots[t.slot].size for t in nest.stores if t.cleared is not None)
    return tiles * per_tile + cleared / s.lanes


def _tiles(axis: Axis, s: Schedule) -> float:
    """How many tiles cover an axis; a rest costs in proportion to its rows or vectors."""
    size, extent = s.tile_of(axis), int(axis.extent)
    step = s.lanes if axis is s.vector else 1
    full, rest = divmod(extent, size)
    part = -(-rest // step) * step / size
    overhead = 0.12 if rest else 0.0
    if rest and isinstance(axis.extent, Dim):
        part *= 1.4  # smaller tiles, made for any length
    return full + part + overhead


def _straight_cost(nest: Nest, s: Schedule, points: float) -> float:
    """The epilogue: everything outside reductions, once a point."""
    inside = {id(e) for r in nest.reductions for e in (*walk(r.body), r)}
    reads = [e for e in nest.exprs if isinstance(e, Read) and id(e) not in inside]
    cost = sum(_access(read.index[0], s) for read in reads) * 0.5
    cost += sum(_access(store.offset, s) for store in nest.stores)
    outside = [e for e in nest.exprs if id(e) not in inside]
    cost += sum(0.5 for e in outside if not isinstance(e, Read | Const | Position))
    if s.vector is not None and s.vector not in nest.axes:
        cost = cost + 10  # adding up the lanes, then scalar code
    return cost * points


def _access(index: Affine, s: Schedule) -> float:
    if s.vector is None:
        return 1.0
    stride = index.coefficient(s.vector)
    dynamic = any(isinstance(atom, Expr) and _depends(atom, s.vector) for atom, _ in index.terms)
    if dynamic:
        return GATHER
    return 1.0 if stride in (0, 1) else GATHER


def _reduction_cost(reduce: Reduce, nest: Nest, s: Schedule, points: float) -> float:
    steps = float(iterations(reduce.axes))
    if s.vector in reduce.axes:
        extent = max(int(s.vector.extent), 1)  # none in a batch of none
        steps = steps / extent * -(-extent // s.lanes)
    reads = [e for e in walk(reduce.body) if isinstance(e, Read)]
    loads = sum(_access(r.index[0], s) * _copies(r.index[0], nest, s) for r in reads)
    if s.vector is None:
        arithmetic = points * max(1, work(reduce.body))
        return steps * max(arithmetic / 2, loads / 2, 4.0)
    arithmetic = points * max(1, work(reduce.body))
    streams = sum(_copies(r.index[0], nest, s) * _far(r, nest, s) for r in reads)
    return steps * max(arithmetic / 2, loads / 2 + streams, 4.0) + points


def _far(read: Read, nest: Nest, s: Schedule) -> float:
    """Extra cycles for what comes from beyond the first-level cache."""
    access = _access(read.index[0], s)
    if s.vector is None or not read.index[0].coefficient(s.vector):
        return 0.0
    return access * 0.6


def _copies(index: Affine, nest: Nest, s: Schedule) -> float:
    """How many different places of a tile the read touches."""
    copies = 1.0
    for axis in nest.axes:
        size = s.tile_of(axis) // (s.lanes if axis is s.vector else 1)
        if size > 1 and index.coefficient(axis):
            copies *= size
    return copies


def _depends(expr: Expr, axis: Axis) -> bool:
    inner = walk(expr)
    indices = [e.index[0] for e in inner if isinstance(e, Read)]
    indices += [e.index for e in inner if isinstance(e, Position)]
    return any(index.coefficient(axis) for index in indices)


# -- order, tasks, unrolling


TASKS = 32  # enough to share among threads evenly
DYNAMIC_GUESS = 4  # what an extent that varies from run to run is taken for


def _loop_order(nest: Nest, s: Schedule) -> tuple[Axis, ...]:
    """Axes of the largest operand outermost, so that it is streamed only once."""
    reads = [e for r in nest.reductions for e in walk(r.body) if isinstance(e, Read)]
    if nest.sequential:
        return (*(a for a in nest.axes if a not in nest.sequential), *nest.sequential)
    if len(reads) < 2:
        return nest.axes
    largest = max(reads, key=lambda r: nest.slots[r.source].size)
    outer = [a for a in nest.axes if largest.index[0].coefficient(a)]
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
    if not nest.reductions:
        return 1
    points = 1
    for axis in nest.axes:
        points *= s.tile_of(axis) // (s.lanes if axis is s.vector else 1)
    innermost = nest.reductions[0].axes[-1] if nest.reductions[0].axes else None
    if innermost is None or innermost is s.vector or isinstance(innermost.extent, Dim):
        return 4 if points < 8 else 2
    if innermost.extent <= 5:
        return max(int(innermost.extent), 1)
    return next((u for u in (4, 3, 2) if innermost.extent % u == 0), 4) if points < 32 else 2


# -- sweeps

CACHE = 1 << 20  # bytes of operands that should stay in the second-level cache during a sweep
SHORT = 48  # steps under which keeping the sums in memory costs too much


def _chunk(nest: Nest, s: Schedule) -> int:
    """How much of the first reduced axis a sweep takes, or 0 if one sweep does."""
    reduce = nest.reductions[0] if len(nest.reductions) == 1 else None
    if reduce is None or reduce.combiner != "sum" or s.vector not in nest.axes:
        return 0
    outer, extent = reduce.axes[0], int(reduce.axes[0].extent)
    reads = {e.source: e for e in walk(reduce.body) if isinstance(e, Read)}.values()
    parts = [_is_partitioned(read.index[0], outer, reduce, nest) for read in reads]
    sizes = [nest.slots[read.source].bytes for read in reads]
    fixed = sum(size for size, part in zip(sizes, parts, strict=True) if not part)
    moving = sum(size for size, part in zip(sizes, parts, strict=True) if part)
    if fixed + moving <= 3 * CACHE // 2 or fixed >= CACHE or extent < 4:
        return 0
    fitting = max(1, min(extent, (CACHE - fixed) * extent // (2 * moving)))
    dynamic = isinstance(outer.extent, Dim)
    chunk = 1 if dynamic else next(c for c in range(fitting, 0, -1) if extent % c == 0)
    steps = chunk * iterations(reduce.axes) // extent
    return chunk if steps >= SHORT and moving // extent <= CACHE else 0


def _is_partitioned(index: Affine, outer: Axis, reduce: Reduce, nest: Nest) -> bool:
    """Whether different values of the axis read different parts of the operand."""
    stride = index.coefficient(outer)
    rivals = [a for a in (*nest.axes, *reduce.axes) if a is not outer]
    return stride != 0 and all(index.coefficient(a) < stride for a in rivals)


def estimate(nest: Nest, chosen: Schedule, machine: Machine) -> float:
    """Estimated cycles on one core."""
    return _cost(nest, chosen, machine)
