"""Bind the formulas of a scheduled graph to values: one definition for each computed tensor."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from thalweg.base import dtypes
from thalweg.base.dtypes import DType
from thalweg.base.record import replace
from thalweg.base.shapes import known, size, strides
from thalweg.formula import (
    Affine,
    Alias,
    Check,
    Expr,
    Formula,
    Lowered,
    Operand,
    Read,
    Rewrite,
    Steps,
    affine,
    axes,
    cast,
    combination,
)
from thalweg.graph import FailedOp, Operation, Tensor, execute
from thalweg.kernels import values
from thalweg.kernels.lower.checks import Checked, define_check
from thalweg.kernels.values import Definition, Value
from thalweg.ops.arrays.constant import constant_of


class Lowering:
    """Walks operations in execution order and collects definitions.

    Args:
        order: the operations.
        feeds: what a run is given, by number.
        fetches: what it returns.
        batched_feeds: the feeds of which a run takes rows, with their dtype.

    Attributes:
        definitions: in order.
        value_of: the value of every tensor.
        checked: what runs check, by number.
    """

    def __init__(
        self,
        order: Sequence[Operation],
        feeds: Sequence[Tensor],
        fetches: Sequence[Tensor],
        batched_feeds: Mapping[int, DType],
    ) -> None:
        self.definitions: list[Definition] = []
        self.value_of: dict[Tensor, Value] = {}
        self.checked: list[Checked] = []
        self._order = order
        self._feeds = {tensor: n for n, tensor in enumerate(feeds)}
        self._fetches = fetches
        self._batched_feeds = batched_feeds
        self._position = {op: n for n, op in enumerate(order)}
        self._made_by: dict[Value, Definition] = {}
        self._readers: dict[Value, set[Definition]] = {}
        self._variables: dict[str, Value] = {}
        self._waits: dict[Operation, set[Definition]] = {}
        self._checks: dict[tuple[Value, int], Definition] = {}
        self._last_use = self._find_last_uses()
        self._writes = self._find_writes()
        for op in order:
            self._waits[op] = self._control_waits(op)
            execute(op, self)
        for number, tensor in enumerate(fetches):
            self._fetch(number, self.value_of[tensor])

    def _find_last_uses(self) -> dict[Tensor, int]:
        """For each tensor, the place of the last op that reads it, also through aliases."""
        last = dict.fromkeys(self._fetches, len(self._order))
        for op in reversed(self._order):
            through = max((last.get(out, -1) for out in op.outputs), default=-1)
            place = max(self._position[op], -1 if op.record.effects.writes else through)
            for tensor in op.inputs:
                last[tensor] = max(last.get(tensor, -1), place)
        return last

    def _find_writes(self) -> dict[str, list[int]]:
        writes: dict[str, list[int]] = {}
        for place, op in enumerate(self._order):
            for number in op.record.effects.writes:
                writes.setdefault(variable_name(op.inputs[number]), []).append(place)
        return writes

    def _control_waits(self, op: Operation) -> set[Definition]:
        """Definitions that the op's control inputs stand for."""
        waits: set[Definition] = set()
        for before in op.control_inputs:
            made = [self._definition_of(t) for t in before.outputs]
            if before.record.effects.writes:  # it stays whatever happens, and waits itself
                waits.update(d for d in made if d)
                continue
            inputs = [self._definition_of(t) for t in before.inputs]
            waits |= {d for d in (*made, *inputs) if d} | self._waits.get(before, set())
        return waits

    def _definition_of(self, tensor: Tensor) -> Definition | None:
        value = self.value_of.get(tensor)
        return self._made_by.get(value.root) if value else None

    def constant(self, op: Operation) -> None:
        """A constant is memory of its own, unless one number fills it, which code can contain."""
        (tensor,) = op.outputs
        record = constant_of(tensor)
        if record is None or record.is_uniform:
            self.compute(op)
        else:
            self._external(tensor, values.ConstantMemory(record.array, record.planned))

    def run_counter(self, op: Operation) -> None:
        """The number of the run is given to the program."""
        self._external(op.outputs[0], values.Counter())

    def feed(self, op: Operation) -> None:
        """A feed is the caller's memory, or the rows of it that a step takes."""
        (tensor,) = op.outputs
        number = self._feeds[tensor]
        if number not in self._batched_feeds:
            self._external(tensor, values.FeedMemory(number))
            return
        # x[i, ...] = source[rows[i], ...]: how many rows the source has makes no difference.
        shape = known(tensor.static_shape)
        source = Value(
            f"{op.name} rows", shape, self._batched_feeds[number], values.FeedMemory(number)
        )
        numbers = (2 * shape[0],)  # of this step's rows, and of the next one's
        rows = Value("row numbers", numbers, dtypes.int64, values.RowNumbers())
        index = axes(*shape)
        row = Read(rows, (affine(index[0]),), rows.dtype)
        body = Read(source, (affine(row), *map(affine, index[1:])), source.dtype)
        self._define(op, tensor, Formula.make(index, cast(body, tensor.dtype)))

    def _external(self, tensor: Tensor, storage: values.Storage) -> Value:
        value = Value(tensor.op.name, known(tensor.static_shape), tensor.dtype, storage)
        self.value_of[tensor] = value
        return value

    def resource(self, op: Operation) -> None:
        """Only reads and writes of a handle need what it stands for."""

    def read(self, op: Operation) -> None:
        """A read is the variable's memory, or a copy if that is overwritten while still needed."""
        current = self._current(_handle(op))
        if self._is_overwritten(op):
            self._copy(op, current)
        else:
            self.value_of[op.outputs[0]] = current

    def _is_overwritten(self, op: Operation) -> bool:
        """Whether the variable that `op` reads or writes is written while the value is needed."""
        place, last = self._position[op], self._last_use.get(op.outputs[0], -1)
        writes = self._writes.get(variable_name(_handle(op)), ())
        later = bisect_right(writes, place)
        return later < len(writes) and writes[later] < last

    def _copy(self, op: Operation, value: Value) -> None:
        """Let the operation's output be a copy of a value."""
        index = axes(*value.shape)
        body = Read(value, tuple(map(affine, index)), value.dtype)
        self._define(op, op.outputs[0], Formula.make(index, body))

    def _current(self, handle: Tensor) -> Value:
        """The variable's present contents."""
        name = variable_name(handle)
        if name not in self._variables:
            shape = known(handle.static_shape)
            self._variables[name] = Value(name, shape, handle.dtype, values.VariableMemory(name))
        return self._variables[name]

    def write(self, op: Operation) -> None:
        """A write puts the new contents in the variable's memory once the old have been read."""
        handle = _handle(op)
        before = self._current(handle)
        made = self._define(op, op.outputs[0], self._new_contents(op, before))
        made.value.storage = before.storage
        self._variables[variable_name(handle)] = made.value
        # The old contents must have been read by then; a later write also waits for this one.
        made.after |= self._readers.get(before, set()) - {made}
        if before in self._made_by:
            made.after.add(self._made_by[before])
        # A run that fails leaves the variables as they were.
        made.after.update(self._checks.values())
        if self._is_overwritten(op):
            self._copy(op, made.value)

    def _new_contents(self, op: Operation, before: Value) -> Formula:
        """What an operation writes to a variable: some elements in place, or a copy of them all."""
        handle = _handle(op)
        inputs = [before if t is handle else self.value_of[t] for t in op.inputs]
        (lowered,) = self._lowered(op, inputs)
        if isinstance(lowered, Formula) and lowered.replaces:
            pairs = zip(op.inputs, inputs, strict=True)
            return bind(lowered, [v if t is handle else self._apart(op, v) for t, v in pairs])
        if isinstance(lowered, Alias):
            value = inputs[lowered.operand]
        else:
            value = self._add(op, _result(op.outputs[0]), self._bound(op, lowered, inputs)).value
        index = axes(*before.shape)
        return Formula.make(index, read(value, index))

    def _apart(self, op: Operation, value: Value) -> Value:
        """The value in memory that a write to the operation's variable leaves alone."""
        if value.root.storage != self._current(_handle(op)).storage:
            return value
        index = axes(*value.shape)
        copy = Value(f"copy of {value.name}", value.shape, value.dtype)
        return self._add(op, copy, Formula.make(index, read(value, index))).value

    def compute(self, op: Operation) -> None:
        """A computed tensor has a definition for each output, or is another name of an input."""
        inputs = [self.value_of[tensor] for tensor in op.inputs if tensor in self.value_of]
        if len(inputs) != len(op.inputs):
            raise AssertionError(f"{op!r} reads a variable's handle")
        for tensor, formula in zip(op.outputs, self._lowered(op, inputs), strict=True):
            if isinstance(formula, Alias):
                self._alias(tensor, inputs[formula.operand])
            else:
                self._define(op, tensor, self._bound(op, formula, inputs))

    def _bound(self, op: Operation, lowered: Formula | Steps, inputs: Sequence[Value]) -> Formula:
        """A formula over values, once the arrays that it needs besides are defined."""
        if isinstance(lowered, Formula):
            return bind(lowered, inputs)
        operands = list(inputs)
        for formula, dtype in lowered.before:
            value = Value(f"{op.name} step {len(operands)}", formula.shape, dtype)
            operands.append(self._add(op, value, bind(formula, operands)).value)
        return bind(lowered.last, operands)

    def _lowered(self, op: Operation, inputs: Sequence[Value]) -> tuple[Lowered, ...]:
        """The formula of each output, which waits for the checks of the inputs."""
        operands = [Operand(n, v.shape, v.dtype) for n, v in enumerate(inputs)]
        for check in op.record.checks(*operands):
            self._waits[op].add(self._check(op, check, inputs[check.operand]))
        lowered = op.record.lower(*operands)
        return lowered if isinstance(lowered, tuple) else (lowered,)

    def _check(self, op: Operation, check: Check, value: Value) -> Definition:
        """The definition that decides about a check, shared by all that need the same."""
        key = value.root, check.limit
        if key not in self._checks:
            checked = Checked(FailedOp.of(op), check, value)
            made = define_check(checked, len(self.checked), self._position[op])
            self.definitions += made
            self.checked.append(checked)
            self._checks[key] = made[-1]
        return self._checks[key]

    def _alias(self, tensor: Tensor, source: Value) -> None:
        shape = known(tensor.static_shape)
        if shape == source.shape:
            self.value_of[tensor] = source
        else:
            self.value_of[tensor] = Value(tensor.op.name, shape, source.dtype, base=source)

    def _fetch(self, number: int, value: Value) -> None:
        """Let the fetched value be computed in the caller's memory, or copy it there."""
        root, target = value.root, values.FetchMemory(number)
        if root.storage is None:
            root.storage = target
            return
        index = axes(*value.shape)
        copy = Value(f"fetch of {value.name}", value.shape, value.dtype, target)
        stores = tuple(map(affine, index))
        order = len(self._order) + number
        made = Definition(copy, index, read(value, index), stores, order, ("fetch",))
        if root in self._made_by:
            made.after.add(self._made_by[root])
        self.definitions.append(made)

    def _define(self, op: Operation, tensor: Tensor, formula: Formula) -> Definition:
        """The definition of a tensor."""
        made = self._add(op, _result(tensor), formula)
        self.value_of[tensor] = made.value
        return made

    def _add(self, op: Operation, value: Value, formula: Formula) -> Definition:
        """The definition of a value that an operation computes."""
        made = Definition(
            value,
            formula.axes,
            formula.body,
            formula.store,
            self._position[op],
            (op.name,),
            set(self._waits[op]),
            replaces=formula.replaces,
        )
        self.definitions.append(made)
        for source in {r.source.root for r in made.reads()}:
            self._readers.setdefault(source, set()).add(made)
        self._made_by[value] = made
        return made


