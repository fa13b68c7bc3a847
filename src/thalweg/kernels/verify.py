"""Check that definitions, groups and nests are what every kernel pass must leave behind.

What is read has been written before, by one definition that writes each element once; and no index
leaves its array, wherever the tests around a read allow it. An index that is read from memory is
the business of a check at run time, see `kernels.lower.checks`.

It takes as long as the passes themselves, so only tests ask for it, with `THALWEG_STRICT`.
"""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.base.dims import plain
from thalweg.base.errors import CompilerError
from thalweg.base.shapes import size
from thalweg.formula import (
    FUNCTIONS,
    Affine,
    Apply,
    Axis,
    Const,
    Expr,
    Position,
    Read,
    Reduce,
    expressions,
    is_of_indices,
    iterations,
)
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.values import (
    Definition,
    FetchMemory,
    Temporary,
    Value,
    VariableMemory,
    reads_elementwise,
)

MAX_POINTS = 1 << 16  # points up to which an index is computed at all of them
MAX_SAMPLED_VALUES = 12  # values of each axis at which it is computed where there are more

Array = np.ndarray[Any, Any]
Guards = tuple[Expr, ...]


class Verifier:
    """Checks the definitions of one plan after each pass.

    Args:
        kept: values that somebody wants.
    """

    def __init__(self, kept: Collection[Value]) -> None:
        self._kept = kept
        self._known: dict[Definition, tuple[object, ...]] = {}  # what has been found right

    def check(self, definitions: Sequence[Definition], after: str) -> None:
        """Check definitions in execution order.

        Args:
            definitions: all of them.
            after: the pass that left them, for the message.

        Raises:
            CompilerError: if something is wrong, which is a bug of the pass.
        """
        made: set[Value] = set()
        for definition in definitions:
            for read in definition.reads():
                root = read.source.root
                known = root in made or not isinstance(root.storage, Temporary | FetchMemory | None)
                _demand(known, after, definition, "reads {} before it is written", root)
            _demand(definition.value not in made, after, definition, "is written twice")
            self._check_places(definition, after)
            verify_updates([definition], after)
            made.add(definition.value)
        missing = [value for value in self._kept if value not in made]
        _demand(not missing, after, missing, "is never written")

    def _check_places(self, definition: Definition, after: str) -> None:
        """Check what has changed of a definition."""
        shapes = [_plain_shape(read.source) for read in definition.reads()]
        shapes.append(_plain_shape(definition.value))
        present = definition.body, definition.store, definition.axes
        *before, shapes_before = self._known.get(definition, (None, None, None, []))
        if shapes != shapes_before or not all(map(operator.is_, present, before)):
            _verify_places(definition, after)
            self._known[definition] = (*present, shapes)

    def check_groups(self, groups: Sequence[Sequence[Definition]], after: str) -> None:
        """Check what groups define, and that they run in an order that is right.

        Raises:
            CompilerError: as `check` and `check_order` do.
        """
        self.check_order(groups, after)
        self.check([d for group in groups for d in group], after)

    def check_order(self, groups: Iterable[Sequence[Definition]], after: str) -> None:
        """Check that groups run after what they need, and read variables before these change.

        Raises:
            CompilerError: if they do not.
        """
        groups = [list(group) for group in groups]
        left = [d for group in groups for d in group]
        for group in groups:
            verify_updates(group, after)
        place = {definition: n for n, definition in enumerate(left)}
        makes = {d.value: d for d in left}
        present: dict[VariableMemory, Value] = {}
        for definition in left:
            for read in definition.reads():
                root = read.source.root
                if root in makes:
                    known = place[makes[root]] < place[definition]
                    _demand(known, after, definition, "runs before {} is written", root)
                if isinstance(root.storage, VariableMemory):
                    is_new = present.setdefault(root.storage, root)
                    _demand(is_new is root, after, definition, "reads {} too late", root)
            waits = all(place[d] < place[definition] for d in definition.after if d in place)
            _demand(waits, after, definition, "runs before what it waits for")
            if isinstance(definition.value.storage, VariableMemory):
                present[definition.value.storage] = definition.value


