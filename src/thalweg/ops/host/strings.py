"""Strings: made of numbers and of each other, and read as numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.base import dtypes, shapes
from thalweg.base.dtypes import DType, as_dtype
from thalweg.base.errors import DTypeError, InvalidArgumentError
from thalweg.graph import ON_HOST, Effects, Op, Sample, Spec, Tensor
from thalweg.ops.build import INDEX, convert, emit, scope
from thalweg.ops.elementwise.broadcasting import broadcast_together
from thalweg.ops.samples import TABLE

Array = np.ndarray[Any, Any]
NAMES = np.array([[b"ab", b"cde"], [b"", "é".encode()]], object)
_NUMBERS = (dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64)


class StringOp(Op):
    """What operations on strings share."""

    effects: ClassVar[Effects] = ON_HOST
    takes_strings: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False


class AsString(StringOp):
    """Each number as a text.

    Attributes:
        precision: digits behind the point, of floating-point numbers; -1 for the usual six.
        scientific: whether to write an exponent.
        shortest: whether to write whatever is shorter, with an exponent or without.
        width: how many characters there are at least; any number if negative.
        fill: what comes before the number to make them up: nothing for spaces, or "0", " ", "-"
            (spaces behind it) or "+" (a sign in any case).
    """

    type: ClassVar[str] = "AsString"
    precision: int = -1
    scientific: bool = False
    shortest: bool = False
    width: int = -1
    fill: str = ""

    def infer(self, input: Spec) -> Spec:
        if input.dtype.is_string:
            raise DTypeError("takes numbers or bool, not string")
        return Spec(input.shape, dtypes.string)

    def evaluate(self, xp: Any, input: Any) -> Any:
        kind = as_dtype(input.dtype)
        return by_element(_truth if kind.is_bool else self._form(kind).__mod__, input)

    def _form(self, kind: DType) -> bytes:
        """The form as printf has it."""
        width = str(self.width) if self.width >= 0 else ""
        precision = f".{self.precision}" if self.precision >= 0 else ""
        letter = "e" if self.scientific else "g" if self.shortest else "f"
        number = "d" if kind.is_integer else f"{precision}{letter}"
        return f"%{self.fill}{width}{number}".encode()

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE,), exact=True)
        yield Sample(cls(precision=2, scientific=True), (-TABLE,), exact=True)
        yield Sample(cls(width=6, fill="0"), (np.array([-1, 20], np.int64),), exact=True)
        yield Sample(cls(), (np.array([True, False]),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (NAMES,), "takes numbers or bool, not string")


class StringJoin(StringOp):
    """The strings at each place one after the other.

    Attributes:
        separator: what comes between them.
    """

    type: ClassVar[str] = "StringJoin"
    separator: str = ""

    def infer(self, *inputs: Spec) -> Spec:
        shape = None
        for spec in inputs:
            _check_strings("inputs", spec)
            shape = shapes.merge(shape, spec.shape)
        return Spec(shape, dtypes.string)

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        separator = self.separator.encode()
        return by_element(lambda *parts: separator.join(parts), *inputs)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (NAMES,), exact=True)
        yield Sample(cls(", "), (NAMES, NAMES[::-1], NAMES), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (NAMES, TABLE), "inputs must be strings, not float32")
        yield Sample(cls(), (NAMES, NAMES[0]), "shapes [2, 2] and [2] are not compatible")


class StringToNumber(StringOp):
    """The number that each string is the text of.

    Attributes:
        out_type: its dtype.
    """

    type: ClassVar[str] = "StringToNumber"
    out_type: DType = dtypes.float32

    def infer(self, string_tensor: Spec) -> Spec:
        _check_strings("string_tensor", string_tensor)
        if self.out_type not in _NUMBERS:
            raise DTypeError(f"out_type must be one of {', '.join(map(str, _NUMBERS))}")
        return Spec(string_tensor.shape, self.out_type)

    def evaluate(self, xp: Any, string_tensor: Any) -> Any:
        return xp.asarray(by_element(self._read, string_tensor), self.out_type.numpy)

    def _read(self, text: bytes) -> float:
        number = int if self.out_type.is_integer else float
        with contextlib.suppress(ValueError):
            if b"_" not in text:  # which Python takes for a mark between digits
                return number(text)
        raise ValueError(f"{text.decode(errors='replace')!r} is not the text of a number")

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        text = np.array([b"1.5", b" -2e3 ", b"inf"], object)
        yield Sample(cls(), (text,), exact=True)
        yield Sample(cls(dtypes.float64), (text[0],), exact=True)
        yield Sample(cls(dtypes.int32), (np.array([b"12", b"-7"], object),), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        yield Sample(cls(), (TABLE,), "string_tensor must be strings, not float32")
        text = "out_type must be one of float32, float64, int32, int64"
        yield Sample(cls(dtypes.bool_), (NAMES,), text)


class Substr(StringOp):
    """The part of each string from a place on, of a length, in bytes."""

    type: ClassVar[str] = "Substr"

    def infer(self, input: Spec, pos: Spec, len: Spec) -> Spec:
        _check_strings("input", input)
        if pos.dtype != len.dtype or not pos.dtype.is_integer:
            raise DTypeError(f"pos is {pos.dtype} and len is {len.dtype}: they must be integers")
        return Spec(shapes.merge(input.shape, shapes.merge(pos.shape, len.shape)), dtypes.string)

    def evaluate(self, xp: Any, input: Any, pos: Any, len: Any) -> Any:
        return by_element(_part, input, pos, len)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        words, places = np.array([b"Hello", b"World"], object), np.array([1, -3], np.int32)
        yield Sample(cls(), (words, places, np.array([3, 9], np.int32)), exact=True)

    @classmethod
    def bad_samples(cls) -> Iterable[Sample]:
        two = np.ones((2, 2), np.int32)
        yield Sample(cls(), (TABLE, two, two), "input must be strings, not float32")
        yield Sample(cls(), (NAMES, two, np.int64(two)), "pos is int32 and len is int64")
        yield Sample(cls(), (NAMES, two[0], two[0]), "shapes [2, 2] and [2] are not compatible")


def by_element(function: Callable[..., Any], *arrays: Array) -> Array:
    """A function of Python's objects, applied to the elements of arrays of one shape."""
    made = np.empty(arrays[0].shape, object)
    lists = [array.reshape(-1).tolist() for array in arrays]
    for n, items in enumerate(zip(*lists, strict=True)):
        made.flat[n] = function(*items)
    return made