def _result(tensor: Tensor) -> Value:
    """An array for a tensor."""
    return Value(tensor.op.name, known(tensor.static_shape), tensor.dtype)


def _handle(op: Operation) -> Tensor:
    """The one variable that a read or a write is about."""
    (number,) = op.record.effects.handles
    return op.inputs[number]


def variable_name(handle: Tensor) -> str:
    """The key of a variable in the session's store."""
    return handle.op.name


def bind(formula: Formula, inputs: Sequence[Value]) -> Formula:
    """The formula with its operands' numbers replaced by values.

    Axes of extent 1 that are not an index of the output by themselves (the phases of a stride of 1,
    say) are dropped, so that the store is seen to be in place where it is.
    """
    indices = {at.terms[0][0] for at in formula.store if len(at.terms) == 1}
    gone = {a: affine(0) for a in formula.axes if _is_one(a.extent) and a not in indices}
    rewrite = Rewrite(axes=gone, read=lambda r: read(inputs[r.source], r.index))
    axes = tuple(a for a in formula.axes if a not in gone)
    body, store = rewrite(formula.body), tuple(map(rewrite.index, formula.store))
    return replace(formula, axes=axes, body=body, store=store)


def read(value: Value, index: Sequence[object]) -> Expr:
    """A read of a value; through a reshape that only adds or drops extents of 1, of its base."""
    at: tuple[Affine, ...] = tuple(affine(i) for i in index)  # type: ignore[arg-type]
    while value.base is not None and _squeezed(value) == _squeezed(value.base):
        kept = iter([i for i, extent in zip(at, value.shape, strict=True) if not _is_one(extent)])
        at = tuple(affine(0) if _is_one(extent) else next(kept) for extent in value.base.shape)
        value = value.base
    return Read(value, at, value.dtype)


def _is_one(extent: int) -> bool:
    return type(extent) is int and extent == 1


def _squeezed(value: Value) -> list[int]:
    return [extent for extent in value.shape if not _is_one(extent)]


def flat(read: Read) -> Affine:
    """The read's place in memory, in elements."""
    return flat_index(read.index, read.source.shape, read.source.panel)


def flat_index(index: Sequence[Affine], shape: Sequence[int], panel: int = 0) -> Affine:
    """A multi-dimensional index as an offset, row-major but for panels."""
    if not panel:
        return combination(zip(index, strides(shape), strict=True))
    rows = flat_index(index[:-1], shape[:-1])
    blocks = [(atom, f // panel) for atom, f in index[-1].terms if f % panel == 0]
    inside = [(atom, f) for atom, f in index[-1].terms if f % panel]
    column = combination(inside)
    return combination(blocks) * (size(shape[:-1]) * panel) + rows * panel + column
