"""Definitions, groups and nests as text, for people and for tests.

    y[i, j] = max(sum[k<784](x[i, k] * w[k, j]) + b[j], 0)  for i<32, j<10

A definition is a line: what it stores, the loops, and then what is not the rule: the words that
ask for it (`if`), the memory of its value (`in`) and what it waits for beyond what it reads
(`after`). A nest has its loops in a line of their own, and every value in it is flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from thalweg.base.dims import plain
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
    expressions,
    walk,
)
from thalweg.kernels import values
from thalweg.kernels.nests.nest import Nest
from thalweg.kernels.schedules.schedule import Schedule
from thalweg.kernels.values import Definition, Storage, Value

__all__ = [
    "show_definition",
    "show_definitions",
    "show_expr",
    "show_groups",
    "show_nest",
    "show_schedule",
]

LONGEST = 2000  # characters of an expression's text, in which what is shared comes several times
MAX_SHOWN_TERMS = 3  # terms of a combination that are all written out

Name = Callable[[Any], str]  # of what is read
Text = tuple[str, int]  # and how tightly its outermost operator binds

CHOICE, OR, AND, NOT, COMPARED, SUM, PRODUCT, ATOM = range(8)
_SIGNS = {
    "add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT), "div": ("/", PRODUCT),
    "lt": ("<", COMPARED), "le": ("<=", COMPARED), "gt": (">", COMPARED), "ge": (">=", COMPARED),
    "eq": ("==", COMPARED), "ne": ("!=", COMPARED), "and": ("and", AND), "or": ("or", OR),
}  # fmt: skip


def show_groups(groups: Iterable[Sequence[Definition]]) -> str:
    """Groups, each of which becomes a kernel."""
    return "\n".join(
        f"kernel {n}:\n" + "\n".join(f"    {show_definition(d)}" for d in group)
        for n, group in enumerate(groups)
    )


def show_schedule(schedule: Schedule) -> str:
    """How a nest runs, in a line.

    loops i j, the first 2 in parallel, 8 lanes of j, tile 16j 5i
    """
    order = " ".join(axis.name for axis in schedule.order)
    tile = " ".join(f"{count}{axis.name}" for axis, count in schedule.tile.items())
    parts = [f"loops {order}" if order else "no loops"]
    if schedule.parallel:
        parts.append(f"the first {schedule.parallel} in parallel")
    if schedule.vector is not None:
        parts.append(f"{schedule.lanes} lanes of {schedule.vector.name}")
    parts += [f"tile {tile}"] if tile else []
    return ", ".join(parts)


def show_definitions(definitions: Iterable[Definition]) -> str:
    """Definitions, a line each."""
    return "\n".join(map(show_definition, definitions))


def show_definition(definition: Definition) -> str:
    """`y[i] = x[i] + 1  for i<4`, and what else there is to say."""
    value, texts = definition.value, _Texts(_name, definition.axes)
    sign = "+=" if definition.scatters and not definition.replaces else "="
    parts = [f"{value.name}[{texts.indices(definition.store)}] {sign} {texts(definition.body)}"]
    if definition.axes:
        parts.append(f"for {texts.loops(definition.axes)}")
    if definition.when:
        parts.append(f"if {' or '.join(map(texts, definition.when))}")
    if value.panel:
        parts.append(f"in panels of {value.panel}")
    if value.storage is not None:
        parts.append(f"in {_memory(value.storage)}")
    if definition.after:
        waits = sorted(definition.after, key=lambda d: (d.order, d.value.name))
        parts.append(f"after {', '.join(d.value.name for d in waits)}")
    return "  ".join(parts)


def show_nest(nest: Nest) -> str:
    """The loops of a nest, and a line for each store."""
    texts = _Texts(lambda slot: nest.slots[slot].name, nest.axes)
    loops = f"for {texts.loops(nest.axes)}:" if nest.axes else "for once:"
    asked = " or ".join(nest.slots[slot].name for slot in nest.when)
    lines = [f"if {asked}, {loops}" if asked else loops]
    for store in nest.stores:
        target = f"{nest.slots[store.slot].name}[{texts.indices([store.offset])}]"
        sign = "=" if store.cleared is None else "+="
        lines.append(f"    {target} {sign} {texts(store.body)}")
    return "\n".join(lines)


def show_expr(expr: Expr, slots: Sequence[Value]) -> str:
    """An expression of a nest, on one line; what would be too long is left out."""
    return _Texts(lambda slot: slots[slot].name)(expr)


def _name(value: Value) -> str:
    """A value, or the one whose memory it is under another shape."""
    if value.base is None:
        return value.name
    return f"({value.root.name} as {'x'.join(str(plain(n)) for n in value.shape)})"


def _memory(storage: Storage) -> str:
    match storage:
        case values.PartMemory():
            return f"{storage.whole.name} from {plain(storage.first)}"
        case values.SliceMemory():
            return f"{'a part' if storage.by_part else 'a slice'} of {storage.whole.name}"
        case values.VariableMemory():
            return f"variable {storage.name}"
        case values.FeedMemory():
            return f"feed {storage.number}"
        case values.FetchMemory():
            return f"fetch {storage.number}"
        case values.Temporary():
            return f"temporary {storage.number}"
    return type(storage).__name__.lower()


class _Texts:
    """Writes expressions, each from the texts of what is inside.

    Args:
        name: of what a read reads.
        axes: the loops around the expressions.
    """

    def __init__(self, name: Name, axes: Sequence[Axis] = ()) -> None:
        self._name = name
        self._axes: dict[Axis, str] = {}
        self._made: dict[int, Text] = {}
        self._loops = self._named(axes, ())

    def __call__(self, expr: Expr) -> str:
        for reduce in expr.reductions:  # inner ones first
            within = [self._axes[axis] for r in reduce.body.reductions for axis in r.axes]
            self._named(reduce.axes, (*self._loops, *within))
        for inner in walk(expr):
            text = self._text(inner)
            self._made[id(inner)] = text if len(text[0]) <= LONGEST else ("(...)", ATOM)
        return self._made[id(expr)][0]

    def loops(self, axes: Sequence[Axis]) -> str:
        """`i<32, j<10`."""
        return ", ".join(f"{self._axes[axis]}<{plain(axis.extent)}" for axis in axes)

    def indices(self, index: Sequence[Affine]) -> str:
        """`2*i + j, r[k]`."""
        for inner in expressions(*index):
            self(inner)
        return self._indices(index)

    def _indices(self, index: Sequence[Affine]) -> str:
        return ", ".join(self._index(at)[0] for at in index)

    def _named(self, axes: Iterable[Axis], inside: Iterable[str]) -> frozenset[str]:
        """Give axes names that differ: from one another, and from those of the loops inside."""
        taken = set(inside)
        for axis in axes:
            name = self._axes.get(axis, axis.name)
            while name in taken:
                name += "'"
            self._axes[axis] = name
            taken.add(name)
        return frozenset(taken)

    def _in(self, expr: Expr, least: int) -> str:
        """The text of what is inside another, in parentheses unless it binds as tightly."""
        text, binds = self._made[id(expr)]
        return text if binds >= least else f"({text})"

    def _index(self, index: Affine) -> Text:
        parts = [self._term(atom, plain(factor)) for atom, factor in index.terms]
        constant = plain(index.constant)
        if constant or not parts:
            parts.append(str(constant))
        parts.sort(key=lambda part: part.startswith("-"))  # `3 - i`, and not `-i + 3`
        text = " + ".join(parts).replace("+ -", "- ")
        return text, ATOM if len(parts) == 1 and text[0] != "-" else SUM

    def _term(self, atom: Axis | Expr, factor: int) -> str:
        name = self._axes.get(atom, atom.name) if isinstance(atom, Axis) else self._in(atom, ATOM)
        return {1: name, -1: f"-{name}"}.get(factor, f"{factor}*{name}")

    def _text(self, expr: Expr) -> Text:
        match expr:
            case Const():
                return f"{expr.value:g}", ATOM
            case Read():
                return f"{self._name(expr.source)}[{self._indices(expr.index)}]", ATOM
            case Position():
                return self._index(expr.index)
            case Apply():
                return self._applied(expr)
            case Reduce():
                return (
                    f"{expr.combiner}[{self.loops(expr.axes)}]({self._in(expr.body, CHOICE)})",
                    ATOM,
                )
            case Combination():
                return f"combine[{self._index(expr.row)[0]}]({self._terms(expr)})", ATOM
        raise AssertionError(expr)

    def _terms(self, expr: Combination) -> str:
        terms = [self._in(term, CHOICE) for term in expr.terms]
        return ", ".join(terms if len(terms) <= MAX_SHOWN_TERMS else (terms[0], "...", terms[-1]))

    def _applied(self, expr: Apply) -> Text:
        match expr:
            case Apply(
                "and", (Apply("ge", (Position(at), Const(0))), Apply("lt", (below, end)))
            ) if isinstance(below, Position) and below.index == at:
                return f"0 <= {self._in(below, SUM)} < {self._in(end, SUM)}", COMPARED
            case Apply("select", (condition, then, other)):
                parts = self._in(condition, OR), self._in(then, OR), self._in(other, CHOICE)
                return "{} ? {} : {}".format(*parts), CHOICE
            case Apply("not", (arg,)):
                return f"not {self._in(arg, NOT)}", NOT
            case Apply("neg", (arg,)):
                return f"-{self._in(arg, ATOM)}", PRODUCT
            case Apply(function, (left, right)) if function in _SIGNS:
                sign, binds = _SIGNS[function]
                # Sums and products of floats are not associative, so the text keeps their order.
                tighter = binds if function in ("and", "or") else binds + 1
                return f"{self._in(left, binds)} {sign} {self._in(right, tighter)}", binds
        name = expr.dtype.name if expr.function == "cast" else expr.function
        return f"{name}({', '.join(self._in(arg, CHOICE) for arg in expr.args)})", ATOM
