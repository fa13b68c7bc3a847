"""K blocking: all tasks run again and again, each time with a block of the first summed axis."""

from __future__ import annotations

from thalweg.base.dims import Dim
from thalweg.formula import Affine, Axis, Reduce, expressions, iterations, walk
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.model import PAGE, axes_of

CACHE_BYTES = 3 << 19  # bytes of operands that should stay in the second-level cache for a K block
MIN_K_BLOCK_STEPS = 48  # steps under which keeping the sums in memory costs too much
MAX_STREAMED_ROWS = 16  # rows along which the processor fetches ahead, each by itself


def sums_once(nest: Nest) -> bool:
    """Whether K blocks can be used: there is one sum, and it has another value at each point."""
    if len(nest.reductions) != 1 or nest.reductions[0].combiner != "sum":
        return False
    (reduce,) = nest.reductions
    own = {axis for expr in walk(reduce.body) for axis in axes_of(expr)}
    return bool(reduce.axes) and own >= set(nest.axes)


def k_block_of(nest: Nest) -> int:
    """How much of the first reduced axis a K block has, or 0 if one block is enough."""
    if not sums_once(nest):
        return 0
    (reduce,) = nest.reductions
    outer, extent = reduce.axes[0], int(reduce.axes[0].extent)
    reads = {e.source: e for e in reduce.body.reads}.values()
    if is_streamed(nest):
        return _rounded(MAX_STREAMED_ROWS, outer)
    parts = [_is_partitioned(read.index[0], outer, reduce, nest) for read in reads]
    sizes = [nest.slots[read.source].bytes for read in reads]
    fixed = sum(size for size, part in zip(sizes, parts, strict=True) if not part)
    moving = sum(size for size, part in zip(sizes, parts, strict=True) if part)
    if fixed + moving <= CACHE_BYTES or 3 * fixed >= 2 * CACHE_BYTES or extent < 4:
        return 0
    k_block = _rounded(max(1, min(extent, (CACHE_BYTES - fixed) * extent // moving)), outer)
    steps = k_block * iterations(reduce.axes) // extent
    return k_block if steps >= MIN_K_BLOCK_STEPS and moving // extent <= CACHE_BYTES else 0


def is_streamed(nest: Nest) -> bool:
    """Whether a large operand is used once, and is best walked in its own order.

    A product of one row with a matrix takes as long as the matrix takes to come from memory. Tiles
    of a few columns, one after the other, would read a small part of each of its rows; in blocks
    of a few rows each is read from end to end.
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
        if rows and along and far_apart and nest.slots[read.source].bytes > CACHE_BYTES:
            return axis.extent > MAX_STREAMED_ROWS and not expressions(at)
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
