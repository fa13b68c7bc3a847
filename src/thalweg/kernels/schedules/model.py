"""A model of what a nest costs under a schedule, in cycles of one core.

It ranks candidates; it does not predict times. Its figures are those of current x86 cores: two
vector operations and two loads a cycle, four cycles from one addition to the next that needs it.
"""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.base.dims import Dim
from thalweg.base.record import Record
from thalweg.formula import (
    Affine,
    Apply,
    Axis,
    Combination,
    Const,
    Expr,
    Position,
    Read,
    Reduce,
    iterations,
    walk,
)
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule
from thalweg.kernels.values import own_work, work

GATHER = 14.0  # per vector whose lanes are not consecutive in memory
SCATTER = 6.0  # per element that is stored in a line of memory by itself
WASTE_PER_TILE = 12.0  # loop control, accumulator set-up and the like
FAR = 0.6  # per vector that may come from beyond the first-level cache
CONFLICTING = 1.8  # per vector, of many in one set of the first-level cache: from the second surely
TURNED_OVER = 6.0  # per page, of more than the first-level cache holds lines of
THRASHED = 12.0  # per vector, of more than a set of the second-level cache holds
MAX_NEAR_ROWS = 256  # more of them exceed the caches above
COPIED = 2.0  # per vector that is copied to be read again
TRANSPOSED = 2.0  # per vector of a block whose rows lie across it: to shuffle it
PICKED = 3.0  # per element that is copied to be read again, from a column into a row
LATENCY = 4.0  # of an addition, which the next one into the same accumulator waits for
OVERLAP = 0.1  # the share of loads that arithmetic does not hide
RESUMED = 4.0  # to store an unfinished sum after one K block and go on with it in the next
LANE_SUM = 10.0  # to add up the lanes of one accumulator
PAGE = 4096  # bytes: places this far apart share a set of the first-level cache, and no page
PAGE_CHANGE = 1.0  # to reach what an epilogue reads or writes in another page
ANYWHERE = 3 * PAGE // 4 + 64  # bytes: as far as rows are apart whose place is read from memory
LINE = 64  # bytes that come from memory together
SHUFFLED = 16  # bytes: within as many, one instruction shuffles any vectors
CODE = 1.04  # for tiles of four sizes, with rests both ways: they take longer to compile
ALONE = 0.3  # the share by which a load costs more if no other of its tile is in its line
GAP = 0.3  # the share by which a load of a part of a row costs more; twice for a page of its own
WAYS = 8  # places in one set that the cache surely holds


