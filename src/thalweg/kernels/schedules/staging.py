"""Which operands of a contraction are staged: copied for a tile of the vector axis."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.base.dims import Dim
from thalweg.base.record import replace
from thalweg.formula import Apply, Axis, Expr, Read, Reduce, expressions, iterations
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule

MAX_STAGED_BYTES = 1 << 18  # bytes up to which an operand's part is staged


def stageable(nest: Nest, vector: Axis, k_block: int) -> tuple[int, ...]:
    """Slots of operands that could be staged for tiles of the axis."""
    reduce = nest.reductions[0] if len(nest.reductions) == 1 else None
    if reduce is None or reduce.combiner != "sum" or isinstance(vector.extent, Dim):
        return ()
    known = reduce.axes[1:] if k_block else reduce.axes
    if any(isinstance(axis.extent, Dim) for axis in known) or not _is_product(reduce.body):
        return ()
    sources = [read.source for read in reduce.body.reads]
    found = [r.source for r in _factors(reduce.body) if _is_panel(r, reduce, nest, vector)]
    if all(read.index[0].coefficient(vector) for read in reduce.body.reads):
        return ()  # nothing is used by several columns: they are not better taken one by one
    return tuple(slot for slot in found if sources.count(slot) == 1)


def with_stages(nest: Nest, s: Schedule) -> Iterator[Schedule]:
    """A schedule that stages operands: with its K blocks, and without if it needs none."""
    is_known = not isinstance(nest.reductions[0].axes[0].extent, Dim)  # so is the room it takes
    ways = (
        [s, replace(s, k_block=0)] if s.k_block and is_known and _in_rows(nest, s.staged) else [s]
    )
    yield from (way for way in ways if _stage_bytes(nest, way) <= MAX_STAGED_BYTES)


def _is_panel(read: Read, reduce: Reduce, nest: Nest, vector: Axis) -> bool:
    """Whether a read depends on no axis of the output but this one, and on all reduced axes."""
    index = read.index[0]
    others = any(index.coefficient(axis) for axis in nest.axes if axis is not vector)
    summed = all(index.coefficient(axis) for axis in reduce.axes)
    return bool(index.coefficient(vector)) and summed and not others and not expressions(index)


def _in_rows(nest: Nest, staged: tuple[int, ...]) -> bool:
    """Whether what is not staged lies in the order of the sum, so that no K blocks are needed."""
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
    rows = iterations(reduce.axes[1:]) * (s.k_block or reduce.axes[0].extent)
    return int(rows) * s.tile_of(s.vector) * reduce.dtype.size