def verify_updates(group: Sequence[Definition], after: str) -> None:
    """Check that a kernel reads of the variables that it writes only the present element.

    Raises:
        CompilerError: if it reads another one.
    """
    stored = {d.value.storage for d in group if isinstance(d.value.storage, VariableMemory)}
    for definition in group if stored else ():
        sound = reads_elementwise(definition, lambda value: value.storage in stored)
        _demand(sound, after, definition, "reads elements of a variable that it has overwritten")


def verify_nest(nest: Nest) -> None:
    """Check that no read or store of a nest leaves its array.

    Raises:
        CompilerError: if one does.
    """
    sizes = [size(_plain_shape(value.root)) for value in nest.slots]
    if any(plain(axis.extent) == 0 for axis in nest.axes):
        return
    for store in nest.stores:
        _demand(
            expressions(store.offset) or _is_inside(store.offset, sizes[store.slot], ()),
            "make_nest",
            nest,
            "stores outside of its array",
        )
    roots = [*nest.bodies, *expressions(*(store.offset for store in nest.stores))]
    for read, guards in _guarded_reads(roots):
        inside = _is_inside(read.index[0], sizes[read.source], guards)
        _demand(inside, "make_nest", nest, "reads outside of {}", nest.slots[read.source])


def _verify_places(definition: Definition, after: str) -> None:
    """Check that each element is written once, and that nothing outside of an array is read."""
    extents = [plain(axis.extent) for axis in definition.axes]
    if 0 in extents:
        return
    if not definition.scatters:
        value = definition.value
        shape = _plain_shape(value)
        whole = len(definition.store) == len(shape) and size(extents) == size(shape)
        _demand(whole and _is_injective(definition), after, definition, "writes not each element")
        for at, extent in zip(definition.store, shape, strict=True):
            _demand(_is_inside(at, extent, ()), after, definition, "writes outside of {}", value)
    for read, guards in _guarded_reads([definition.body, *expressions(*definition.store)]):
        rank = len(read.index) == len(read.source.shape)
        _demand(rank, after, definition, "reads {} by another rank", read.source)
        for at, extent in zip(read.index, read.source.shape, strict=True):
            inside = _is_inside(at, plain(extent), guards)
            _demand(inside, after, definition, "reads outside of {}", read.source)


def _plain_shape(value: Value) -> tuple[int, ...]:
    return tuple(map(plain, value.shape))


def _demand(holds: object, after: str, where: object, problem: str, *values: Value) -> None:
    if not holds:
        raise CompilerError(f"after {after}: {_name(where)}: {problem.format(*values)}")


def _name(where: object) -> object:
    if isinstance(where, Definition):
        return f"{where.value} of {', '.join(where.ops)}"
    if isinstance(where, Nest):
        from thalweg.kernels.printer import show_nest  # only when something is wrong

        return show_nest(where)
    return where


# -- reads and the tests around them


def _guarded_reads(roots: Iterable[Expr]) -> Iterator[tuple[Read, Guards]]:
    """Every read, with the conditions that hold wherever it is made.

    The loops of a reduction run whatever the conditions around it are.
    """
    pending: list[tuple[Expr, Guards]] = [(root, ()) for root in roots]
    negations: dict[int, Apply] = {}
    seen: set[tuple[int, tuple[int, ...]]] = set()
    while pending:
        expr, guards = pending.pop()
        key = id(expr), tuple(map(id, guards))
        if key in seen:
            continue
        seen.add(key)
        if isinstance(expr, Read):
            yield expr, guards
        match expr:
            case Apply("select", (condition, then, other)) if is_of_indices(condition):
                contrary = Apply("not", (condition,), condition.dtype)
                contrary = negations.setdefault(id(condition), contrary)
                pending.append((condition, guards))
                pending.append((then, (*guards, *_conjuncts(condition))))
                pending.append((other, (*guards, contrary)))
            case Reduce():
                pending.append((expr.body, ()))
            case _:
                pending += [(child, guards) for child in expr.children]


