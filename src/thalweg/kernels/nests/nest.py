"""Loop nests: a kernel's loops and stores over flat memory, in canonical form.

    Nest(axes, stores) where store = (slot, offset, expression)

Every read and store is a slot (a pointer argument) and an offset that is affine in the axes. Axes
of extent 1 are gone, and neighbouring axes that every access walks as one have become one, so that
a pointwise kernel over contiguous arrays has a single loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import ClassVar

from thalweg.base.dims import Dim, Sizes
from thalweg.base.dtypes import DType
from thalweg.base.record import Record, replace
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
    Rewrite,
    affine,
    expressions,
    iterations,
    walk,
)
from thalweg.kernels.lower.lower import flat, flat_index
from thalweg.kernels.values import Definition, RowNumbers, Value


class Store(Record, eq=False):
    """`memory[slot][offset] = body`, or `+= body` where an index that is read scatters.

    Attributes:
        cleared: for the latter, an axis over all values that the index may have. Over it, and all
            that is computed together, memory is set to 0 first.
        replaces: whether what an index that is read scatters is stored instead, the last of all
            that falls on a place, and other places are left as they are.
    """

    slot: int
    offset: Affine
    body: Expr
    dtype: DType
    cleared: Axis | None = None
    replaces: bool = False

    @property
    def scatters(self) -> bool:
        """Whether several points may fall on one place, so that their order matters."""
        return self.replaces or self.cleared is not None

    @property
    def clearing(self) -> Store:
        """The store that sets to 0 what is added to, over the axis `cleared`."""
        assert self.cleared is not None
        terms = [(self.cleared if isinstance(a, Expr) else a, f) for a, f in self.offset.terms]
        offset = Affine(tuple(terms), self.offset.constant)
        return Store(self.slot, offset, Const(0, self.dtype), self.dtype)


class Nest(Record, eq=False):
    """One kernel: for all values of the axes, in any order, do the stores.

    Attributes:
        axes: output loops.
        stores: what is written at each point; all reads of a point come before its stores.
        slots: the values behind the pointer arguments.
        ops: names of the graph's operations that it computes.
        scratch: where unfinished sums are kept between K blocks, if there are any, and the totals
            of their blocks, one store each; the last slots are theirs.
        when: slots of words; if there are any, there is nothing to do unless a word holds.
    """

    remembered: ClassVar[tuple[str, ...]] = ("exprs", "numbers", "sizes", "structure")

    axes: tuple[Axis, ...]
    stores: tuple[Store, ...]
    slots: tuple[Value, ...]
    ops: tuple[str, ...]
    scratch: tuple[Store, ...] = ()
    when: tuple[int, ...] = ()

    @property
    def words(self) -> tuple[int, ...]:
        """How many words there are in each of these slots: one, or one for each image."""
        return tuple(next(iter(self.slots[slot].shape), 1) for slot in self.when)

    @property
    def bodies(self) -> tuple[Expr, ...]:
        return tuple(store.body for store in self.stores)

    @cached_property
    def exprs(self) -> list[Expr]:
        """Everything in the bodies and in read indices of stores, inner expressions first."""
        return walk(*self.bodies, *expressions(*(store.offset for store in self.stores)))

    @cached_property
    def sequential(self) -> tuple[Axis, ...]:
        """The axes along which a store scatters, in order: they are the inner loops."""
        places = [s.offset for s in self.stores if s.scatters]
        return tuple(a for a in self.axes if any(not at.coefficient(a) for at in places))

    @property
    def changing(self) -> Mapping[int, tuple[Axis, ...]]:
        """By slot, the axes along which what is read there may have been stored before."""
        return {store.slot: self.sequential for store in self.stores if store.replaces}

    @cached_property
    def unrolled(self) -> tuple[Axis, ...]:
        """The axes whose values a tile takes all, as coefficients go by them."""
        rows = {e.axis for e in self.exprs if isinstance(e, Combination)}
        return tuple(a for a in self.axes if a in rows)

    def evaluations(self, expr: Combination) -> int:
        """How many values of a combination one tile of the unrolled axes needs."""
        rows = {e.axis for e in walk(expr) if isinstance(e, Combination)}
        return iterations(a for a in self.unrolled if a in rows)

    @cached_property
    def reductions(self) -> list[Reduce]:
        """The reductions in the bodies."""
        return [e for e in self.exprs if isinstance(e, Reduce)]

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The numbers that vary from run to run, each once, in a fixed order."""
        added = [at.constant for at in self._walked]
        return tuple(dict.fromkeys((*self.sizes, *(n for n in added if isinstance(n, Dim)))))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Those of the numbers that are extents or steps, on which a schedule may depend.

        The others are only added to something: where a slice starts, say, or a seed.
        """
        cleared = [store.cleared for store in self.stores if store.cleared is not None]
        found = [axis.extent for axis in (*all_axes(self), *cleared)]
        found += [factor for at in self._walked for _, factor in at.terms]
        found += self.words
        return tuple(dict.fromkeys(n for n in found if isinstance(n, Dim)))

    @cached_property
    def _walked(self) -> list[Affine]:
        """Everything that is linear in the axes."""
        scratch = [store.offset for store in self.scratch]
        places = [position(r) for r in self.reductions if r.combiner.startswith("arg")]
        return [*_indices(self), *scratch, *places]

    @property
    def points(self) -> int:
        return iterations(self.axes)

    @cached_property
    def structure(self) -> str:
        """A text that two nests share exactly when the same code can serve both."""
        return _structure(self)

    def over(self, slots: tuple[Value, ...], ops: tuple[str, ...]) -> Nest:
        """The same loops and stores over other values of the same kinds, for other operations."""
        made = Nest(self.axes, self.stores, slots, ops, self.scratch, self.when)
        found = {name: value for name, value in vars(self).items() if name not in Nest.fields}
        vars(made).update(found)
        return made


def make_nest(members: Sequence[Definition], needed: Callable[[Value], bool]) -> Nest:
    """The nest of definitions over one index space; values used only inside are not stored."""
    axes, points = _split_at_panels(members)
    slots: dict[object, int] = {}
    memory: list[Value] = []

    def slot_of(value: Value) -> int:
        root = value.root
        key = root.storage if root.storage is not None else root
        if key not in slots:
            slots[key] = len(memory)
            memory.append(root)
        return slots[key]

    made: dict[Value, Expr] = {}
    bodies: list[tuple[Definition, Expr]] = []
    for member in members:
        body = _forwarded(member, points, made)
        made[member.value] = body
        bodies.append((member, body))
    flatten = Rewrite(read=lambda r: Read(slot_of(r.source), (flat(r),), r.dtype))
    stores: list[Store] = []
    for member, body in bodies:
        if needed(member.value):
            rename = Rewrite(axes=dict(zip(member.axes, points, strict=True)))
            slot, value = slot_of(member.value), member.value
            store = [flatten.index(rename.index(at)) for at in member.store]
            offset, dtype = flat_index(store, value.shape, value.panel), value.dtype
            cleared, body = _cleared(member), flatten(body)
            stores.append(Store(slot, offset, body, dtype, cleared, member.replaces))
    when = tuple([slot_of(word.source) for word in members[0].when])
    return simplify(Nest(axes, tuple(stores), tuple(memory), ops_of(members), when=when))


def ops_of(members: Sequence[Definition]) -> tuple[str, ...]:
    """The names of the operations that are computed, each once."""
    return tuple(dict.fromkeys([name for member in members for name in member.ops]))


def _split_at_panels(members: Sequence[Definition]) -> tuple[tuple[Axis, ...], tuple[Affine, ...]]:
    """The nest's axes, and where each axis of its members is on them.

    An axis along the columns of a value in panels becomes two: the panel, and the place inside.
    """
    widths: dict[int, int] = {}  # by the number of the axis
    for member in members:
        indices = [(read.index, read.source.panel) for read in member.reads()]
        for index, width in [*indices, (member.store, member.value.panel)]:
            if width:
                (column,) = [n for n, axis in enumerate(member.axes) if index[-1].is_axis(axis)]
                widths[column] = width
    axes: list[Axis] = []
    points: list[Affine] = []
    for n, axis in enumerate(members[0].axes):
        width = widths.get(n, 0)
        if width:
            parts = (Axis(axis.extent // width, axis.name * 2), Axis(width, axis.name))
            axes += parts
            points.append(parts[0] * width + parts[1])
        else:
            axes.append(axis)
            points.append(affine(axis))
    return tuple(axes), tuple(points)


def _forwarded(member: Definition, points: Sequence[Affine], made: dict[Value, Expr]) -> Expr:
    """The body over the nest's axes, reading fellow members' values directly."""

    def replaced(read: Read) -> Expr:
        return made.get(read.source, read)

    return Rewrite(axes=dict(zip(member.axes, points, strict=True)), read=replaced)(member.body)


def _cleared(member: Definition) -> Axis | None:
    """An axis over the extent along which what is scattered is added up, if it is."""
    if member.replaces:
        return None
    pairs = zip(member.store, member.value.shape, strict=True)
    return next((Axis(extent, "r") for at, extent in pairs for _ in expressions(at)), None)


# -- canonical form


def simplify(nest: Nest) -> Nest:
    """Drop axes of extent 1 and merge axes that are walked as one."""
    nest = _drop_single_axes(nest)
    nest = _merge_output_axes(nest)
    return _share_reduction_axes(_merge_reduction_axes(nest))


def _is_single(axis: Axis) -> bool:
    return type(axis.extent) is int and axis.extent == 1


def _rewritten(nest: Nest, axes: Sequence[Axis], rewrite: Rewrite) -> Nest:
    stores = tuple(
        replace(s, offset=rewrite.index(s.offset), body=rewrite(s.body)) for s in nest.stores
    )
    return Nest(tuple(axes), stores, nest.slots, nest.ops, when=nest.when)


class _Reductions(Rewrite):
    """Rewrites that also change the axes of reductions."""

    def __init__(self, axes: dict[Axis, Affine], keep: Callable[[Reduce], tuple[Axis, ...]]):
        super().__init__(axes=axes)
        self._keep = keep

    def _rebuild(self, expr: Expr) -> Expr:
        if isinstance(expr, Reduce):
            kept = self._keep(expr)
            body = self(expr.body)
            if not kept and not expr.combiner.startswith("arg"):
                return body
            return Reduce(expr.combiner, kept, body, expr.dtype)
        return super()._rebuild(expr)


def _drop_single_axes(nest: Nest) -> Nest:
    reduced = [axis for r in nest.reductions for axis in r.axes]
    gone = {axis: affine(0) for axis in (*nest.axes, *reduced) if _is_single(axis)}
    if not gone:
        return nest
    rewrite = _Reductions(gone, lambda r: tuple(a for a in r.axes if a not in gone))
    return _rewritten(nest, [a for a in nest.axes if a not in gone], rewrite)


def _indices(nest: Nest) -> list[Affine]:
    found = [store.offset for store in nest.stores]
    for expr in nest.exprs:
        if isinstance(expr, Read):
            found.append(expr.index[0])
        elif isinstance(expr, Position):
            found.append(expr.index)
        elif isinstance(expr, Combination):
            found.append(expr.row)
    return found


def _walked_as_one(outer: Axis, inner: Axis, indices: Sequence[Affine]) -> bool:
    return all(at.coefficient(outer) == at.coefficient(inner) * inner.extent for at in indices)


def _merge_output_axes(nest: Nest) -> Nest:
    axes = list(nest.axes)
    indices = _indices(nest)
    for outer, inner in pairwise(axes):
        if _walked_as_one(outer, inner, indices):
            merged = Axis(outer.extent * inner.extent, outer.name + inner.name)
            rewrite = Rewrite(axes={outer: affine(0), inner: affine(merged)})
            rest = [merged if a is inner else a for a in axes if a is not outer]
            return _merge_output_axes(_rewritten(nest, rest, rewrite))
    return nest


def _merge_reduction_axes(nest: Nest) -> Nest:
    indices = _indices(nest)
    for reduce in nest.reductions:
        for outer, inner in pairwise(reduce.axes):
            if _walked_as_one(outer, inner, indices):
                merged = Axis(outer.extent * inner.extent, outer.name + inner.name)
                kept = tuple(merged if a is inner else a for a in reduce.axes if a is not outer)
                axes = {outer: affine(0), inner: affine(merged)}
                rewrite = _Reductions(
                    axes,
                    lambda r, old=reduce, new=kept: new if r.axes == old.axes else r.axes,  # type: ignore[misc]
                )
                return _merge_reduction_axes(_rewritten(nest, nest.axes, rewrite))
    return nest


def _share_reduction_axes(nest: Nest) -> Nest:
    """Let reductions over equal extents have the same axes, so that they can share their loops."""
    first: dict[tuple[tuple[type, int], ...], Reduce] = {}
    axes: dict[Axis, Affine] = {}
    for reduce in nest.reductions:
        if reduce.body.reductions:  # it needs the other's result
            continue
        extents = tuple((type(axis.extent), axis.extent) for axis in reduce.axes)
        model = first.setdefault(extents, reduce)
        pairs = zip(reduce.axes, model.axes, strict=True)
        axes |= {old: affine(new) for old, new in pairs if old is not new}
    if not axes:
        return nest

    def shared(reduce: Reduce) -> tuple[Axis, ...]:
        return tuple(axes[a].terms[0][0] if a in axes else a for a in reduce.axes)  # type: ignore[misc]

    return _rewritten(nest, nest.axes, _Reductions(axes, shared))


# -- other extents


def resized(nest: Nest, sizes: Sizes) -> Nest:
    """The nest, of the same structure, with its varying numbers as they are for other extents."""

    def number(value: int) -> int:
        return Dim(sizes(value)) if isinstance(value, Dim) else value

    def axis(old: Axis) -> Axis:
        return Axis(number(old.extent), old.name)

    def moved(store: Store) -> Store:
        offset, cleared = rewrite.index(store.offset), store.cleared and axis(store.cleared)
        return replace(store, offset=offset, body=rewrite(store.body), cleared=cleared)

    axes = {old: axis(old) for old in all_axes(nest)}
    rewrite = _Resize(axes, number)
    slots = tuple(
        Value(v.name, tuple(map(number, v.shape)), v.dtype, v.storage, panel=v.panel)
        for v in nest.slots
    )
    own, stores = tuple(axes[a] for a in nest.axes), tuple(map(moved, nest.stores))
    return Nest(own, stores, slots, nest.ops, tuple(map(moved, nest.scratch)), nest.when)


class _Resize(Rewrite):
    """Puts other numbers in the place of those that vary."""

    def __init__(self, axes: Mapping[Axis, Axis], number: Callable[[int], int]) -> None:
        super().__init__(axes=axes)
        self._own, self._number = axes, number

    def index(self, index: Affine) -> Affine:
        terms = tuple(
            (self(atom) if isinstance(atom, Expr) else self._own.get(atom, atom), self._number(by))
            for atom, by in index.terms
        )
        return Affine(terms, self._number(index.constant))

    def _rebuild(self, expr: Expr) -> Expr:
        if isinstance(expr, Reduce):
            axes = tuple(self._own[axis] for axis in expr.axes)
            return Reduce(expr.combiner, axes, self(expr.body), expr.dtype)
        return super()._rebuild(expr)


# -- text


def all_axes(nest: Nest) -> list[Axis]:
    """The output axes, then those of the reductions, each once."""
    reduced = [axis for reduce in nest.reductions for axis in reduce.axes]
    return list(dict.fromkeys((*nest.axes, *reduced)))


def position(reduce: Reduce) -> Affine:
    """The row-major place of a point among the reduced axes."""
    return row_major(reduce.axes)


def row_major(axes: Sequence[Axis]) -> Affine:
    """The offset of a point in an array whose extents are the axes'."""
    total = Affine()
    for axis in axes:
        total = total * axis.extent + axis
    return total


