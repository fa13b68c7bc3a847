"""Split a long reduction with few results in two, so that threads can share it.

    before:  s[c] = sum[n, i](x[n, i, c])
    after:   p[n, c] = sum[i](x[n, i, c])      s[c] = sum[n](p[n, c])

Likewise the product of a matrix with one of few columns, over parts of the rows of the latter. Its
gradient is shared by those rows, so that a thread reads the weights that it has updated itself.

The order of additions depends on the shapes alone, never on the number of threads.
"""

from __future__ import annotations

from thalweg.base.dims import Dim
from thalweg.formula import Axis, Read, Reduce, Replace, Rewrite, affine
from thalweg.kernels.rewrites.contraction import evaluations, is_channelwise, is_contraction
from thalweg.kernels.schedules.schedule import Machine
from thalweg.kernels.values import Definition, Value

MAX_COLUMNS = 16  # columns up to which a product is cut
PARTS = (4, 5, 6, 7, 8, 3)  # what is tried, as no part may be shorter than the others
MIN_ROWS = 512  # rows from which on it is
MIN_EVALUATIONS = 1 << 15  # evaluations from which on a reduction is worth splitting
MAX_RESULTS = 1024  # results up to which threads would not find enough to share
MAX_CHANNEL_RESULTS = 8 * MAX_RESULTS  # the same for channels alone: an image stays in the cache


def split_reductions(definitions: list[Definition], machine: Machine) -> list[Definition]:
    """Split the reductions that are long and have few results."""
    result: list[Definition] = []
    for definition in definitions:
        result.extend(_split(definition))
        result.append(definition)
    return result


def _split(definition: Definition) -> list[Definition]:
    reduces = definition.body.reductions
    if len(reduces) != 1 or not definition.stores_in_place or definition.when:
        return []
    reduce = reduces[0]
    if parts := _parts(definition, reduce):
        reduce = _cut(definition, reduce, parts)
        return [_partial(definition, reduce, reduce.axes[0])]
    outer = _outer_axis(definition, reduce)
    if outer is None or reduce.combiner.startswith("arg"):
        return []
    return [_partial(definition, reduce, outer)]


def _parts(definition: Definition, reduce: Reduce) -> int:
    """In how many parts to cut the only reduced axis of a product with few columns, or 0."""
    if len(reduce.axes) != 1 or reduce.combiner != "sum" or len(definition.axes) < 2:
        return 0
    extent, columns = reduce.axes[0].extent, definition.axes[-1].extent
    if (
        isinstance(extent, Dim)
        or isinstance(columns, Dim)
        or extent < MIN_ROWS
        or columns > MAX_COLUMNS
    ):
        return 0
    if not is_contraction(definition):
        return 0
    return next((parts for parts in PARTS if extent % parts == 0), 0)


def _cut(definition: Definition, reduce: Reduce, parts: int) -> Reduce:
    """Write a reduction over one axis as one over two; the definition is changed so."""
    (axis,) = reduce.axes
    outer, inner = Axis(parts, axis.name * 2), Axis(int(axis.extent) // parts, axis.name)
    body = Rewrite(axes={axis: outer * int(inner.extent) + inner})(reduce.body)
    cut = Reduce(reduce.combiner, (outer, inner), body, reduce.dtype)
    definition.body = Replace(reduce, cut)(definition.body)
    return cut


def _outer_axis(definition: Definition, reduce: Reduce) -> Axis | None:
    """The first reduced axis, if the reduction is long and something is left to reduce."""
    results = evaluations(definition.axes)
    few = (
        MAX_CHANNEL_RESULTS
        if is_contraction(definition) and is_channelwise(definition)
        else MAX_RESULTS
    )
    if (
        results > few
        or results * evaluations(reduce.axes) < MIN_EVALUATIONS
        or len(reduce.axes) < 2
    ):
        return None
    outer = reduce.axes[0]
    return outer if 4 <= evaluations([outer]) <= 4096 else None


def _partial(definition: Definition, reduce: Reduce, outer: Axis) -> Definition:
    """The partial results; the definition is changed to add them up."""
    mine = {a: Axis(a.extent, a.name) for a in definition.axes}
    row = Axis(outer.extent, outer.name)
    shape = tuple(int(a.extent) if type(a.extent) is int else a.extent for a in (row, *mine))
    value = Value(f"{definition.value.name} partial", shape, reduce.dtype)
    inner = Reduce(reduce.combiner, reduce.axes[1:], reduce.body, reduce.dtype)
    body = Rewrite(axes={**mine, outer: row})(inner)
    axes = (row, *mine.values())
    store = tuple(map(affine, axes))
    partial = Definition(
        value, axes, body, store, definition.order, definition.ops, set(definition.after)
    )
    index = (affine(outer), *map(affine, definition.axes))
    total = Reduce(reduce.combiner, (outer,), Read(value, index, reduce.dtype), reduce.dtype)
    definition.body = Replace(reduce, total)(definition.body)
    return partial
