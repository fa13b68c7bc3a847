"""The fields of records as plain data, and back: what may stand in one is what its annotation says.

No record has code of its own for this. A field may hold numbers, strings, dtypes, shapes, members
of enumerations, arrays, bodies, other records of operations, and tuples of all these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeAlias, Union, get_args, get_origin

import numpy as np

from thalweg.base.annotations import field_kind
from thalweg.base.dtypes import NAMES, DType, as_dtype
from thalweg.base.errors import GraphError
from thalweg.graph import Body, Op
from thalweg.graph.op import Attribute
from thalweg.saving.plain import Plain

BodyToPlain: TypeAlias = Callable[[Body], Plain]
PlainToBody: TypeAlias = Callable[[Plain], Body]

_MISSING = object()
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class FieldError(GraphError):
    """A field of a record holds what cannot be saved, or what it must not hold."""


# -- to plain data


def fields_to_plain(record: Op, body: BodyToPlain) -> dict[str, Plain]:
    """The fields that differ from their defaults.

    Args:
        record: of an operation.
        body: makes plain data of the bodies in it.

    Raises:
        FieldError: if it holds something that is not data, such as a function.
    """
    found = {}
    for name in record.fields:
        value, default = getattr(record, name), getattr(type(record), name, _MISSING)
        if value is not default and not _equal(value, default):
            if name in record.plan_only:
                raise FieldError(f"{name} belongs to plans, which are not saved")
            found[name] = _to_plain(name, value, body)
    return found


def _equal(a: object, b: object) -> bool:
    return type(a) is type(b) and bool(a == b)


def _to_plain(name: str, value: Any, body: BodyToPlain) -> Plain:
    match value:
        case None | bool() | str():
            return value
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return float(value) if math.isfinite(value) else str(float(value))
        case DType() | Enum():
            return value.name
        case tuple():
            return [_to_plain(name, item, body) for item in value]
        case Attribute():
            return value.array
        case Body():
            return body(value)
        case Op():
            return {"op": value.type, "attr": fields_to_plain(value, body)}
    raise FieldError(f"{name} is a {type(value).__name__}, which is not data")


# -- from plain data


def record_of(type_name: object, fields: object, body: PlainToBody) -> Op:
    """The record of a type's name and of plain data for its fields.

    Args:
        type_name: looked up in the catalogue of operations, and nowhere else.
        fields: a dict; those that are missing have their defaults.
        body: makes the bodies in it.

    Raises:
        FieldError: if there is no such operation, or a field is missing, unknown, or does not hold
            what its annotation says.
    """
    from thalweg.ops.catalogue import BY_TYPE  # which imports all modules of operations

    cls = BY_TYPE.get(type_name) if isinstance(type_name, str) else None
    if cls is None:
        raise FieldError(f"there is no operation of the type {type_name!r}")
    if not isinstance(fields, Mapping):
        raise FieldError("the attributes are no object")
    if unknown := fields.keys() - (set(cls.fields) - set(cls.plan_only)):
        raise FieldError(f"it has no attribute {min(unknown, key=str)!r}")
    if missing := [f for f in cls.fields if f not in fields and not hasattr(cls, f)]:
        raise FieldError(f"the attribute {missing[0]!r} is missing")
    return cls(**{name: _field(cls, name, value, body) for name, value in fields.items()})


def _field(cls: type[Op], name: str, value: Plain, body: PlainToBody) -> Any:
    kind = field_kind(cls, name)
    try:
        return _read(kind, value, body)
    except _Mismatch:
        said = getattr(kind, "__name__", str(kind)) if isinstance(kind, type) else kind
        raise FieldError(f"the attribute {name!r} must be {said}, not {_short(value)}") from None


class _Mismatch(Exception):  # noqa: N818  no error: the next kind of a union may fit
    """A value is not of a kind."""


def _read(kind: Any, value: Plain, body: PlainToBody) -> Any:
    """The value of a field, of the kind that its annotation says."""
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _read_union(of, value, body)
    if origin is tuple:
        return _read_tuple(of, value, body)
    if isinstance(kind, type):
        for base, read in _READERS:
            if issubclass(kind, base):
                return read(kind, value, body)
    raise _Mismatch


def _read_union(kinds: tuple[Any, ...], value: Plain, body: PlainToBody) -> Any:
    for kind in kinds:
        try:
            return _read(kind, value, body)
        except _Mismatch:
            continue
    raise _Mismatch


def _read_tuple(kinds: tuple[Any, ...], value: Plain, body: PlainToBody) -> tuple[Any, ...]:
    _require(isinstance(value, list))
    if kinds[-1:] == (...,):
        kinds = (kinds[0],) * len(value)
    _require(len(kinds) == len(value))
    return tuple([_read(kind, item, body) for kind, item in zip(kinds, value, strict=True)])


def _require(condition: bool) -> None:
    if not condition:
        raise _Mismatch


def _plain_type(kind: Any, value: Plain, body: PlainToBody) -> Any:
    _require(type(value) is kind)
    return value


def _int(kind: Any, value: Plain, body: PlainToBody) -> int:
    _require(type(value) is int and -(2**63) <= value < 2**63)
    return int(value)


def _float(kind: Any, value: Plain, body: PlainToBody) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    return value if type(value) is float else _int(kind, value, body)


def _dtype(kind: Any, value: Plain, body: PlainToBody) -> DType:
    _require(isinstance(value, str) and value in NAMES)
    return as_dtype(value)


def _enum(kind: Any, value: Plain, body: PlainToBody) -> Any:
    _require(isinstance(value, str) and value in kind.__members__)
    return kind[value]


def _attribute(kind: Any, value: Plain, body: PlainToBody) -> Attribute:
    _require(isinstance(value, np.ndarray))
    return Attribute(value)


def _body(kind: Any, value: Plain, body: PlainToBody) -> Body:
    _require(isinstance(value, dict))
    return body(value)


def _record(kind: Any, value: Plain, body: PlainToBody) -> Op:
    _require(isinstance(value, dict) and value.keys() == {"op", "attr"})
    made = record_of(value["op"], value["attr"], body)
    _require(isinstance(made, kind))
    return made


# bool is an int as well, so it comes before.
_READERS: tuple[tuple[type, Callable[[Any, Plain, PlainToBody], Any]], ...] = (
    (bool, _plain_type),
    (int, _int),
    (float, _float),
    (str, _plain_type),
    (NoneType, _plain_type),
    (DType, _dtype),
    (Enum, _enum),
    (Attribute, _attribute),
    (Body, _body),
    (Op, _record),
)


def _short(value: Plain) -> str:
    """A value as an error shows it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