class _Structure:
    """Writes expressions as text in which axes go by their place and varying numbers by theirs.

    Of a varying number, only whether it is 0 or 1 shows: a step of 1 makes other code.
    """

    def __init__(self, nest: Nest) -> None:
        self.axes = {axis: f"a{n}" for n, axis in enumerate(all_axes(nest))}
        self.exprs = {id(e): n for n, e in enumerate(nest.exprs)}
        self.numbers = {
            number: f"?{n}={int(number)}" if number in (0, 1) else f"?{n}"
            for n, number in enumerate(nest.numbers)
        }

    def number(self, number: int) -> str:
        return self.numbers[number] if isinstance(number, Dim) else str(number)

    def index(self, index: Affine) -> str:
        terms = [
            f"{self.number(f)}*{self.axes[a] if isinstance(a, Axis) else self.exprs[id(a)]}"
            for a, f in index.terms
        ]
        return "+".join([*terms, self.number(index.constant)])

    def expr(self, expr: Expr) -> str:
        match expr:
            case Const():
                return f"{expr.value!r}{expr.dtype}"
            case Read():
                return f"[{expr.source} {self.index(expr.index[0])}]"
            case Position():
                return f"({self.index(expr.index)}){expr.dtype}"
            case Apply():
                args = ",".join(str(self.exprs[id(arg)]) for arg in expr.args)
                return f"{expr.function}:{expr.dtype}({args})"
            case Combination():
                terms = ",".join(str(self.exprs[id(term)]) for term in expr.terms)
                return f"{expr.table}:{expr.dtype}<{self.index(expr.row)}>({terms})"
            case Reduce():
                over = ",".join(self.axes[axis] for axis in expr.axes)
                return f"{expr.combiner}:{expr.dtype}<{over}>({self.exprs[id(expr.body)]})"
        raise AssertionError(expr)

    def store(self, store: Store) -> str:
        way = f"+{self.number(store.cleared.extent)}" if store.cleared else ""
        way += "=" if store.replaces else ""
        place = self.index(store.offset)
        return f"{store.slot} {store.dtype} {place} {self.exprs[id(store.body)]}{way}"


def _structure(nest: Nest) -> str:
    write = _Structure(nest)
    loops = [f"{name}<{write.number(axis.extent)}" for axis, name in write.axes.items()]
    # code reads beyond the numbers of a step's rows
    kinds = [v.dtype.name + "+" * isinstance(v.storage, RowNumbers) for v in nest.slots]
    nodes = [write.expr(e) for e in nest.exprs]
    stores = [write.store(store) for store in nest.stores]
    asked = [f"if {at}<{write.number(n)}" for at, n in zip(nest.when, nest.words, strict=True)]
    return ";".join([f"{len(nest.axes)}", *loops, *kinds, *nodes, *stores, *asked])
