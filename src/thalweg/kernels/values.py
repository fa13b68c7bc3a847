"""What kernels read and write: values, where they are kept, and how each is defined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.base.dims import Node, Sizes, plain
from thalweg.base.dtypes import DType
from thalweg.base.record import Record, field
from thalweg.base.shapes import size
from thalweg.formula import (
    FUNCTIONS,
    Affine,
    Apply,
    Axis,
    Combination,
    Const,
    Expr,
    Position,
    Read,
    expressions,
    is_identity,
)


class FeedMemory(Record):
    """Memory that the caller of a run hands in."""

    number: int


class FetchMemory(Record):
    """Memory that the caller of a run gets back."""

    number: int


class VariableMemory(Record):
    """Memory of a variable; it outlives runs."""

    name: str


class ConstantMemory(Record, eq=False):
    """Memory that is part of the program.

    Attributes:
        array: its contents.
        planned: how they came from extents that may vary, if they did.
    """

    array: np.ndarray[Any, Any]
    planned: Node | None = None


class Temporary(Record):
    """A piece of the arena, placed by the memory plan."""

    number: int


class Counter(Record):
    """The cell that holds the number of the run."""


class RowNumbers(Record):
    """The numbers of the rows that a step of a loop takes of some feeds, int64.

    As many others follow, those of the next step, so that its rows can be fetched ahead.
    """


class Verdict(Record):
    """What a run has to say of a check; see `kernels.lower.checks`.

    Attributes:
        number: of the check.
        word: its first word, how far from the end the first offender is (0 if there is none), or
            its second, the offender's value.
    """

    number: int
    word: int


class SliceMemory(Record):
    """One slice of a value along its first dimension; see `kernels.rewrites.slice_groups`.

    Attributes:
        whole: the value.
        by_part: whether the first dimension is that of the parts of a sum, and not of slices.
    """

    whole: Value
    by_part: bool = False


class PartMemory(Record):
    """Some rows of a value, in which others that are concatenated with it lie too.

    See `kernels.rewrites.concatenate_in_place`.

    Attributes:
        whole: the value.
        first: the first of the rows.
    """

    whole: Value
    first: int


class Moving(Record, eq=False):
    """Memory that is another one in each iteration of a loop; see `kernels.flow`."""


Storage = (
    FeedMemory
    | FetchMemory
    | VariableMemory
    | ConstantMemory
    | Temporary
    | Counter
    | RowNumbers
    | Verdict
    | SliceMemory
    | PartMemory
    | Moving
)


class Value(Record, frozen=False, eq=False):
    """An array in the program.

    Attributes:
        name: of the tensor it came from.
        shape: row-major, without padding.
        panel: if not 0, how many columns a panel has: memory holds all rows of the first panel,
            then all rows of the next; a column is a value of the last dimension.
        storage: where it is kept; None until it is known to need memory.
        base: the value whose memory this is too, under another shape.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    storage: Storage | None = None
    base: Value | None = None
    panel: int = 0

    @property
    def root(self) -> Value:
        """The value that owns the memory."""
        return self.base.root if self.base else self

    @property
    def size(self) -> int:
        return size(self.shape)

    @property
    def bytes(self) -> int:
        return int(self.size) * self.dtype.size

    def bytes_at(self, sizes: Sizes) -> int:
        """How many bytes it takes for other extents."""
        return size(sizes.shape(self.shape)) * self.dtype.size

    def __repr__(self) -> str:
        return f"{self.name}{list(map(plain, self.shape))}"


def whole(value: Value) -> Value:
    """The value that has the memory of its own in which this one lies."""
    while isinstance(value.storage, SliceMemory | PartMemory):
        value = value.storage.whole
    return value


