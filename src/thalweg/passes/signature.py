"""A text for what a run computes: equal texts stand for equal plans, in any process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum

import numpy as np

from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.base.shapes import Shape
from thalweg.graph import Body, Op, Operation, Tensor
from thalweg.graph.op import Attribute

MOST_BYTES = 1 << 20  # of constants: to read more of them takes longer than it is worth


class _UnknownError(Exception):
    """There is something that has no text."""


def signature(
    ops: Sequence[Operation],
    fetches: Sequence[Tensor],
    targets: Sequence[Operation],
    feeds: Mapping[Tensor, object],
) -> str | None:
    """What a run computes, but for all that the trace of its plan is given.

    Args:
        ops: what it needs, in graph order.
        fetches: as for `specialise`.
        targets: as for `specialise`.
        feeds: the tensors that are fed, with their rank and what else matters of the feed; it is
            shown as its `repr`.

    Returns:
        None if there is no such text, or if it would take long to make.
    """
    constants = (getattr(op.record, "value", None) for op in with_inner(ops))
    if sum(c.array.nbytes for c in constants if isinstance(c, Attribute)) > MOST_BYTES:
        return None
    fed = {tensor: f"fed {n}" for n, tensor in enumerate(feeds)}
    places = _Places(ops, fed)

    def lines() -> Iterator[str]:
        for tensor, how in feeds.items():
            yield f"{tensor.op.name} {_spec(tensor)} {how}"
        yield from map(places.line, ops)
        yield ",".join(map(places.name, fetches))
        yield ",".join(map(places.number, targets))

    try:
        return "\n".join(lines())
    except _UnknownError:
        return None


def with_inner(ops: Iterable[Operation]) -> Iterator[Operation]:
    """The operations, and those in their bodies."""
    for op in ops:
        yield op
        for body in op.record.bodies:
            yield from with_inner(body.operations)


class _Places:
    """Texts of operations of a graph, which name others by their places.

    Args:
        ops: in order.
        fed: the names of tensors that come from outside.
    """

    def __init__(self, ops: Sequence[Operation], fed: Mapping[Tensor, str]) -> None:
        self._place = {op: n for n, op in enumerate(ops)}
        self._fed = fed

    def name(self, tensor: Tensor) -> str:
        """A tensor."""
        known = self._fed.get(tensor)
        return known or f"{self._place[tensor.op]}:{tensor.op.outputs.index(tensor)}"

    def number(self, op: Operation) -> str:
        """An operation."""
        return str(self._place[op])

    def line(self, op: Operation) -> str:
        """What an operation computes, and of what."""
        inputs = ",".join(map(self.name, op.inputs))
        after = ",".join([self.number(one) for one in op.control_inputs if one in self._place])
        checked = op.source if type(op.record).checks is not Op.checks else ""
        return f"{op.name} {_record(op.record)} {inputs} {after} {checked}"


def _body(body: Body) -> str:
    """A body, with its inputs by their numbers."""
    places = _Places(body.operations, {tensor: f"in {n}" for n, tensor in enumerate(body.inputs)})
    inputs = ",".join(map(_spec, body.inputs))
    lines = ";".join(map(places.line, body.operations))
    return f"[{inputs}->{lines}->{','.join(map(places.name, body.outputs))}]"


def _spec(tensor: Tensor) -> str:
    shape: Shape = tensor.static_shape
    return f"{tensor.dtype.name}{shape}"


def _record(record: Record) -> str:
    left_out = "key" if isinstance(record, Op) and record.effects.draws else ""
    fields = [f"{f}={_text(getattr(record, f))}" for f in record.fields if f != left_out]
    return f"{type(record).__qualname__}({','.join(fields)})"


def _text(value: object) -> str:
    """A value as a text that no other value has.

    Raises:
        _UnknownError: if it is of a kind that is not known.
    """
    match value:
        case None | bool() | int() | float() | str():
            return repr(value)
        case DType():
            return value.name
        case Enum():
            return str(value)
        case Attribute():
            return _text(value.array)
        case np.ndarray() | np.generic():
            import hashlib  # 4 ms of an import, which needs none

            # an array of strings holds references
            data = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
            digest = hashlib.sha256(data).hexdigest()
            return f"{value.dtype}{value.shape}{digest}"
        case tuple() | list():
            return f"[{','.join(map(_text, value))}]"
        case Body():
            return _body(value)
        case Record():
            return _record(value)
    raise _UnknownError