def _truth(value: bool) -> bytes:
    return b"true" if value else b"false"


def _part(text: bytes, start: int, count: int) -> bytes:
    if not -len(text) <= start <= len(text):
        raise ValueError(f"pos {start} is outside of {text.decode(errors='replace')!r}")
    begin = start if start >= 0 else start + len(text)
    return text[begin : begin + max(count, 0)]


def _check_strings(name: str, spec: Spec) -> None:
    if not spec.dtype.is_string:
        raise DTypeError(f"{name} must be strings, not {spec.dtype}")


# -- the public functions


def as_string(
    input: Any,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
    name: str | None = None,
) -> Tensor:
    """Each number as a text: `3.5` as `b"3.500000"`, True as `b"true"`.

    Args:
        input: numbers or bool.
        precision: digits behind the point, of floating-point numbers; six by default.
        scientific: whether to write an exponent.
        shortest: whether to write whatever is shorter, with an exponent or without.
        width: how many characters there are at least.
        fill: what makes them up: "" or " " for spaces in front, "0" for zeros, "-" for spaces
            behind, "+" for spaces in front and a sign in any case.
        name: of the operation.

    Returns:
        Strings, in the shape of the input.

    Raises:
        DTypeError: if the input holds strings.
        InvalidArgumentError: for a form that does not exist.
    """
    x = convert(input)
    if scientific and shortest:
        raise InvalidArgumentError("cannot be both scientific and shortest")
    if not x.dtype.is_floating and (scientific or shortest or precision >= 0):
        raise InvalidArgumentError(f"precision and exponents are not for {x.dtype}")
    if fill not in ("", " ", "0", "-", "+"):
        raise InvalidArgumentError(f"fill must be one of ' ', '0', '-' and '+', not {fill!r}")
    record = AsString(int(precision), bool(scientific), bool(shortest), int(width), fill)
    return emit(record, x, name=name)


def string_join(inputs: Sequence[Any], separator: str = "", name: str | None = None) -> Tensor:
    """The strings at each place one after the other: `["a", "b"]` and `"!"` make `["a!", "b!"]`.

    Args:
        inputs: string tensors, of one shape but for scalars.
        separator: what comes between them.
        name: of the operation.

    Raises:
        ShapeError: if the shapes differ.
    """
    with scope(name, "StringJoin", *inputs) as full:
        parts = broadcast_together([convert(item) for item in inputs])
        return emit(StringJoin(separator), *parts, name=full)


def string_to_number(
    string_tensor: Any, out_type: Any = dtypes.float32, name: str | None = None
) -> Tensor:
    """The number that each string is the text of.

    Args:
        string_tensor: strings.
        out_type: float32, float64, int32 or int64.
        name: of the operation.

    Raises:
        InvalidArgumentError: in a run, if a string is not the text of such a number.
    """
    return emit(StringToNumber(as_dtype(out_type)), convert(string_tensor), name=name)


def substr(input: Any, pos: Any, len: Any, name: str | None = None) -> Tensor:
    """The part of each string from a place on, of a length.

    Args:
        input: strings.
        pos: the first byte, from the end if negative: integers, one for all strings or as many.
        len: how many bytes at most, in the same way.
        name: of the operation.

    Raises:
        InvalidArgumentError: in a run, if a place is outside of its string.
    """
    with scope(name, "Substr", input, pos, len) as full:
        text, start = convert(input), convert(pos, hint=INDEX)
        count = convert(len, hint=start.dtype)
        return emit(Substr(), *broadcast_together((text, start, count)), name=full)