def _conjuncts(condition: Expr) -> tuple[Expr, ...]:
    """The conditions that a condition is the conjunction of."""
    if isinstance(condition, Apply) and condition.function == "and":
        return tuple(part for arg in condition.args for part in _conjuncts(arg))
    return (condition,)


# -- places


def _is_inside(index: Affine, extent: int, guards: Guards) -> bool:
    """Whether an index lies in `range(extent)` wherever the guards hold."""
    if any(e.reads for e in expressions(index)):
        return True
    if not expressions(index) and _lies_in(index, extent):
        return True
    grid = _grid(index, guards)
    values = _values(index, grid)
    bad = (values < 0) | (values >= extent)
    for guard in guards:
        holds = _evaluate(guard, grid)
        if holds is not None:
            bad = bad & holds
    return not bad.any()


def _lies_in(index: Affine, extent: int) -> bool:
    """The same by the ends of the index's axes."""
    low = high = plain(index.constant)
    for atom, factor in index.terms:
        assert isinstance(atom, Axis)
        reach = plain(factor) * (plain(atom.extent) - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low >= 0 and high < extent


def _is_injective(definition: Definition) -> bool:
    """Whether a store takes every point elsewhere, so that as many points fill the value."""
    if definition.stores_in_place:
        return True
    places = np.zeros((), np.int64)
    if iterations(map(_plain, definition.axes)) > MAX_POINTS:
        return True  # the same store over fewer points is one of the tests' cases
    grid = _grid_of(definition.axes)
    for at, extent in zip(definition.store, definition.value.shape, strict=True):
        places = places * plain(extent) + _values(at, grid)
    return bool(np.unique(places).size == iterations(map(_plain, definition.axes)))


def _plain(axis: Axis) -> Axis:
    return Axis(plain(axis.extent), axis.name)


Grid = Mapping[Axis, Array]


def _grid(index: Affine, guards: Guards) -> Grid:
    """Values for all axes that an index and the guards depend on, each along its own dimension."""
    axes: dict[Axis, None] = {}
    pending: list[Expr | Affine] = [index, *guards]
    while pending:
        part = pending.pop()
        inner = part.index if isinstance(part, Position) else part
        if isinstance(inner, Affine):
            axes |= dict.fromkeys(atom for atom, _ in inner.terms if isinstance(atom, Axis))
            pending += expressions(inner)
        elif not isinstance(inner, Read):
            pending += inner.children
    return _grid_of(list(axes))


def _grid_of(axes: Sequence[Axis]) -> Grid:
    many = iterations(map(_plain, axes)) > MAX_POINTS
    grid = {}
    for n, axis in enumerate(axes):
        extent = plain(axis.extent)
        values = (
            _some(extent)
            if many and extent > 2 * MAX_SAMPLED_VALUES
            else np.arange(extent, dtype=np.int64)
        )
        grid[axis] = values.reshape([-1 if k == n else 1 for k in range(len(axes))])
    return grid


def _some(extent: int) -> Array:
    """The numbers below an extent that are near its ends, and some between."""
    few = MAX_SAMPLED_VALUES // 3
    inside = np.linspace(few, extent - few, few, endpoint=False, dtype=np.int64)
    return np.concatenate([np.arange(few), inside, np.arange(extent - few, extent)])


def _values(index: Affine, grid: Grid) -> Array:
    total = np.full((1,) * len(grid), plain(index.constant), np.int64)
    for atom, factor in index.terms:
        at = grid[atom] if isinstance(atom, Axis) else _evaluate(atom, grid)
        total = total + at * plain(factor)
    return total


def _evaluate(expr: Expr, grid: Grid) -> Any:
    """What an expression of indices is worth on a grid; None if that is for the run to tell."""
    match expr:
        case Const():
            return expr.value
        case Position() if not expr.reads:
            return _values(expr.index, grid)
        case Apply():
            args = [_evaluate(arg, grid) for arg in expr.args]
            if any(arg is None for arg in args):
                return None
            found = FUNCTIONS[expr.function]
            return args[0] if expr.function == "cast" else found.evaluate(np, *args)
    return None
