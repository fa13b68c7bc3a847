"""What expressions are worth at a point of a tile: values, reads, choices.

Each expression is written once for every point of the tile that it really depends on.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.backends.native.llvm.addresses import Addresses, Guards, Point
from thalweg.backends.native.llvm.functions import (
    constant,
    emit_function,
    from_memory,
    memory_type,
    random_unit,
    random_words,
    register_type,
)
from thalweg.backends.native.llvm.ssa import PTR, SsaValue, Type
from thalweg.backends.native.llvm.target import Target
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


class Expressions(Addresses):
    """Writes the values of a nest's expressions, while others write the loops around them.

    Attributes:
        masks: for an offset of the vector axis, the lanes in use, where not all are.
        used: for such an offset, how many they are, where that is known.
    """

    def __init__(self, nest: Nest, schedule: Schedule, target: Target) -> None:
        super().__init__(nest, schedule, target)
        self.masks: dict[int, SsaValue] = {}
        self.used: dict[int, int] = {}
        self._reduced: dict[int, bool] = {}
        self._reads: dict[int, bool] = {}
        self._negations: dict[int, Expr] = {}
        self._choices: dict[tuple[int, ...], tuple[Expr, Guards, Expr]] = {}

    def value(self, expr: Expr, point: Point, guards: Guards = ()) -> SsaValue:
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
        key = self.key_of(expr, deps, point, active)
        for known in reversed(self.scopes):
            if key in known.memo:
                return known.memo[key]
        # Results of reductions exist from the tile's own scope on, whatever they depend on.
        depth = len(self.scopes) - 1 if self._is_reduced(expr) else self.depth(deps)
        scope = self.scopes[depth]
        with self.at_depth(depth):
            made = self._compute(expr, point, active)
        scope.memo[key] = made
        return made

    def key_of(
        self, expr: Expr, deps: frozenset[Axis], point: Point, guards: Guards
    ) -> tuple[object, ...]:
        where = tuple([(id(a), offset) for a, offset in point.items() if a in deps])
        return (id(expr), where, tuple(map(id, guards)) if guards else ())

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

    def _compute(self, expr: Expr, point: Point, guards: Guards) -> SsaValue:
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

    def _random_unit(self, expr: Apply, point: Point, guards: Guards) -> SsaValue:
        """A uniform number, made from the element's random words, which its others share."""
        *seed, element, number = expr.args  # the seed and the run are scalars, read everywhere
        assert isinstance(number, Const)
        args = [*(self.value(arg, point) for arg in seed), self.value(element, point, guards)]
        memo, key = self.scopes[-1].memo, ("random words", *(arg.ref for arg in args))
        if (key, 0) not in memo:
            name = f"random_words.{args[-1].type.mangled}"
            for n, word in enumerate(self.b.out_of_line(name, random_words, *args)):
                memo[key, n] = word
        return random_unit([memo[key, n] for n in range(4)], int(number.value), expr.dtype)

    def _combination(self, expr: Combination, point: Point, guards: Guards) -> SsaValue:
        """A sum with constant coefficients; those of size 1 come first, as they are additions."""
        row = expr.table[point.get(expr.axis, 0)]
        chosen = [(c, term) for c, term in zip(row, expr.terms, strict=True) if c]
        total: SsaValue | None = None
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

    def _select(self, expr: Apply, point: Point, guards: Guards) -> SsaValue:
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

    def _load_if(self, condition: Expr, read: Read, point: Point) -> SsaValue | None:
        """A vector of consecutive elements if a condition holds for all of it, else the first one.

        So memory is left alone that has never been written, as what is hardly ever needed has not.
        To read it takes long, even if all lanes are masked off.
        """
        vector, index = self.s.vector, read.index[0]
        if vector is None or vector in self.deps(condition) or index.coefficient(vector) != 1:
            return None
        if not self.deps.is_contiguous(index, vector):
            return None
        pointer = self.pointer(read.source, index, read.dtype, point)
        safe = self.value(condition, point).select(pointer, self.slot(read.source))
        mask = self._mask(point.get(vector, 0), [])
        loaded = self.b.load(memory_type(read.dtype, self.s.lanes), safe, mask)
        return from_memory(loaded, read.dtype)

    def _negation(self, condition: Expr) -> Expr:
        if id(condition) not in self._negations:
            self._negations[id(condition)] = Apply("not", (condition,), condition.dtype)
        return self._negations[id(condition)]

    # -- memory

    def load(self, read: Read, point: Point, guards: Guards) -> SsaValue:
        index, vector = self._guarded(read.index[0], guards), self.s.vector
        conditions = [self.value(g, point, guards[:n]) for n, g in enumerate(guards)]
        varies = vector is not None and vector in self.deps.of(index.terms)
        if not varies and not any(c.type.lanes for c in conditions):
            return self._load_scalar(Read(read.source, (index,), read.dtype), point, conditions)
        assert vector is not None
        mask = self._mask(point.get(vector, 0), conditions)
        kind = memory_type(read.dtype, self.s.lanes)
        if self.deps.is_contiguous(index, vector):
            pointer = self.pointer(read.source, index, read.dtype, point)
            loaded = self.b.load(kind, pointer, mask)
        else:
            pointers = self.lane_pointers(read.source, index, read.dtype, point)
            loaded = self.b.gather(kind, pointers, mask or self.all_lanes())
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

    def _load_scalar(self, read: Read, point: Point, conditions: list[SsaValue]) -> SsaValue:
        """One element; if a condition may forbid reading it, an argument is read instead."""
        pointer = self.pointer(read.source, read.index[0], read.dtype, point)
        if conditions:
            pointer = _all(conditions).select(pointer, SsaValue(self.b, PTR, "%args"))
        return from_memory(self.b.load(memory_type(read.dtype), pointer), read.dtype)

    def _mask(self, offset: int, conditions: list[SsaValue]) -> SsaValue | None:
        masks = [self.b.splat(c, self.s.lanes) for c in conditions]
        if offset in self.masks:
            masks.append(self.masks[offset])
        return _all(masks) if masks else None

    def _position(self, expr: Position, point: Point) -> SsaValue:
        vector = self.s.vector
        if vector is not None and vector in self.deps.of(expr.index.terms):
            value = self.lane_offsets(expr.index, point)
        else:
            value = self.offset_value(expr.index, point)
        element = register_type(expr.dtype).element
        return value if element == "i64" else value.convert("trunc", element)

    def all_lanes(self) -> SsaValue:
        return self.b.constant(Type("i1", self.s.lanes), 1)


def _all(conditions: Sequence[SsaValue]) -> SsaValue:
    total = conditions[0]
    for condition in conditions[1:]:
        total = total & condition
    return total
