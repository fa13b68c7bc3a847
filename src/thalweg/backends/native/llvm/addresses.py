"""Where the elements lie that a kernel reads and writes: addresses, offsets, arguments.

An address is a sum of terms. Each part is written in the outermost loop in which it is known; what
moves with a loop over a reduced axis is a pointer that walks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from thalweg.backends.native.llvm.builder import Builder, EmittedLoop
from thalweg.backends.native.llvm.functions import memory_type
from thalweg.backends.native.llvm.scopes import Scopes
from thalweg.backends.native.llvm.ssa import I64, PTR, SsaValue, Type
from thalweg.backends.native.llvm.target import Target
from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.base.dtypes import DType
from thalweg.formula import Affine, Axis, Const, Expr
from thalweg.kernels.nests.dependence import Dependence, IndexTerm
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule

Point = Mapping[Axis, int]  # offsets inside the tile
Guards = tuple[Expr, ...]  # conditions under which alone something may be read

SCALES = (1, 2, 4, 8)  # bytes that an index can be multiplied by in an address, for nothing
_ONE = Const(1, dtypes.int64)  # what a run-dependent constant of an index is a multiple of


class Addresses(Scopes, ABC):
    """Writes the addresses of a nest's elements, at the points of a tile.

    Attributes:
        nest: whose elements they are.
        s: its schedule.
        deps: the axes that an expression depends on.
        index: the value of each axis in the open loops: of its tile's first point.
    """

    def __init__(self, nest: Nest, schedule: Schedule, target: Target) -> None:
        super().__init__(Builder(target.converts_halves))
        self.nest = nest
        self.s = schedule
        self.deps = Dependence(nest.changing)
        self.index: dict[Axis, SsaValue] = {}

    @abstractmethod
    def value(self, expr: Expr, point: Point, guards: Guards = ()) -> SsaValue:
        """An expression's value at a point of the tile."""

    # -- arguments

    def number(self, number: int) -> SsaValue:
        """An integer of the nest: a constant, or an argument if it varies from run to run."""
        if not isinstance(number, Dim):
            return self.b.index(int(number))
        place = len(self.nest.slots) + self.nest.numbers.index(int(number))
        return self._argument(("number", int(number)), place, I64)

    def slot(self, slot: int) -> SsaValue:
        """The pointer behind a slot, loaded once for the whole kernel."""
        return self._argument(("slot", slot), slot, PTR)

    def _argument(self, key: object, number: int, type: Type) -> SsaValue:
        entry = self.scopes[0]
        if key not in entry.memo:
            with self.at_depth(0):
                base = SsaValue(self.b, PTR, "%args")
                where = self.b.address(base, self.b.index(number), "i64")
                entry.memo[key] = self.b.load(type, where)
        return entry.memo[key]

    # -- addresses

    def pointer(self, slot: int, index: Affine, dtype: DType, point: Point) -> SsaValue:
        """The address of the element at an index (of lane 0, where lanes are consecutive)."""
        element = memory_type(dtype).element
        terms, constant = self._split(index, point)
        base = self._base(slot, terms, element, point)
        return self.b.address(base, self.b.index(constant), element) if constant else base

    def lane_pointers(self, slot: int, index: Affine, dtype: DType, point: Point) -> SsaValue:
        offsets = self.lane_offsets(index, point)
        base, element = self.slot(slot), memory_type(dtype).element
        text = f"getelementptr {element}, ptr {base.ref}, {offsets.type} {offsets.ref}"
        return self.b.emit(text, Type("ptr", self.s.lanes))

    def _base(self, slot: int, terms: Sequence[IndexTerm], element: str, point: Point) -> SsaValue:
        """The address that terms lead to, written in the outermost loop where it is known."""
        depth = self._depth_of(*terms)
        memo = self.scopes[depth].memo
        key = ("address", slot, *(self._term_key(term, point) for term in terms))
        if key not in memo:
            inner = [term for term in terms if self._depth_of(term) == depth]
            loop = self.reduction_loop(inner[0][0]) if len(inner) == 1 else None
            if loop is None:
                with self.at_depth(depth):
                    offset, base = self._sum(terms, point), self.slot(slot)
                    memo[key] = self.b.address(base, offset, element) if offset else base
            else:
                rest = [term for term in terms if term is not inner[0]]
                with self.at_depth(depth - 1):
                    base = self._base(slot, rest, element, point)
                memo[key] = self._walked(loop, base, inner[0], element, point)
        return memo[key]

    def _walked(
        self, loop: EmittedLoop, base: SsaValue, term: IndexTerm, element: str, point: Point
    ) -> SsaValue:
        """An address in front of a loop, moved by a term of its index."""
        (_, factor), depth = term, self._depth_of(term)
        if not isinstance(factor, Dim) and factor * Type(element).bits // 8 in SCALES:
            with self.at_depth(depth):
                return self.b.address(base, loop.index * int(factor), element)
        with self.at_depth(depth - 1):
            stride = self.number(factor)
            first = (loop.start + self._offset(term, point)) * stride
            first = self.b.address(base, first, element)
        return self.b.walk(loop, first, stride, element)

    def reduction_loop(self, atom: Axis | Expr) -> EmittedLoop | None:
        """The loop over a reduced axis, if it is one and has a loop of its own.

        Its start is known in the scope around it, which is the next one out.
        """
        if not isinstance(atom, Axis) or atom in self.nest.axes:
            return None
        return self.scopes[self.depth(frozenset((atom,)))].loop

    # -- indices

    def offset_value(self, index: Affine, point: Point) -> SsaValue:
        """An index as a number, for a scalar access."""
        terms, constant = self._split(index, point)
        total = self._sum(terms, point)
        if total is None:
            return self.b.index(constant)
        return total + constant if constant else total

    def lane_offsets(self, index: Affine, point: Point) -> SsaValue:
        """An index as a vector of numbers, one for each lane."""
        vector = self.s.vector
        assert vector is not None
        lanes = self.b.lanes("i64", range(self.s.lanes))
        uniform = [(a, f) for a, f in index.terms if not self._is_vector_atom(a)]
        base = self.offset_value(Affine(tuple(uniform), index.constant), point)
        total = self.b.splat(base, self.s.lanes)
        for atom, factor in index.terms:
            if atom is vector:
                start = self.index[vector] + point.get(vector, 0)
                part = self.b.splat(start, self.s.lanes) + lanes
            elif isinstance(atom, Expr) and self._is_vector_atom(atom):
                part = self._atom(atom, point, 0)
            else:
                continue
            total = total + part * self.number(factor)
        return total

    def _is_vector_atom(self, atom: Axis | Expr) -> bool:
        if isinstance(atom, Axis):
            return atom is self.s.vector
        return self.s.vector in self.deps(atom)

    def _split(self, index: Affine, point: Point) -> tuple[list[IndexTerm], int]:
        """Terms to be summed at run time, and the constant that the tile's offsets come to."""
        constant = index.constant
        terms: list[IndexTerm] = []
        if isinstance(constant, Dim):
            terms, constant = [(_ONE, constant)], 0
        for atom, factor in index.terms:
            terms.append((atom, factor))
            if isinstance(atom, Axis) and not isinstance(factor, Dim):
                constant = constant + point.get(atom, 0) * factor
        return terms, constant

    def _offset(self, term: IndexTerm, point: Point) -> int:
        """The offset of a term's axis in the tile, unless `_split` has it in the constant."""
        atom, factor = term
        return point.get(atom, 0) if isinstance(atom, Axis) and isinstance(factor, Dim) else 0

    def _term_key(self, term: IndexTerm, point: Point) -> tuple[object, ...]:
        """What tells terms apart at a point of the tile."""
        atom, factor = term
        place: tuple[tuple[int, int], ...] = ()
        if isinstance(atom, Expr):
            deps = self.deps(atom)
            place = tuple([(id(a), offset) for a, offset in point.items() if a in deps])
        return id(atom), *_number_key(factor), self._offset(term, point), place

    def _sum(self, terms: Sequence[IndexTerm], point: Point) -> SsaValue | None:
        """The sum of terms, each part written in the outermost loop where it is known."""
        total: SsaValue | None = None
        key: tuple[object, ...] = ("sum",)
        for term in sorted(terms, key=self._depth_of):
            atom, factor = term
            key = (*key, self._term_key(term, point))
            depth = self._depth_of(term)
            scope = self.scopes[depth]
            if key not in scope.memo:
                with self.at_depth(depth):
                    part = self._atom(atom, point, self._offset(term, point))
                    if factor != 1 or isinstance(factor, Dim):
                        part = part * self.number(factor)
                    scope.memo[key] = part if total is None else total + part
            total = scope.memo[key]
        return total

    def _depth_of(self, *terms: IndexTerm) -> int:
        """The outermost scope in which all of the terms are known."""
        return self.depth(self.deps.of(terms))

    def _atom(self, atom: Axis | Expr, point: Point, offset: int) -> SsaValue:
        if isinstance(atom, Axis):
            return self.index[atom] + offset if offset else self.index[atom]
        value = self.value(atom, point)
        return value if value.type.element == "i64" else value.convert("sext", "i64")


def _number_key(number: int) -> tuple[int, bool]:
    """What tells numbers apart; one that varies is another one even where they are equal now."""
    return int(number), isinstance(number, Dim)
