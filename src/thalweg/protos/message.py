"""Messages: what protocol buffers' generated classes are, without protocol buffers.

A class lists its fields with their numbers; a message is used as TensorFlow 1 code uses one:

    class Value(Message):
        tag: str = text(1)
        simple_value: float = float32(2, oneof="value")

    value = Value(tag="loss", simple_value=0.5)
    Value.FromString(value.SerializeToString()) == value

Fields that a class does not list are skipped as they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from thalweg.base.errors import DataLossError, InvalidArgumentError
from thalweg.protos import kinds, wire
from thalweg.protos.kinds import Kind
from thalweg.protos.wire import BYTES, Value, delimited, tag

__all__ = [
    "Message",
    "Repeated",
    "boolean",
    "double",
    "doubles",
    "fixed32",
    "float32",
    "floats",
    "int32",
    "int64",
    "integers",
    "mapping",
    "message",
    "messages",
    "raw",
    "raws",
    "text",
    "texts",
    "uint32",
]

M = TypeVar("M", bound="Message")
DEEPEST = 100  # messages in each other, as protocol buffers have it


class Field:
    """One field of a class of messages.

    Attributes:
        number: on the wire.
        kind: of its value, None for a message.
        message: the class of the message, or what returns it if it is defined later.
        repeated: whether it holds any number of values.
        is_map: whether it holds values by name.
        oneof: the group of fields of which one is set at a time.
    """

    def __init__(
        self,
        number: int,
        kind: Kind | None = None,
        message: Any = None,
        repeated: bool = False,
        is_map: bool = False,
        oneof: str = "",
    ) -> None:
        self.number, self.kind, self.repeated = number, kind, repeated
        self.is_map, self.oneof, self._message = is_map, oneof, message
        self.name = ""

    @property
    def message(self) -> type[Message]:
        """The class of the messages that it holds."""
        if not isinstance(self._message, type):
            self._message = self._message()
        made: type[Message] = self._message
        return made

    def empty(self) -> Any:
        """The value where none is set."""
        if self.is_map:
            return Map(self.message)
        if self.repeated:
            return [] if self.kind else Repeated(self.message)
        return self.kind.default if self.kind else self.message()

    def check(self, value: Any) -> Any:
        """A value that a user gives, as the message keeps it."""
        if self.is_map:
            return Map(self.message, value)
        if self.repeated:
            items = [self._check(item) for item in value]
            return items if self.kind else Repeated(self.message, items)
        return self._check(value)

    def _check(self, value: Any) -> Any:
        if self.kind is not None:
            return self.kind.check(value)
        if not isinstance(value, self.message):
            raise TypeError(f"{value!r} is not a {self.message.__qualname__}")
        return value

    def encode(self, value: Any) -> Iterator[bytes]:
        """The parts of the wire format."""
        if self.is_map:
            for key, item in value.items():
                entry = delimited(1, key.encode()) + delimited(2, item.SerializeToString())
                yield delimited(self.number, entry)
        elif self.kind is None:
            for item in value if self.repeated else [value]:
                yield delimited(self.number, item.SerializeToString())
        elif self.repeated and self.kind.packs:
            if value:
                packed = b"".join([self.kind.encode(self.kind.check(item)) for item in value])
                yield delimited(self.number, packed)
        else:
            head = tag(self.number, self.kind.wire)
            for item in value if self.repeated else [value]:
                yield head
                yield self.kind.encode(item)

    def decode(self, message: Message, kind: int, found: Value, depth: int) -> None:
        """Take over a value that was read."""
        if self.kind is not None and self.repeated and self.kind.packs and kind == BYTES:
            assert isinstance(found, memoryview)
            getattr(message, self.name).extend(self.kind.unpack(found))
            return
        if kind != (BYTES if self.kind is None else self.kind.wire):
            raise DataLossError(f"field {self.name!r} has the wire type {kind}")
        if self.kind is not None:
            value = self.kind.decode(found)
            if self.repeated:
                getattr(message, self.name).append(value)
            else:
                message._put(self, value)
            return
        assert isinstance(found, memoryview)
        self._decode_message(message, found, depth)

    def _decode_message(self, message: Message, data: memoryview, depth: int) -> None:
        if self.is_map:
            key, value = _entry(data)
            getattr(message, self.name)[key]._decode(value, depth + 1)
        elif self.repeated:
            getattr(message, self.name).add()._decode(data, depth + 1)
        else:
            inner = getattr(message, self.name)
            message._put(self, inner)
            inner._decode(data, depth + 1)


def _entry(data: memoryview) -> tuple[str, memoryview]:
    """The key of a map's entry, and the bytes of the message that it stands for."""
    key, value = "", memoryview(b"")
    for number, kind, found in wire.fields(data):
        if number in (1, 2):
            if kind != BYTES:
                raise DataLossError(f"an entry of a map has the wire type {kind}")
            assert isinstance(found, memoryview)
            key, value = (kinds.TEXT.decode(found), value) if number == 1 else (key, found)
    return key, value


