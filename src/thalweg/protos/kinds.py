"""The kinds of values that a field of a message holds: how each is checked, written and read."""

from __future__ import annotations

import operator
import struct
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from thalweg.base.errors import DataLossError
from thalweg.base.record import Record
from thalweg.protos.wire import BYTES, FIXED32, FIXED64, VARINT, Value, read_varint, varint


class Kind(Record):
    """A kind of value.

    Class attributes:
        wire: its wire type.
        packs: whether repeated values are written as one field.
    """

    wire: ClassVar[int]
    packs: ClassVar[bool] = True

    @property
    @abstractmethod
    def default(self) -> Any:
        """The value of a field that is not set."""

    @abstractmethod
    def check(self, value: Any) -> Any:
        """A value of the user's as the field keeps it.

        Raises:
            TypeError, ValueError: if it is none of the kind.
        """

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """The bytes after the tag."""

    @abstractmethod
    def decode(self, value: Value) -> Any:
        """What `fields` has found, as a value."""

    def unpack(self, data: memoryview) -> Iterator[Any]:
        """Repeated values that were written as one field."""
        raise AssertionError("not a kind that is packed")


class Integer(Kind):
    """A whole number, written as a varint.

    Attributes:
        bits: of the number.
        signed: whether it may be negative.
    """

    wire: ClassVar[int] = VARINT
    bits: int
    signed: bool = True

    @property
    def default(self) -> int:
        return 0

    def check(self, value: Any) -> int:
        number = operator.index(value)
        low = -(1 << self.bits - 1) if self.signed else 0
        if not low <= number < low + (1 << self.bits):
            sign = "" if self.signed else "u"
            raise ValueError(f"{number} does not fit {sign}int{self.bits}")
        return number

    def encode(self, value: Any) -> bytes:
        return varint(value)

    def decode(self, value: Value) -> int:
        assert isinstance(value, int)
        number = value & (1 << self.bits) - 1
        return number - (1 << self.bits) if self.signed and number >> self.bits - 1 else number

    def unpack(self, data: memoryview) -> Iterator[Any]:
        at = 0
        while at < len(data):
            number, at = read_varint(data, at)
            yield self.decode(number)


class Boolean(Integer):
    """True or False."""

    @property
    def default(self) -> bool:
        return False

    def check(self, value: Any) -> bool:
        return bool(super().check(value))

    def decode(self, value: Value) -> bool:
        return bool(value)


class Fixed(Kind):
    """A number in 4 or 8 bytes.

    Attributes:
        form: how `struct` calls it.
        integer: whether it is a whole number.
    """

    form: str
    integer: bool = False

    @property
    def wire(self) -> int:  # type: ignore[override]
        return FIXED32 if self._struct.size == 4 else FIXED64

    @property
    def _struct(self) -> struct.Struct:
        return _STRUCTS[self.form]

    @property
    def default(self) -> float:
        return 0 if self.integer else 0.0

    def check(self, value: Any) -> float:
        """The number as it will be read: a float32 has lost digits."""
        number = operator.index(value) if self.integer else _as_float(value)
        try:
            made: float = self._struct.unpack(self._struct.pack(number))[0]
        except OverflowError:  # beyond float32
            return float("inf") if number > 0 else float("-inf")
        except struct.error as error:
            raise ValueError(f"{number}: {error}") from None
        return made

    def encode(self, value: Any) -> bytes:
        return self._struct.pack(value)

    def decode(self, value: Value) -> Any:
        return self._struct.unpack(value)[0]  # type: ignore[arg-type]

    def unpack(self, data: memoryview) -> Iterator[Any]:
        if len(data) % self._struct.size:
            raise DataLossError(f"{len(data)} bytes are no numbers of {self._struct.size} bytes")
        return (number for (number,) in self._struct.iter_unpack(data))


_STRUCTS = {form: struct.Struct(f"<{form}") for form in "fdIQ"}


def _as_float(value: Any) -> float:
    if isinstance(value, str | bytes):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


class Bytes(Kind):
    """Bytes."""

    wire: ClassVar[int] = BYTES
    packs: ClassVar[bool] = False

    @property
    def default(self) -> Any:
        return b""

    def check(self, value: Any) -> Any:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"{value!r} is not bytes")
        return bytes(value)

    def encode(self, value: Any) -> bytes:
        return varint(len(value)) + bytes(value)

    def decode(self, value: Value) -> Any:
        assert isinstance(value, memoryview)
        return bytes(value)


class Text(Bytes):
    """A text, written in UTF-8."""

    @property
    def default(self) -> str:
        return ""

    def check(self, value: Any) -> str:
        if isinstance(value, bytes):
            return value.decode()
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is not a text")
        return value

    def encode(self, value: Any) -> bytes:
        return super().encode(value.encode())

    def decode(self, value: Value) -> str:
        try:
            return str(super().decode(value), "utf-8")
        except UnicodeDecodeError as error:
            raise DataLossError(f"a text is not UTF-8: {error}") from None


INT32, INT64, UINT32, UINT64 = (Integer(n, s) for s in (True, False) for n in (32, 64))
BOOL = Boolean(64, False)
FLOAT, DOUBLE = Fixed("f"), Fixed("d")
FIXED_UINT32, FIXED_UINT64 = Fixed("I", True), Fixed("Q", True)
TEXT, BLOB = Text(), Bytes()
