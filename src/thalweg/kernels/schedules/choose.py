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
from thalweg.formula import Affine, Apply, Axis, Expr, Read, Reduce, expressions, iterations, walk
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.model import PAGE, Model, axes_of
from thalweg.kernels.schedules.schedule import Machine, Schedule
from thalweg.kernels.values import work


def choose(nest: Nest, machine: Machine) -> Schedule:
    """The cheapest schedule by the model; of those with little code if it will hardly ever run."""
    candidates = _candidates(nest, lanes_for(nest, machine), machine)
    if nest.when:
        candidates = (s for s in candidates if _vectors(s) <= FEW)
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
    """The schedule with other loop orders, unrolling and sweeps, one thing changed at a time."""
    if nest.unrolled:
        return []
    made = [replace(s, unroll=unroll) for unroll in (1, 2, 4, 8) if nest.reductions]
    made += [replace(s, chunk=chunk) for chunk in (s.chunk // 2, s.chunk * 2) if chunk]
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

MOST_ROWS = 28  # of a tile
FEW = 6  # vectors of a tile that is compiled soon
LIGHT = 8  # instructions for a point
MANY_POINTS = 4096


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
    chunk, streams = _swept_part(nest), _is_streamed(nest)
    staged = () if streams else _stageable(nest, axis, chunk)
    if nest.sequential:  # only what is left of the loops can be shared by threads
        most = min(most, most // TASKS)
    widths = [1, 2, 3, 4]
    if heavy and (machine.registers > 16 or streams):
        widths += [w for w in (8, 16) if w < machine.registers - 1]
    for vectors in [v for v in widths if v <= most] or [1]:
        base = {axis: vectors * lanes}
        yield Schedule(nest.axes, axis, lanes, base, chunk=chunk)
        if vectors == 1 and not heavy and _is_moved(nest):
            for other in _along_memory(nest, axis):
                for rows in (4, 8):
                    if rows <= other.extent:
                        yield Schedule(nest.axes, axis, lanes, {**base, other: rows})
        if heavy:
            for other, most_rows in _row_axes(nest, axis, vectors, machine):
                for rows in range(2, most_rows + 1):
                    tile = {**base, other: rows}
                    made = Schedule(nest.axes, axis, lanes, tile, chunk=chunk)
                    yield made
                    if staged:
                        yield from _staged(nest, replace(made, staged=staged))


def _is_moved(nest: Nest) -> bool:
    """Whether a nest moves more than it computes, and enough to be worth the code for a block."""
    return nest.points >= MANY_POINTS and sum(work(s.body) for s in nest.stores) <= LIGHT


def _along_memory(nest: Nest, vector: Axis) -> list[Axis]:
    """The axes along which something lies in memory whose vectors, along this one, would not."""
    reads = [e.index[0] for e in nest.exprs if isinstance(e, Read)]
    places = [at for at in (*reads, *(s.offset for s in nest.stores)) if at.coefficient(vector) > 1]
    return [
        a for a in nest.axes if a is not vector and any(at.coefficient(a) == 1 for at in places)
    ]


def _staged(nest: Nest, s: Schedule) -> Iterator[Schedule]:
    """A schedule that stages operands: with its sweeps, and without if it needs none."""
    is_known = not isinstance(nest.reductions[0].axes[0].extent, Dim)  # so is the room it takes
    ways = [s, replace(s, chunk=0)] if s.chunk and is_known and _in_rows(nest, s.staged) else [s]
    yield from (way for way in ways if _stage_bytes(nest, way) <= STAGE)


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


def _stageable(nest: Nest, vector: Axis, chunk: int) -> tuple[int, ...]:
    """Slots of operands that could be staged for tiles of the axis."""
    reduce = nest.reductions[0] if len(nest.reductions) == 1 else None
    if reduce is None or reduce.combiner != "sum" or isinstance(vector.extent, Dim):
        return ()
    known = reduce.axes[1:] if chunk else reduce.axes
    if any(isinstance(axis.extent, Dim) for axis in known) or not _is_product(reduce.body):
        return ()
    sources = [read.source for read in reduce.body.reads]
    found = [r.source for r in _factors(reduce.body) if _is_panel(r, reduce, nest, vector)]
    if all(read.index[0].coefficient(vector) for read in reduce.body.reads):
        return ()  # nothing is used by several columns: they are not better taken one by one
    return tuple(slot for slot in found if sources.count(slot) == 1)


def _is_panel(read: Read, reduce: Reduce, nest: Nest, vector: Axis) -> bool:
    """Whether a read depends on no axis of the output but this one, and on all reduced axes."""
    index = read.index[0]
    others = any(index.coefficient(axis) for axis in nest.axes if axis is not vector)
    summed = all(index.coefficient(axis) for axis in reduce.axes)
    return bool(index.coefficient(vector)) and summed and not others and not expressions(index)


def _in_rows(nest: Nest, staged: tuple[int, ...]) -> bool:
    """Whether what is not staged lies in the order of the sum, so that no sweeps are needed."""
    (reduce,) = nest.reductions
    others = [read.index[0] for read in reduce.body.reads if read.source not in staged]
    return all(at.coefficient(reduce.axes[-1]) in (0, 1) for at in others)


def _is_product(body: Expr) -> bool:
    """Whether a body multiplies two values read from memory."""
    return len(_factors(body)) == 2


def _factors(body: Expr) -> list[Read]:
    """The values read from memory that a body multiplies."""
    factors = body.args if isinstance(body, Apply) and body.function == "mul" else ()
    return [factor for factor in factors if isinstance(factor, Read)]


def _stage_bytes(nest: Nest, s: Schedule) -> int:
    """What a staged operand takes for one tile of the vector axis."""
    (reduce,) = nest.reductions
    assert s.vector is not None
    rows = iterations(reduce.axes[1:]) * (s.chunk or reduce.axes[0].extent)
    return int(rows) * s.tile_of(s.vector) * reduce.dtype.size


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
            yield axis, min(most, MOST_ROWS, int(axis.extent))


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


# -- sweeps

CACHE = 3 << 19  # bytes of operands that should stay in the second-level cache during a sweep
STAGE = 1 << 18  # bytes up to which an operand's part is staged
SHORT = 48  # steps under which keeping the sums in memory costs too much
STREAMS = 16  # rows along which the processor fetches ahead, each by itself


def sums_once(nest: Nest) -> bool:
    """Whether the nest can be swept: it has one sum, and that has another value at each point."""
    if len(nest.reductions) != 1 or nest.reductions[0].combiner != "sum":
        return False
    (reduce,) = nest.reductions
    own = {axis for expr in walk(reduce.body) for axis in axes_of(expr)}
    return bool(reduce.axes) and own >= set(nest.axes)


def _swept_part(nest: Nest) -> int:
    """How much of the first reduced axis a sweep takes, or 0 if one sweep does."""
    if not sums_once(nest):
        return 0
    (reduce,) = nest.reductions
    outer, extent = reduce.axes[0], int(reduce.axes[0].extent)
    reads = {e.source: e for e in reduce.body.reads}.values()
    if _is_streamed(nest):
        return _rounded(STREAMS, outer)
    parts = [_is_partitioned(read.index[0], outer, reduce, nest) for read in reads]
    sizes = [nest.slots[read.source].bytes for read in reads]
    fixed = sum(size for size, part in zip(sizes, parts, strict=True) if not part)
    moving = sum(size for size, part in zip(sizes, parts, strict=True) if part)
    if fixed + moving <= CACHE or 3 * fixed >= 2 * CACHE or extent < 4:
        return 0
    chunk = _rounded(max(1, min(extent, (CACHE - fixed) * extent // moving)), outer)
    steps = chunk * iterations(reduce.axes) // extent
    return chunk if steps >= SHORT and moving // extent <= CACHE else 0


def _is_streamed(nest: Nest) -> bool:
    """Whether a large operand is used once, and is best walked in its own order.

    A product of one row with a matrix takes as long as the matrix takes to come from memory. Tiles
    of a few columns, one after the other, would read a small part of each of its rows; in sweeps
    over a few rows each is read from end to end.
    """
    if not sums_once(nest) or len(nest.reductions[0].axes) > 1:
        return False
    (reduce,) = nest.reductions
    (axis,) = reduce.axes
    for read in reduce.body.reads:
        at = read.index[0]
        rows = all(int(a.extent) == 1 for a in nest.axes if not at.coefficient(a))
        along = any(at.coefficient(a) == 1 for a in nest.axes)
        far_apart = at.coefficient(axis) * read.dtype.size >= PAGE // 2
        if rows and along and far_apart and nest.slots[read.source].bytes > CACHE:
            return axis.extent > STREAMS and not expressions(at)
    return False


def _rounded(fitting: int, axis: Axis) -> int:
    """At most so many values of an axis: a part of it without a rest, if that is known."""
    if isinstance(axis.extent, Dim):
        return max(1, fitting // 8 * 8 if fitting >= 8 else fitting)
    part = next(c for c in range(fitting, 0, -1) if axis.extent % c == 0)
    return part if 2 * part > fitting else fitting


def _is_partitioned(index: Affine, outer: Axis, reduce: Reduce, nest: Nest) -> bool:
    """Whether different values of the axis read different parts of the operand."""
    stride = index.coefficient(outer)
    others = [index.coefficient(a) for a in (*nest.axes, *reduce.axes) if a is not outer]
    if stride <= 1:  # the axis walks inside of rows, if there are any
        return stride == 1 and not any(others)
    return all(c < stride or c >= stride * outer.extent for c in others)