def _scalar(kind: Kind) -> Callable[..., Any]:
    return lambda number, *, oneof="": Field(number, kind, oneof=oneof)


def _list(kind: Kind) -> Callable[[int], Any]:
    return lambda number: Field(number, kind, repeated=True)


int32, int64, uint32 = _scalar(kinds.INT32), _scalar(kinds.INT64), _scalar(kinds.UINT32)
boolean, fixed32 = _scalar(kinds.BOOL), _scalar(kinds.FIXED_UINT32)
float32, double = _scalar(kinds.FLOAT), _scalar(kinds.DOUBLE)
text, raw = _scalar(kinds.TEXT), _scalar(kinds.BLOB)
integers, floats, doubles = _list(kinds.INT64), _list(kinds.FLOAT), _list(kinds.DOUBLE)
texts, raws = _list(kinds.TEXT), _list(kinds.BLOB)


def message(number: int, cls: Any, *, oneof: str = "") -> Any:
    """A field that holds a message; `cls` may be a function, for a class that is defined later."""
    return Field(number, message=cls, oneof=oneof)


def messages(number: int, cls: Any) -> Any:
    """A field that holds any number of messages."""
    return Field(number, message=cls, repeated=True)


def mapping(number: int, cls: Any) -> Any:
    """A field that holds messages by name."""
    return Field(number, message=cls, is_map=True)


class Message:
    """A message, with the methods of protocol buffers that TensorFlow 1 code uses.

    A field that is not set reads as zero, as an empty text, list or message. Two messages are equal
    if they are of one class and have the same fields set.

    Raises:
        InvalidArgumentError: if there is no such field, or a value is not of its kind.
    """

    _fields: ClassVar[Mapping[str, Field]] = {}
    _numbers: ClassVar[Mapping[int, Field]] = {}

    def __init_subclass__(cls) -> None:
        """Collect the fields, which read as their values in messages and not at all in the class.

        A class that inherits from another of messages has all of its fields.
        """
        own = {name: item for name, item in vars(cls).items() if isinstance(item, Field)}
        for name, item in own.items():
            item.name = name
            delattr(cls, name)
        cls._fields = {**cls._fields, **own}
        cls._numbers = {item.number: item for item in cls._fields.values()}

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            if value is not None:
                setattr(self, name, value)

    # -- fields

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """The names of all fields."""
        return tuple(cls._fields)

    def __getattr__(self, name: str) -> Any:
        found = self._fields.get(name)
        if found is None:
            raise AttributeError(f"{type(self).__qualname__} has no field {name!r}")
        empty = found.empty()
        if found.repeated or found.is_map or found.kind is None:
            vars(self)[name] = empty
        return empty

    def __setattr__(self, name: str, value: Any) -> None:
        found = self._field(name)
        try:
            kept = found.check(value)
        except (TypeError, ValueError) as error:
            where = f"{type(self).__qualname__}.{name}"
            raise InvalidArgumentError(f"{where}: {error}") from None
        self._put(found, kept)

    def _put(self, found: Field, value: Any) -> None:
        """Set a field, in the place of the others of its group."""
        if found.oneof:
            for other in self._fields.values():
                if other.oneof == found.oneof:
                    vars(self).pop(other.name, None)
        if isinstance(value, Message):
            vars(value)[""] = True  # it counts as set, though all of its fields may be empty
        vars(self)[found.name] = value

    def _field(self, name: str) -> Field:
        if name not in self._fields:
            known = ", ".join(self._fields)
            raise InvalidArgumentError(
                f"{type(self).__qualname__} has no field {name!r}; it has {known}"
            )
        return self._fields[name]

    def _is_set(self, found: Field) -> bool:
        value = vars(self).get(found.name)
        if isinstance(value, Message):
            return "" in vars(value) or any(value._set_fields())
        return value is not None and (bool(found.oneof) or _is_written(found, value))

    def _set_fields(self) -> Iterator[Field]:
        """The fields that are set, by number."""
        return (self._fields[name] for name in self._order() if self._is_set(self._fields[name]))

    def _order(self) -> list[str]:
        names = [name for name in vars(self) if name]
        return sorted(names, key=lambda name: self._fields[name].number)

    def HasField(self, field_name: str) -> bool:  # noqa: N802
        """Whether a field is set; one that is not in a group counts as set unless it is zero."""
        return self._is_set(self._field(field_name))

    def WhichOneof(self, oneof_group: str) -> str | None:  # noqa: N802
        """The name of the field of a group that is set, if one is."""
        found = (item.name for item in self._set_fields() if item.oneof == oneof_group)
        return next(found, None)

    def ListFields(self) -> list[tuple[str, Any]]:  # noqa: N802
        """The names and values of the fields that are set, by number."""
        return [(item.name, getattr(self, item.name)) for item in self._set_fields()]

    def ClearField(self, field_name: str) -> None:  # noqa: N802
        """Let a field be as it is in a new message."""
        vars(self).pop(self._field(field_name).name, None)

    def Clear(self) -> None:  # noqa: N802
        """Let all fields be as they are in a new message."""
        vars(self).clear()

    # -- bytes

    def SerializeToString(self) -> bytes:  # noqa: N802
        """The message in the wire format."""
        parts: list[bytes] = []
        for item in self._set_fields():
            parts += item.encode(vars(self)[item.name])
        return b"".join(parts)

    def ByteSize(self) -> int:  # noqa: N802
        """The length of the wire format, in bytes."""
        return len(self.SerializeToString())

    @classmethod
    def FromString(cls: type[M], serialized: bytes) -> M:  # noqa: N802
        """The message that bytes stand for.

        Raises:
            DataLossError: if they are no such message.
        """
        made = cls()
        made._decode(memoryview(serialized).cast("B"), 0)
        return made

    def ParseFromString(self, serialized: bytes) -> int:  # noqa: N802
        """Become the message that bytes stand for; returns how many bytes there are."""
        self.Clear()
        return self.MergeFromString(serialized)

    def MergeFromString(self, serialized: bytes) -> int:  # noqa: N802
        """Set the fields that bytes have, and append to lists; returns how many bytes there are."""
        self._decode(memoryview(serialized).cast("B"), 0)
        return len(serialized)

    def _decode(self, data: memoryview, depth: int) -> None:
        if depth > DEEPEST:
            raise DataLossError(f"messages lie in each other more than {DEEPEST} deep")
        for number, kind, value in wire.fields(data):
            if (found := self._numbers.get(number)) is not None:
                found.decode(self, kind, value, depth)

    def CopyFrom(self, other: Message) -> None:  # noqa: N802
        """Become a copy of another message of the class."""
        if other is not self:
            self.Clear()
            self.MergeFrom(other)

    def MergeFrom(self, other: Message) -> None:  # noqa: N802
        """Set the fields that another message of the class has, and append to lists."""
        if type(other) is not type(self):
            raise InvalidArgumentError(f"{other!r} is not a {type(self).__qualname__}")
        self.MergeFromString(other.SerializeToString())

    # -- Python

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return type(self) is type(other) and self.ListFields() == other.ListFields()

    __hash__ = None  # type: ignore[assignment]  # it may change

    def __deepcopy__(self: M, memo: Any) -> M:
        return self.FromString(self.SerializeToString())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).FromString, (self.SerializeToString(),)

    def __str__(self) -> str:
        """The text format."""
        return "".join(f"{line}\n" for line in _lines(self))

    __repr__ = __str__


