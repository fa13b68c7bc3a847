"""What expressions are worth at a point of a tile: values, reads, addresses.

Each expression is written once for every point of the tile that it really depends on, in the
outermost loop in which all that it needs is known: hoisting and sharing are decided here, because
only here is it known that nothing in between writes to what is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from thalweg.backends.native.llvm.builder import I64, PTR, Builder, Lines, Loop, Type, Value
from thalweg.backends.native.llvm.functions import (
    constant,
    emit_function,
    from_memory,
    memory_type,
    random_unit,
    random_words,
    register_type,
)
from thalweg.backends.native.llvm.target import Target
from thalweg.base import dtypes
from thalweg.base.dims import Dim
from thalweg.base.dtypes import DType
from thalweg.base.record import Record, field
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
    is_of_indices,
    walk,
)
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule

Point = Mapping[Axis, int]  # offsets inside the tile
Guards = tuple[Expr, ...]
Term = tuple[Axis | Expr, int]  # of an index: atom and factor

SCALES = (1, 2, 4, 8)  # bytes that an index can be multiplied by in an address, for nothing
_ONE = Const(1, dtypes.int64)  # what a run-dependent constant of an index is a multiple of


class Scope(Record, frozen=False):
    """A loop body or branch being written: which axes are known in it, and what it has computed.

    Attributes:
        bound: the axes.
        loop: whose body it is, if that is a loop over the axis that is known from here on.
        memo: what has been computed.
        place: where code may be added in front of what is open inside.
    """

    bound: frozenset[Axis]
    loop: Loop | None = None
    memo: dict[object, Value] = field(default_factory=dict)
    place: Lines | None = None


class Expressions:
    """Writes the values of a nest's expressions, while others write the loops around them.

    Attributes:
        b: where the code goes.
        nest: whose expressions these are.
        s: its schedule.
        scopes: the loops and branches that are open, outermost first.
        index: the value of each axis in the open loops: of its tile's first point.
        masks: for an offset of the vector axis, the lanes in use, where not all are.
        used: for such an offset, how many they are, where that is known.
        seldom: the depth of a scope that runs more seldom than its surroundings, and the depth from
            which on these surround it; nothing of it is written into them.
    """

    def __init__(self, nest: Nest, schedule: Schedule, target: Target) -> None:
        self.b = Builder(target.converts_halves)
        self.nest = nest
        self.s = schedule
        self.scopes = [Scope(frozenset())]
        self.index: dict[Axis, Value] = {}
        self.masks: dict[int, Value] = {}
        self.used: dict[int, int] = {}
        self.seldom: tuple[int, int] | None = None
        self._deps: dict[int, frozenset[Axis]] = {}
        self._reduced: dict[int, bool] = {}
        self._reads: dict[int, bool] = {}
        self._negations: dict[int, Expr] = {}
        self._choices: dict[tuple[int, ...], tuple[Expr, Guards, Expr]] = {}

    # -- scopes

    @contextmanager
    def _opened(self) -> Iterator[None]:
        """Mark the present place as the one where the innermost scope may still add code."""
        self.scopes[-1].place = self.b.preheader()
        yield
        self.scopes[-1].place = None

    @contextmanager
    def _scope(self, *axes: Axis, loop: Loop | None = None) -> Iterator[None]:
        """An inner scope in which the axes are known, too; perhaps the body of a loop over one."""
        outer = self.scopes[-1]
        here = outer.place is None  # no loop was opened: the outer scope's code may go right here
        if here:
            outer.place = self.b.preheader()
        self.scopes.append(Scope(outer.bound | frozenset(axes), loop))
        yield
        self.scopes.pop()
        if here:
            outer.place = None

    # -- expressions

    def deps(self, expr: Expr) -> frozenset[Axis]:
        """The axes that an expression's value depends on."""
        if id(expr) not in self._deps:
            self._deps[id(expr)] = self._find_deps(expr)
        return self._deps[id(expr)]

    def _find_deps(self, expr: Expr) -> frozenset[Axis]:
        match expr:
            case Read():
                return self._index_deps(expr.index[0])
            case Position():
                return self._index_deps(expr.index)
            case Apply():
                return frozenset[Axis]().union(*map(self.deps, expr.args))
            case Reduce():
                return self.deps(expr.body) - frozenset(expr.axes)
            case Combination():
                return frozenset[Axis]((expr.axis,)).union(*map(self.deps, expr.terms))
        return frozenset()

    def _index_deps(self, index: Affine) -> frozenset[Axis]:
        return self._atoms_deps(index.terms)

    def _atoms_deps(self, terms: Sequence[Term]) -> frozenset[Axis]:
        axes: set[Axis] = set()
        for atom, _ in terms:
            if isinstance(atom, Expr):
                axes |= self.deps(atom)
            else:
                axes.add(atom)
        return frozenset(axes)

    def _key(
        self, expr: Expr, deps: frozenset[Axis], point: Point, guards: Guards
    ) -> tuple[object, ...]:
        where = tuple([(id(a), offset) for a, offset in point.items() if a in deps])
        return (id(expr), where, tuple(map(id, guards)) if guards else ())

    def value(self, expr: Expr, point: Point, guards: Guards = ()) -> Value:
        """The expression's value at a point of the tile.

        Args:
            expr: what to compute.
            point: offsets of the axes inside the tile.
            guards: conditions under which alone the expression may be read from memory.
        """
        if isinstance(expr, Const):
            return constant(self.b, expr.value, expr.dtype)
        active = guards if guards and self._reads_here(expr) else ()
        deps = self.deps(expr)
        if active:
            deps = deps.union(*map(self.deps, active))
        key = self._key(expr, deps, point, active)
        for known in reversed(self.scopes):
            if key in known.memo:
                return known.memo[key]
        # Results of reductions exist from the tile's own scope on, whatever they depend on.
        depth = len(self.scopes) - 1 if self._is_reduced(expr) else self._depth(deps)
        scope = self.scopes[depth]
        with self._in(depth):
            made = self._compute(expr, point, active)
        scope.memo[key] = made
        return made

    def _reads_here(self, expr: Expr) -> bool:
        """Whether memory is read for an expression, other than by the loops of its reductions.

        These have run for every point of the tile by now, whatever the guards say.
        """
        if id(expr) not in self._reads:
            match expr:
                case Read():
                    found = True
                case Reduce():
                    found = False
                case _:
                    found = any(map(self._reads_here, expr.children))
            self._reads[id(expr)] = found
        return self._reads[id(expr)]

    def _is_reduced(self, expr: Expr) -> bool:
        if id(expr) not in self._reduced:
            self._reduced[id(expr)] = any(isinstance(e, Reduce) for e in walk(expr))
        return self._reduced[id(expr)]

    def _depth(self, deps: frozenset[Axis]) -> int:
        """The outermost scope in which all of these axes are known, and nothing runs in vain."""
        depth = last = len(self.scopes) - 1
        for d, scope in enumerate(self.scopes):
            if deps <= scope.bound:
                depth = d
                break
        if self.seldom is not None:
            own, surroundings = self.seldom
            if surroundings <= depth < own <= last:
                return own
        return depth

    @contextmanager
    def _in(self, depth: int) -> Iterator[None]:
        """Write into a scope, as if it were the innermost one."""
        if depth == len(self.scopes) - 1:
            yield
            return
        kept, place = self.scopes, self.scopes[depth].place
        assert place is not None
        self.scopes = kept[: depth + 1]
        with self.b.at(place):
            yield
        self.scopes = kept

    def _compute(self, expr: Expr, point: Point, guards: Guards) -> Value:
        match expr:
            case Read():
                return self.load(expr, point, guards)
            case Position():
                return self._position(expr, point)
            case Apply(function="select"):
                return self._select(expr, point, guards)
            case Apply(function="random_unit"):
                return self._random_unit(expr, point, guards)
            case Combination():
                return self._combination(expr, point, guards)
            case Apply():
                args = [self.value(a, point, guards) for a in expr.args]
                kinds = [a.dtype for a in expr.args]
                return emit_function(self.b, expr.function, args, kinds, expr.dtype)
        raise AssertionError(f"no code for {expr!r} here")

    def _random_unit(self, expr: Apply, point: Point, guards: Guards) -> Value:
        """A uniform number, made from the element's random words, which its others share."""
        *seed, element, number = expr.args  # the seed and the run are scalars, read everywhere
        assert isinstance(number, Const)
        args = [*(self.value(arg, point) for arg in seed), self.value(element, point, guards)]
        memo, key = self.scopes[-1].memo, ("random words", *(arg.ref for arg in args))
        if (key, 0) not in memo:
            name = f"random_words.{args[-1].type.mangled}"
            for n, word in enumerate(self.b.apart(name, random_words, *args)):
                memo[key, n] = word
        return random_unit([memo[key, n] for n in range(4)], int(number.value), expr.dtype)

    def _combination(self, expr: Combination, point: Point, guards: Guards) -> Value:
        """A sum with constant coefficients; those of size 1 come first, as they are additions."""
        row = expr.table[point.get(expr.axis, 0)]
        chosen = [(c, term) for c, term in zip(row, expr.terms, strict=True) if c]
        total: Value | None = None
        for factor, term in sorted(chosen, key=lambda pair: (abs(pair[0]) != 1, -pair[0])):
            value = self.value(term, point, guards)
            if total is None:
                total = value if factor == 1 else value * factor
            elif abs(factor) == 1:
                total = total + value if factor > 0 else total - value
            else:
                total = value.fma(factor, total)
        assert total is not None
        return total

    def _select(self, expr: Apply, point: Point, guards: Guards) -> Value:
        """A choice; if indices alone decide it, what is not chosen is not read either."""
        condition, then, other = expr.args
        chosen, left = guards, guards
        if is_of_indices(condition):
            chosen = (*guards, condition)
            left = (*guards, self._negation(condition))
        first = None
        if chosen is guards and not guards and isinstance(then, Read):
            first = self._load_if(condition, then, point)
        args = [
            self.value(condition, point, guards),
            first or self.value(then, point, chosen),
            self.value(other, point, left),
        ]
        kinds = [condition.dtype, then.dtype, other.dtype]
        return emit_function(self.b, "select", args, kinds, expr.dtype)

    def _load_if(self, condition: Expr, read: Read, point: Point) -> Value | None:
        """A vector of consecutive elements if a condition holds for all of it, else the first one.

        So memory is left alone that has never been written, as what is hardly ever needed has not.
        To read it takes long, even if all lanes are masked off.
        """
        vector, index = self.s.vector, read.index[0]
        if vector is None or vector in self.deps(condition) or index.coefficient(vector) != 1:
            return None
        if not self._is_contiguous(index, vector):
            return None
        pointer = self._pointer(read.source, index, read.dtype, point)
        safe = self.value(condition, point).select(pointer, self._slot(read.source))
        mask = self._mask(point.get(vector, 0), [])
        loaded = self.b.load(memory_type(read.dtype, self.s.lanes), safe, mask)
        return from_memory(loaded, read.dtype)

    def _negation(self, condition: Expr) -> Expr:
        if id(condition) not in self._negations:
            self._negations[id(condition)] = Apply("not", (condition,), condition.dtype)
        return self._negations[id(condition)]

    # -- memory

    def load(self, read: Read, point: Point, guards: Guards) -> Value:
        index, vector = self._guarded(read.index[0], guards), self.s.vector
        conditions = [self.value(g, point, guards[:n]) for n, g in enumerate(guards)]
        varies = vector is not None and vector in self._index_deps(index)
        if not varies and not any(c.type.lanes for c in conditions):
            return self._load_scalar(Read(read.source, (index,), read.dtype), point, conditions)
        assert vector is not None
        mask = self._mask(point.get(vector, 0), conditions)
        kind = memory_type(read.dtype, self.s.lanes)
        if self._is_contiguous(index, vector):
            pointer = self._pointer(read.source, index, read.dtype, point)
            loaded = self.b.load(kind, pointer, mask)
        else:
            pointers = self._lane_pointers(read.source, index, read.dtype, point)
            loaded = self.b.gather(kind, pointers, mask or self._all_lanes())
        return from_memory(loaded, read.dtype)

    def _guarded(self, index: Affine, guards: Guards) -> Affine:
        """The index with 0 for what it reads itself where the guards forbid that."""
        if not guards or not any(isinstance(atom, Expr) for atom, _ in index.terms):
            return index
        terms = tuple(
            (self._chosen(a, guards) if isinstance(a, Expr) else a, f) for a, f in index.terms
        )
        return Affine(terms, index.constant)

    def _chosen(self, atom: Expr, guards: Guards) -> Expr:
        key = (id(atom), *map(id, guards))
        if key not in self._choices:
            chosen = atom
            telling = [n for n, g in enumerate(guards) if self.deps(g) & self.deps(atom)]
            # Those after them say nothing about the place; those before may forbid reading them.
            for guard in reversed(guards[: max(telling, default=-1) + 1]):
                chosen = Apply("select", (guard, chosen, Const(0, atom.dtype)), atom.dtype)
            self._choices[key] = (atom, guards, chosen)  # an id is good while its object lives
        return self._choices[key][-1]

    def _is_contiguous(self, index: Affine, vector: Axis) -> bool:
        dynamic = any(isinstance(a, Expr) and vector in self.deps(a) for a, _ in index.terms)
        return not dynamic and index.coefficient(vector) == 1

    def _load_scalar(self, read: Read, point: Point, conditions: list[Value]) -> Value:
        """One element; if a condition may forbid reading it, an argument is read instead."""
        pointer = self._pointer(read.source, read.index[0], read.dtype, point)
        if conditions:
            pointer = _all(conditions).select(pointer, Value(self.b, PTR, "%args"))
        return from_memory(self.b.load(memory_type(read.dtype), pointer), read.dtype)

    def _mask(self, offset: int, conditions: list[Value]) -> Value | None:
        masks = [self.b.splat(c, self.s.lanes) for c in conditions]
        if offset in self.masks:
            masks.append(self.masks[offset])
        return _all(masks) if masks else None

    def _slot(self, slot: int) -> Value:
        """The pointer behind a slot, loaded once for the whole kernel."""
        return self._argument(("slot", slot), slot, PTR)

    def _argument(self, key: object, number: int, type: Type) -> Value:
        entry = self.scopes[0]
        if key not in entry.memo:
            with self._in(0):
                base = Value(self.b, PTR, "%args")
                where = self.b.address(base, self.b.index(number), "i64")
                entry.memo[key] = self.b.load(type, where)
        return entry.memo[key]

    def number(self, number: int) -> Value:
        """An integer of the nest: a constant, or an argument if it varies from run to run."""
        if not isinstance(number, Dim):
            return self.b.index(int(number))
        place = len(self.nest.slots) + self.nest.numbers.index(int(number))
        return self._argument(("number", int(number)), place, I64)

    def _pointer(self, slot: int, index: Affine, dtype: DType, point: Point) -> Value:
        """The address of the element at an index (of lane 0, where lanes are consecutive)."""
        element = memory_type(dtype).element
        terms, constant = self._split(index, point)
        base = self._base(slot, terms, element, point)
        return self.b.address(base, self.b.index(constant), element) if constant else base

    def _base(self, slot: int, terms: Sequence[Term], element: str, point: Point) -> Value:
        """The address that terms lead to, written in the outermost loop where it is known."""
        depth = self._depth_of(*terms)
        memo = self.scopes[depth].memo
        key = ("address", slot, *(self._term_key(term, point) for term in terms))
        if key not in memo:
            inner = [term for term in terms if self._depth_of(term) == depth]
            loop = self._reduction_loop(inner[0][0]) if len(inner) == 1 else None
            if loop is None:
                with self._in(depth):
                    offset, base = self._sum(terms, point), self._slot(slot)
                    memo[key] = self.b.address(base, offset, element) if offset else base
            else:
                rest = [term for term in terms if term is not inner[0]]
                with self._in(depth - 1):
                    base = self._base(slot, rest, element, point)
                memo[key] = self._walked(loop, base, inner[0], element, point)
        return memo[key]

    def _reduction_loop(self, atom: Axis | Expr) -> Loop | None:
        """The loop over a reduced axis, if it is one and has a loop of its own.

        Its start is known in the scope around it, which is the next one out.
        """
        if not isinstance(atom, Axis) or atom in self.nest.axes:
            return None
        return self.scopes[self._depth(frozenset((atom,)))].loop

    def _walked(self, loop: Loop, base: Value, term: Term, element: str, point: Point) -> Value:
        """An address in front of a loop, moved by a term of its index."""
        (_, factor), depth = term, self._depth_of(term)
        if not isinstance(factor, Dim) and factor * Type(element).bits // 8 in SCALES:
            with self._in(depth):
                return self.b.address(base, loop.index * int(factor), element)
        with self._in(depth - 1):
            stride = self.number(factor)
            first = (loop.start + self._offset(term, point)) * stride
            first = self.b.address(base, first, element)
        return self.b.walk(loop, first, stride, element)

    def _split(self, index: Affine, point: Point) -> tuple[list[Term], int]:
        """Terms to be summed at run time, and the constant that the tile's offsets come to."""
        constant = index.constant
        terms: list[Term] = []
        if isinstance(constant, Dim):
            terms, constant = [(_ONE, constant)], 0
        for atom, factor in index.terms:
            terms.append((atom, factor))
            if isinstance(atom, Axis) and not isinstance(factor, Dim):
                constant = constant + point.get(atom, 0) * factor
        return terms, constant

    def _offset(self, term: Term, point: Point) -> int:
        """The offset of a term's axis in the tile, unless `_split` has it in the constant."""
        atom, factor = term
        return point.get(atom, 0) if isinstance(atom, Axis) and isinstance(factor, Dim) else 0

    def _term_key(self, term: Term, point: Point) -> tuple[object, ...]:
        """What tells terms apart at a point of the tile."""
        atom, factor = term
        place: tuple[tuple[int, int], ...] = ()
        if isinstance(atom, Expr):
            deps = self.deps(atom)
            place = tuple([(id(a), offset) for a, offset in point.items() if a in deps])
        return id(atom), *_number_key(factor), self._offset(term, point), place

    def _sum(self, terms: Sequence[Term], point: Point) -> Value | None:
        """The sum of terms, each part written in the outermost loop where it is known."""
        total: Value | None = None
        key: tuple[object, ...] = ("sum",)
        for term in sorted(terms, key=self._depth_of):
            atom, factor = term
            key = (*key, self._term_key(term, point))
            depth = self._depth_of(term)
            scope = self.scopes[depth]
            if key not in scope.memo:
                with self._in(depth):
                    part = self._atom(atom, point, self._offset(term, point))
                    if factor != 1 or isinstance(factor, Dim):
                        part = part * self.number(factor)
                    scope.memo[key] = part if total is None else total + part
            total = scope.memo[key]
        return total

    def _depth_of(self, *terms: Term) -> int:
        """The outermost scope in which all of the terms are known."""
        return self._depth(self._atoms_deps(terms))

    def _atom(self, atom: Axis | Expr, point: Point, offset: int) -> Value:
        if isinstance(atom, Axis):
            return self.index[atom] + offset if offset else self.index[atom]
        value = self.value(atom, point)
        return value if value.type.element == "i64" else value.convert("sext", "i64")

    def offset_value(self, index: Affine, point: Point) -> Value:
        """An index as a number, for a scalar access."""
        terms, constant = self._split(index, point)
        total = self._sum(terms, point)
        if total is None:
            return self.b.index(constant)
        return total + constant if constant else total

    def _lane_offsets(self, index: Affine, point: Point) -> Value:
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

    def _lane_pointers(self, slot: int, index: Affine, dtype: DType, point: Point) -> Value:
        offsets = self._lane_offsets(index, point)
        base, element = self._slot(slot), memory_type(dtype).element
        text = f"getelementptr {element}, ptr {base.ref}, {offsets.type} {offsets.ref}"
        return self.b.emit(text, Type("ptr", self.s.lanes))

    def _position(self, expr: Position, point: Point) -> Value:
        vector = self.s.vector
        if vector is not None and vector in self._index_deps(expr.index):
            value = self._lane_offsets(expr.index, point)
        else:
            value = self.offset_value(expr.index, point)
        element = register_type(expr.dtype).element
        return value if element == "i64" else value.convert("trunc", element)

    def _all_lanes(self) -> Value:
        return self.b.constant(Type("i1", self.s.lanes), 1)


def _number_key(number: int) -> tuple[int, bool]:
    """What tells numbers apart; one that varies is another one even where they are equal now."""
    return int(number), isinstance(number, Dim)


def _all(conditions: Sequence[Value]) -> Value:
    total = conditions[0]
    for condition in conditions[1:]:
        total = total & condition
    return total
