"""A text for what a run computes: equal texts stand for equal plans, in any process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np

from thalweg.base.dtypes import DType
from thalweg.base.record import Record
from thalweg.base.shapes import Shape
from thalweg.graph import Op, Operation, Tensor
from thalweg.graph.op import Attribute

MOST_BYTES = 1 << 20  # of constants: to read more of them takes longer than it is worth


class _UnknownError(Exception):
    """There is something that has no text."""


def signature(
    ops: Sequence[Operation],
    fetches: Sequence[Tensor],
    targets: Sequence[Operation],
    feeds: Mapping[Tensor, tuple[int, object]],
    values: Mapping[Tensor, np.ndarray[Any, Any]],
) -> str | None:
    """What a run computes, but for the extents that the graph leaves open, and for seeds.

    Args:
        ops: what it needs, in graph order.
        fetches: as for `specialise`.
        targets: as for `specialise`.
        feeds: the tensors that are fed, with their rank and what else matters of the feed.
        values: of those that decide about shapes.

    Returns:
        None if there is no such text, or if it would take long to make.
    """
    constants = (getattr(op.record, "value", None) for op in ops)
    if sum(c.array.nbytes for c in constants if isinstance(c, Attribute)) > MOST_BYTES:
        return None
    place = {op: n for n, op in enumerate(ops)}
    fed = {tensor: f"fed {n}" for n, tensor in enumerate(feeds)}

    def name(tensor: Tensor) -> str:
        return fed.get(tensor) or f"{place[tensor.op]}:{tensor.op.outputs.index(tensor)}"

    def lines() -> Iterator[str]:
        for tensor, how in feeds.items():
            yield f"{tensor.op.name} {_spec(tensor)} {how} {_text(values.get(tensor))}"
        for op in ops:
            inputs = ",".join(map(name, op.inputs))
            after = ",".join(str(place[before]) for before in op.control_inputs if before in place)
            checked = op.source if type(op.record).checks is not Op.checks else ""
            yield f"{op.name} {_record(op.record)} {inputs} {after} {checked}"
        yield ",".join(map(name, fetches))
        yield ",".join(str(place[op]) for op in targets)

    try:
        return "\n".join(lines())
    except _UnknownError:
        return None


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
        case Record():
            return _record(value)
    raise _UnknownError