class Definition(Record, frozen=False, eq=False):
    """`value[store] = body` for all values of the axes; what a read index scatters is added up.

    If it `replaces`, the last of what falls on an element stays, in the order of the axes, and all
    other elements keep what memory held.

    Attributes:
        order: place in the schedule of the graph's operations.
        ops: names of the operations that are computed here.
        after: definitions that must run before, beyond those whose values are read.
        when: words of which one must hold for the value to be needed; those that are read along
            the first axis decide for each of its places. Where none holds, memory is left as it is.
    """

    value: Value
    axes: tuple[Axis, ...]
    body: Expr
    store: tuple[Affine, ...]
    order: int
    ops: tuple[str, ...]
    after: set[Definition] = field(default_factory=set)
    when: tuple[Read, ...] = ()
    replaces: bool = False

    @property
    def is_pointwise(self) -> bool:
        """No reduction, and every element written where it was computed."""
        return self.stores_in_place and not self.body.reductions

    @property
    def stores_in_place(self) -> bool:
        """Whether the axes are the output's own indices."""
        return is_identity(self.store, self.axes)

    @property
    def scatters(self) -> bool:
        """Whether an index of the store is read."""
        return bool(expressions(*self.store))

    def reads_where_it_stores(self, read: Read) -> bool:
        """Whether a read is of the element that is being computed, and no other."""
        if self.replaces:
            return read.source.base is None and read.index == self.store
        return is_elementwise(read, self.axes)

    def reads(self) -> tuple[Read, ...]:
        """Every read of the body and the store, and of the words that ask for the value."""
        inside = expressions(*self.store)
        if not inside and not self.when:  # as a rule; the body remembers its own
            return self.body.reads
        scattered = [read for e in inside for read in e.reads]
        return tuple(dict.fromkeys((*self.body.reads, *scattered, *self.when)))


class Readers:
    """Which definitions read each value, kept up to date while bodies change.

    Args:
        definitions: in execution order.
    """

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._place = {definition: n for n, definition in enumerate(definitions)}
        self._sources: dict[Definition, set[Value]] = {}
        self._readers: dict[Value, set[Definition]] = {}
        for definition in definitions:
            self.update(definition)

    def of(self, value: Value) -> list[Definition]:
        """The definitions that read the value's memory, under whatever shape, in order."""
        return sorted(self._readers.get(value, ()), key=self._place.__getitem__)

    def update(self, definition: Definition) -> None:
        """Note that the definition has a new body."""
        before = self._sources.get(definition, set())
        now = {read.source.root for read in definition.reads()}
        for value in before - now:
            self._readers[value].discard(definition)
        for value in now - before:
            self._readers.setdefault(value, set()).add(definition)
        self._sources[definition] = now


def work(expr: Expr) -> int:
    """Roughly how many instructions one evaluation takes, reads and reductions left out."""
    return sum([own_work(e) for e in expr.every])


def own_work(expr: Expr) -> int:
    """The same of the expression alone, without what it is applied to."""
    match expr:
        case Apply():
            return FUNCTIONS[expr.function].work
        case Combination():
            return -(-sum(map(bool, sum(expr.table, ()))) // len(expr.table))
    return 0


def is_view(expr: Expr) -> bool:
    """Whether the expression only renames elements of one value."""
    return isinstance(expr, Read)


def is_uniform(expr: Expr) -> bool:
    """Whether the expression has one value at all places, computed from scalars in memory."""
    read = all(not at.terms for e in expr.reads for at in e.index)
    return read and all(isinstance(e, Read | Const | Apply) for e in expr.every)


def is_padding(expr: Expr) -> bool:
    """Whether the expression is an element of one value, or a constant, or another by its place."""
    if not isinstance(expr, Apply) or expr.function != "select":
        return False
    condition, inside, outside = expr.args
    return not condition.reads and isinstance(inside, Read | Const) and isinstance(outside, Const)


def is_elementwise(read: Read, axes: Sequence[Axis]) -> bool:
    """Whether the read is of the element whose index is the axes."""
    return read.source.base is None and is_identity(read.index, axes)


def reads_elementwise(definition: Definition, is_written: Callable[[Value], bool]) -> bool:
    """Whether a definition reads, of what its kernel writes, only the element being computed.

    Any other element may have been overwritten by then, or not be written yet.
    """
    inside = {id(read) for reduce in definition.body.reductions for read in reduce.body.reads}
    return all(
        definition.reads_where_it_stores(read) and id(read) not in inside
        for read in definition.reads()
        if is_written(read.source.root)
    )


def is_free(expr: Expr) -> bool:
    """Whether evaluating the expression anew costs nothing worth keeping a result for."""
    return _is_free_itself(expr) and all(map(_is_free_itself, expr.every))


def _is_free_itself(expr: Expr) -> bool:
    if isinstance(expr, Apply):
        return FUNCTIONS[expr.function].is_free
    return isinstance(expr, Read | Const | Position)
