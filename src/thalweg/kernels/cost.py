"""What a kernel costs: arithmetic and memory traffic, counted from its loops."""

from __future__ import annotations

from thalweg.base.record import Record
from thalweg.formula import Combination, Read, iterations, walk
from thalweg.formula.cost import flops_of
from thalweg.kernels.nests.nest import Nest, Store


class Cost(Record):
    """Floating-point operations, and bytes of the elements read and written (each counted once).

    A multiplication and an addition count one each, as does a call of an elementary function.
    """

    flops: int
    bytes: int

    def times(self, count: int) -> Cost:
        """The cost of doing it so often, each time with other data."""
        return Cost(self.flops * count, self.bytes * count)


def cost_of(nest: Nest) -> Cost:
    """Count the nest's arithmetic and the memory that it touches."""
    written = [_written_bytes(nest, store) for store in nest.stores]
    tiles = nest.points // iterations(nest.unrolled)
    flops = nest.points * _flops(nest) + tiles * _combined(nest)
    return Cost(int(flops), int(_read_bytes(nest) + sum(written)))


def _written_bytes(nest: Nest, store: Store) -> int:
    """Bytes of the array that is written, or of the elements where only some are."""
    every = nest.slots[store.slot].bytes
    return min(nest.points * store.dtype.size, every) if store.replaces else every


def _read_bytes(nest: Nest) -> int:
    """Bytes of the arrays that are read, or of the elements read where these are fewer."""
    repeats = {id(e): iterations(r.axes) for r in nest.reductions for e in walk(r.body)}
    read: dict[int, int] = {}
    for expr in nest.exprs:
        if isinstance(expr, Read):
            count = nest.points * repeats.get(id(expr), 1)
            read[expr.source] = read.get(expr.source, 0) + count * expr.dtype.size
    return sum(min(count, nest.slots[slot].bytes) for slot, count in read.items())


def _flops(nest: Nest) -> int:
    """Arithmetic of one point; what several stores share counts once."""
    reductions = nest.reductions
    inside = {id(e) for r in reductions for e in walk(r.body)}
    total = flops_of([e for e in nest.exprs if id(e) not in inside])
    for reduce in reductions:
        total += iterations(reduce.axes) * (flops_of(walk(reduce.body)) + 1)
    return total


def _combined(nest: Nest) -> int:
    """Arithmetic of combinations for all values of the unrolled axes."""
    total = 0
    for expr in nest.exprs:
        if isinstance(expr, Combination):
            factors = [factor for row in expr.table for factor in row if factor]
            products = sum(abs(factor) != 1 for factor in factors)
            sums = len(factors) - len(expr.table)
            total += (products + sums) * nest.evaluations(expr) // len(expr.table)
    return total