def _is_written(found: Field, value: Any) -> bool:
    """Whether a value outside of a group is written: zero is what a reader assumes anyway."""
    if found.repeated or found.is_map or found.kind is None:
        return bool(value)
    return bool(value != found.kind.default) or str(value) == "-0.0"


def _lines(message: Message) -> Iterator[str]:
    """The text format of a message, line by line."""
    for name, value in message.ListFields():
        found = message._fields[name]
        if found.is_map:
            for key, item in value.items():
                entry = [f"key: {_literal(key)}", *_block("value", item)]
                yield from (f"{name} {{", *[f"  {line}" for line in entry], "}")
            continue
        for item in value if found.repeated else [value]:
            yield from _block(name, item) if found.kind is None else [f"{name}: {_literal(item)}"]


def _block(name: str, message: Message) -> Iterator[str]:
    """The text format of a message in another one."""
    yield f"{name} {{"
    yield from (f"  {line}" for line in _lines(message))
    yield "}"


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value.translate(_ESCAPES)}"'
    if isinstance(value, bytes):
        text = "".join(chr(n) if n < 127 else f"\\{n:03o}" for n in value)
        return f'"{text.translate(_ESCAPES)}"'
    return f"{value:.9g}" if isinstance(value, float) else str(value)


_ESCAPES: dict[int, str] = {n: f"\\{n:03o}" for n in (*range(32), 127)}
_ESCAPES |= {ord(c): f"\\{c}" for c in "'\""}
_ESCAPES |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


class Repeated(list[M]):
    """The messages of a repeated field."""

    def __init__(self, cls: type[M], items: Iterable[M] = ()) -> None:
        super().__init__(items)
        self._cls = cls

    def add(self, **values: Any) -> M:
        """Append a new message with these fields, and return it."""
        made = self._cls(**values)
        self.append(made)
        return made


class Map(dict[str, M]):
    """The messages of a map: one that is not there is made when it is asked for."""

    def __init__(self, cls: type[M], items: Mapping[str, M] | None = None) -> None:
        super().__init__(items or {})
        self._cls = cls

    def __missing__(self, key: str) -> M:
        made = self[key] = self._cls()
        return made