class _Access(Record):
    """A read or store: its step along each axis; `dynamic` axes change its place in any way."""

    slot: int
    steps: Mapping[Axis, int]
    dynamic: frozenset[Axis]
    bytes: int

    @staticmethod
    def of(slot: int, index: Affine, bytes: int) -> _Access:
        steps = {atom: f for atom, f in index.terms if isinstance(atom, Axis)}
        inner = [atom for atom, _ in index.terms if isinstance(atom, Expr)]
        dynamic = frozenset(axis for e in walk(*inner) for axis in axes_of(e))
        steps |= dict.fromkeys(dynamic - steps.keys(), ANYWHERE // bytes)
        return _Access(slot, steps, dynamic, bytes)

    def cost(self, s: Schedule) -> float:
        """Of one vector."""
        if s.vector is None:
            return 1.0
        if s.vector not in self.dynamic and self.steps.get(s.vector, 0) in (0, 1):
            return 1.0
        pieces = self._pieces(s)
        return GATHER if pieces == s.lanes else pieces + TRANSPOSED

    def scatter(self, s: Schedule) -> float:
        """What a store of one vector costs more if each of its lanes has a line of its own."""
        step = abs(self.steps.get(s.vector, 0)) if s.vector is not None else 0
        return SCATTER * self._pieces(s) if step * self.bytes >= LINE else 0.0

    def _pieces(self, s: Schedule) -> float:
        """How often memory is accessed for one vector whose lanes lie apart.

        For each lane, but that a tile's neighbours in memory are accessed at once, up to `SHUFFLED`
        bytes.
        """
        along = [a for a, step in self.steps.items() if step == 1 and a is not s.vector]
        if s.vector in self.dynamic or self.dynamic.intersection(along):
            return s.lanes
        count = max((s.tile_of(a) for a in along), default=1)
        whole, rest = divmod(count, max(SHUFFLED // self.bytes, 1))
        return s.lanes * (whole + rest.bit_count()) / count

    def far(self, reduction: _Reduction, k_block: int) -> float:
        """What each vector costs more, by the distance of the rows of the innermost loop."""
        step, rows = self._rows(reduction, k_block)
        if step % (PAGE // 2) and rows > MAX_NEAR_ROWS:
            return FAR + TURNED_OVER * min(step / PAGE, 1)
        return FAR + self.conflicts(reduction, k_block)

    def conflicts(self, reduction: _Reduction, k_block: int) -> float:
        """What a row costs more if those of the innermost loop share a few sets of the caches."""
        step, rows = self._rows(reduction, k_block)
        if not step or step % (PAGE // 2) or rows <= WAYS:
            return 0.0
        return (CONFLICTING if rows <= MAX_NEAR_ROWS else THRASHED) - FAR

    def _rows(self, reduction: _Reduction, k_block: int) -> tuple[int, int]:
        """How far the rows of the innermost loop are apart, in bytes, and how many there are."""
        inner = reduction.axes[-1] if reduction.axes else None
        if inner is None:
            return 0, 1
        rows = k_block if k_block and len(reduction.axes) == 1 else int(inner.extent)
        return abs(self.steps.get(inner, 0)) * self.bytes, rows

    def pages(self, s: Schedule) -> int:
        """How many rows of a tile lie so far apart that each has its own page; 0 if none do."""
        rows = 1
        for axis, size in s.tile.items():
            far = abs(self.steps.get(axis, 0)) * self.bytes >= PAGE
            if far and axis is not s.vector:
                rows *= size
        return rows if rows > 1 else 0

    def apart(self, axis: Axis, count: int) -> float:
        """What a load costs more when a tile takes so many values of the axis."""
        step = abs(self.steps.get(axis, 0)) * self.bytes
        if step < PAGE // 2:
            return 0.0
        return 1.0 if step % (PAGE // 2) == 0 and count > WAYS else 0.1

    def lines(self, axis: Axis, reduction: _Reduction, s: Schedule) -> float:
        """What it costs more if each of a tile's rows takes a line of memory in every step.

        A vector takes one in any case.
        """
        inner = reduction.axes[-1] if reduction.axes else None
        if inner is None or s.vector in self.steps:
            return 0.0
        step = min(abs(self.steps[axis]), abs(self.steps.get(inner, 0)))
        return ALONE if step * self.bytes >= LINE else 0.0

    def gap(self, axis: Axis, reduction: _Reduction, s: Schedule) -> float:
        """What it costs more when a tile has a part of each row, and leaves out what is between.

        Nothing if the reduction comes by all rows in any case.
        """
        if s.vector not in s.order or self.steps.get(s.vector) != 1:
            return 0.0
        step = self.steps[axis]
        walked = any(self.steps.get(a) == step and a.extent > WAYS for a in reduction.axes)
        if walked or abs(step) <= s.tile_of(s.vector):
            return 0.0
        return GAP if abs(step) * self.bytes <= PAGE else 2 * GAP


def axes_of(expr: Expr) -> list[Axis]:
    """The axes in an expression's own indices."""
    match expr:
        case Read():
            indices = expr.index
        case Position():
            indices = (expr.index,)
        case _:
            return []
    return [atom for at in indices for atom, _ in at.terms if isinstance(atom, Axis)]


def _access(read: Read) -> _Access:
    return _Access.of(read.source, read.index[0], read.dtype.size)


class _Reduction(Record):
    """What one reduction does at every step: arithmetic, and tests of where it is."""

    axes: tuple[Axis, ...]
    steps: int
    work: int
    tests: int
    reads: tuple[_Access, ...]

    @staticmethod
    def of(reduce: Reduce) -> _Reduction:
        reads = [_access(e) for e in reduce.body.reads]
        steps = iterations(reduce.axes)
        every = [e for e in walk(reduce.body) if isinstance(e, Apply)]
        tests = sum(not e.reads for e in every)
        return _Reduction(
            reduce.axes, steps, max(1, work(reduce.body) - tests), tests, tuple(reads)
        )


class Model:
    """The facts of a nest that its cost depends on, found once for all candidates."""

    def __init__(self, nest: Nest) -> None:
        inside = {id(e) for r in nest.reductions for e in (*walk(r.body), r)}
        outside = [e for e in nest.exprs if id(e) not in inside]
        self._axes = nest.axes
        self._unrolled = nest.unrolled
        self._reductions = [_Reduction.of(r) for r in nest.reductions]
        self._late = [_access(e) for e in outside if isinstance(e, Read)]
        self._stores = [_Access.of(s.slot, s.offset, s.dtype.size) for s in nest.stores]
        self._work = sum(_instructions(e) for e in outside) + _combining(nest)
        self._distances: dict[tuple[int, int], list[tuple[_Access, float, float]]] = {}
        self._cleared = sum(nest.slots[t.slot].size for t in nest.stores if t.cleared is not None)

    def cycles(self, s: Schedule) -> float:
        """Of the whole nest."""
        points = float(s.tile_of(s.vector) // s.lanes if s.vector in self._axes else 1)
        tiles = CODE if sum(_leaves_rest(a.extent, n) for a, n in s.tile.items()) > 1 else 1.0
        for axis in self._axes:
            tiles *= _tiles(axis, s)
            if axis is not s.vector:
                points *= s.tile_of(axis)
        per_tile = WASTE_PER_TILE + self._epilogue(s, points)
        for reduction in self._reductions:
            per_tile += self._reduction(reduction, s, points)
        if s.k_block:
            again = -(-int(self._reductions[0].axes[0].extent) // s.k_block) - 1
            per_tile += again * (WASTE_PER_TILE + RESUMED * points)
        return tiles * per_tile + self._cleared / s.lanes + self._staging(s)

    def _staging(self, s: Schedule) -> float:
        """To copy staged operands: each once, but for the tile at the edge."""
        if not s.staged or s.vector is None:
            return 0.0
        (reduction,) = self._reductions
        vectors = reduction.steps * -(-int(s.vector.extent) // s.lanes)
        reads = [read for read in reduction.reads if read.slot in s.staged]
        return sum(
            vectors * (COPIED if read.steps[s.vector] == 1 else PICKED * s.lanes) for read in reads
        )

    def _epilogue(self, s: Schedule, points: float) -> float:
        """Everything outside reductions, once a point."""
        cost = sum(read.cost(s) / self._shared(read) for read in self._late) * 0.5
        cost += sum(store.cost(s) + store.scatter(s) for store in self._stores)
        cost += self._work / 2
        if s.vector is not None and s.vector not in self._axes:
            cost += LANE_SUM  # and what follows is scalar
        pages = sum(access.pages(s) for access in (*self._late, *self._stores))
        return cost * points + PAGE_CHANGE * pages

    def _shared(self, read: _Access) -> int:
        """For how many points of a tile of the unrolled axes one read serves."""
        return iterations(a for a in self._unrolled if a not in read.steps)

    def _reduction(self, r: _Reduction, s: Schedule, points: float) -> float:
        steps = float(r.steps)
        if s.vector is not None and s.vector in r.axes:
            extent = max(int(s.vector.extent), 1)  # none in a batch of none
            steps = steps / extent * -(-extent // s.lanes)
        loads = streams = 0.0
        for read, far, conflicts in self._by_distance(r, s.k_block):
            staged = read.slot in s.staged
            copies, cost = self._copies(read, r, s), 1.0 if staged else read.cost(s)
            loads += copies * cost
            if s.vector is not None and read.steps.get(s.vector):
                run = s.tile_of(s.vector) // s.lanes if s.vector in self._axes else 1
                beyond = FAR / 2 if staged else FAR + max(far - FAR, 0.0) / run
                streams += copies * cost * beyond
            elif not staged:
                streams += conflicts
        rows = points if s.vector not in self._axes else points * s.lanes / s.tile_of(s.vector)
        memory, compute = loads / 2 + streams, (points * r.work + rows * r.tests) / 2
        return steps * (max(compute, memory, LATENCY) + OVERLAP * memory) + points

    def _by_distance(self, r: _Reduction, k_block: int) -> list[tuple[_Access, float, float]]:
        """What a reduction reads, and what it costs that rows are far apart or conflict."""
        key = (id(r), k_block)
        if key not in self._distances:
            found = [(read, read.far(r, k_block), read.conflicts(r, k_block)) for read in r.reads]
            self._distances[key] = found
        return self._distances[key]

    def _copies(self, read: _Access, r: _Reduction, s: Schedule) -> float:
        """How many different places of a tile the read touches; those far apart count for more."""
        copies, apart = 1.0, 1.0
        for axis, size in s.tile.items():
            count = size // s.lanes if axis is s.vector else size
            if count > 1 and axis in read.steps:
                copies *= count
                if axis is not s.vector:
                    apart += read.apart(axis, count) + read.gap(axis, r, s)
                    apart += read.lines(axis, r, s)
        return copies * apart


def _instructions(expr: Expr) -> float:
    """Of one evaluation of the expression alone."""
    if isinstance(expr, Read | Const | Position | Combination):
        return 0.0
    cost = own_work(expr) if isinstance(expr, Apply) else 1
    return float(cost if cost == 1 else 4 * cost)


def _combining(nest: Nest) -> float:
    """Instructions for combinations, on average over the points."""
    combinations = [e for e in nest.exprs if isinstance(e, Combination)]
    total = sum(own_work(e) * nest.evaluations(e) for e in combinations)
    return total / iterations(nest.unrolled)


def _leaves_rest(extent: int, size: int) -> bool:
    """Whether an axis of known extent takes tiles of two sizes."""
    return not isinstance(extent, Dim) and extent > size and extent % size > 0


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
