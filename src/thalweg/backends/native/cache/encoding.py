"""Records as bytes: plain data that can name nothing but an allow-list of types and functions.

What is kept on disk may be damaged, or written by other code. So it is data, not code: reading it
makes records of the modules listed here, and numbers, texts, arrays and collections of them, or
says that it cannot. The fields of a record are checked against their annotations.

    kinds    of objects, by name
    leaves   a text for each number, text and so on, with a letter for its type
    groups   of objects of one kind: the kind, how many parts each has, how many there are, and
             for the first part, the second and so on which leaves or earlier objects these are

Parts come before what is made of them. So nothing can contain itself, and what several objects
share is one object again: an axis that two expressions go over is the same axis afterwards. The
objects of a group are read at once, which takes half the time that one after the other would.
"""

from __future__ import annotations

import gc
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from itertools import chain, groupby, starmap
from types import NoneType
from typing import Any, TypeVar

import numpy as np

from thalweg.base.annotations import Test, field_tests
from thalweg.base.dims import REPLAYED, Dim, Node, Trace, plain
from thalweg.base.dtypes import NAMES, DType, as_dtype
from thalweg.base.record import Record, astuple

T = TypeVar("T")
Array = np.ndarray[Any, Any]
Fields = tuple[object, ...]
Columns = Sequence[Sequence[object]]
Maker = Callable[[Iterable[Fields]], Iterable[object]]

MOST_BYTES = 1 << 25  # before compression; a network of a hundred layers takes some hundred KB

# The modules, without `thalweg.`, whose records may be named: these, and all in packages.
_MODULES = frozenset(
    {
        "backends.native.llvm.target",
        "backends.native.plans",
        "base.source",
        "formula.expressions",
        "formula.formulas",
        "formula.indices",
        "graph.failures",
        "graph.graph",
        "graph.op",
        "passes.fold",
        "passes.plan",
    }
)
_PACKAGES = ("kernels.", "ops.")

_HEAD = struct.Struct("<II")  # how many kinds there are, and the bytes of kinds and leaves
_NUMBERS = np.dtype("<u4")
_ARRAYS = NAMES | {"uint32", "uint64"}
_END = "\0"  # of a kind or leaf


class EncodingError(ValueError):
    """A value that has no encoding, or bytes that are not the encoding of what is wanted."""


# What reading bytes that may be anything can raise.
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def encode(value: object) -> bytes:
    """A value as bytes.

    Raises:
        EncodingError: something in it has none, or contains itself.
    """
    encoder = _Encoder()
    encoder.add(value)
    return encoder.finished()


def decode(data: bytes, kind: type[T]) -> T:
    """What was encoded.

    Args:
        data: any bytes.
        kind: what it must be.

    Raises:
        EncodingError: it is something else, or nothing at all.
    """
    try:
        with _no_collection():
            made = _read(data)
    except _UNREADABLE as error:
        raise EncodingError(f"{type(error).__name__}: {error}") from error
    if not isinstance(made, kind):
        raise EncodingError(f"{type(made).__name__} where {kind.__name__} was expected")
    return made


@contextmanager
def _no_collection() -> Iterator[None]:
    """What is made inside is kept; to look for garbage takes a fifth of the time and finds none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


# -- leaves: what is written as a text


_LEAVES: Mapping[str, Callable[[str], object]] = {
    "s": str,
    "i": int,
    "f": float,
    "b": {"0": False, "1": True}.__getitem__,
    "n": {"": None}.__getitem__,
    "x": bytes.fromhex,
    "d": {name: as_dtype(name) for name in NAMES}.__getitem__,
    "c": REPLAYED.__getitem__,
}


def _leaf(value: object) -> str | None:
    """The text of a leaf; None if the value is none."""
    kind = type(value)
    if kind is str:
        return f"s{value}"
    if kind is bool:
        return f"b{value:d}"
    if kind is int or kind is float:
        return f"{kind.__name__[0]}{value!r}"
    if value is None:
        return "n"
    if isinstance(value, DType):
        return f"d{value.name}"
    if isinstance(value, bytes):
        return f"x{value.hex()}"
    if callable(value) and not isinstance(value, Record):
        return next((f"c{name}" for name, known in REPLAYED.items() if known is value), None)
    return None


# -- what is made of parts


def _array(name: str, shape: tuple[int, ...], content: bytes) -> Array:
    if name not in _ARRAYS or min(shape, default=0) < 0:
        raise ValueError(f"an array of {name}{shape}")
    dtype = as_dtype(name).numpy if name in NAMES else np.dtype(name)
    if name == "bool" and content.strip(b"\0\1"):
        raise ValueError("a bool that is neither 0 nor 1")
    return np.frombuffer(content, dtype).reshape(shape).copy()


def _parts_of_array(array: Array) -> Fields:
    if array.dtype.name not in _ARRAYS or array.nbytes > MOST_BYTES:
        raise EncodingError(f"an array of {array.nbytes} bytes of {array.dtype}")
    return array.dtype.name, array.shape, array.tobytes()


def _dict(items: Fields) -> dict[object, object]:
    keys, values = items[::2], items[1::2]
    return dict(zip(map(_hashed, keys), values, strict=True))


def _hashed(key: object) -> object:
    """A key, or member of a set, that is hashed quickly: what holds others may hold many."""
    if isinstance(key, str | int | float | NoneType) or type(key).__hash__ is object.__hash__:
        return key
    raise TypeError(f"a key of type {type(key).__name__}")


def _frozenset(items: Fields) -> frozenset[object]:
    return frozenset(map(_hashed, items))


def _dim(value: object, node: object) -> Dim:
    return Dim(_of_type(int, value), None if node is None else _of_type(Node, node))


def _node(trace: object, place: Any) -> Node:
    made: Node = _of_type(Trace, trace).node(place)
    return made


def _of_type(cls: type, value: Any) -> Any:
    if not isinstance(value, cls):
        raise TypeError(f"{type(value).__name__} where {cls.__name__} was expected")
    return value


# By type: how one is taken apart, and how some are made of the parts of each.
_KINDS: Mapping[type, tuple[Callable[[Any], Iterable[object]], Maker]] = {
    tuple: (tuple, iter),
    list: (tuple, partial(map, list)),
    frozenset: (partial(sorted, key=repr), partial(map, _frozenset)),
    dict: (lambda d: chain.from_iterable(d.items()), partial(map, _dict)),
    np.ndarray: (_parts_of_array, partial(starmap, _array)),
    Dim: (lambda dim: (plain(dim), dim.node), partial(starmap, _dim)),
    Node: (astuple, partial(starmap, _node)),
    Trace: (Trace.parts, partial(starmap, Trace.of_parts)),
}
_BY_NAME = {kind.__name__: make for kind, (_, make) in _KINDS.items()}


def _parts(value: object) -> Fields:
    """What a value that is no leaf is made of."""
    kind = type(value)
    if kind in _KINDS:
        return tuple(_KINDS[kind][0](value))
    if isinstance(value, Record):
        return (*astuple(value), *[getattr(value, name) for name in value.remembered])
    raise EncodingError(f"a {kind.__name__} has no encoding")


def _name(kind: type) -> str:
    """What an encoding calls a kind."""
    if kind in _KINDS:
        return kind.__name__
    package, _, module = kind.__module__.partition(".")
    name = f"{module}:{kind.__qualname__}"
    if package != "thalweg" or _record(name) is not kind:
        raise EncodingError(f"a {kind.__module__}:{kind.__qualname__} may not be kept")
    return name


def may_be_named(kind: type[Record]) -> bool:
    """Whether records of a class may be kept."""
    try:
        return bool(_name(kind))
    except EncodingError:
        return False


def _record(name: str) -> type[Record] | None:
    """The record of that name, if it may be named."""
    module, _, qualified = name.partition(":")
    if not (module in _MODULES or module.startswith(_PACKAGES)):
        return None
    found = getattr(import_module(f"thalweg.{module}"), qualified, None)
    is_record = isinstance(found, type) and issubclass(found, Record)
    return found if is_record and found.__module__ == f"thalweg.{module}" else None


# -- writing


_Group = tuple[int, int, int]  # how deep objects are, their kind, how many parts each has


class _Encoder:
    """Leaves and objects as they come. Leaves have the places 0, 1, ...; objects -1, -2, ..."""

    def __init__(self) -> None:
        self._leaves: dict[str, int] = {}
        self._kinds: dict[type, int] = {}
        self._objects: list[tuple[_Group, tuple[int, ...]]] = []
        self._equal: dict[object, int] = {}
        self._done: dict[int, tuple[int, object]] = {}  # by identity; the object lives as long
        self._stack: list[tuple[object, Fields, Iterator[object]]] = []
        self._open = set[int]()

    def add(self, root: object) -> None:
        """Write a value after its parts; without recursion, as it may be deep."""
        self._visit(root)
        while self._stack:
            value, parts, left = self._stack[-1]
            part = next((p for p in left if id(p) not in self._done), self)
            if part is not self:
                self._visit(part)
            else:
                places = tuple(self._done[id(part)][0] for part in parts)
                self._done[id(value)] = self._place(type(value), places), value
                self._open.remove(id(value))
                self._stack.pop()

    def _visit(self, value: object) -> None:
        text = _leaf(value)
        if text is not None:
            self._done[id(value)] = self._leaves.setdefault(text, len(self._leaves)), value
        elif id(value) in self._open:
            raise EncodingError(f"a {type(value).__name__} contains itself")
        else:
            parts = _parts(value)
            self._open.add(id(value))
            self._stack.append((value, parts, iter(parts)))

    def _place(self, kind: type, parts: tuple[int, ...]) -> int:
        """Where an object is, which shares its place with others that cannot be told from it."""
        number = self._kinds.setdefault(kind, len(self._kinds))
        if (number, parts) in self._equal and _is_value(kind):
            return self._equal[number, parts]
        level = 1 + max((self._objects[-1 - p][0][0] for p in parts if p < 0), default=0)
        self._objects.append(((level, number, len(parts)), parts))
        place = self._equal[number, parts] = -len(self._objects)
        return place

    def finished(self) -> bytes:
        """All that was added."""
        texts = [*map(_name, self._kinds), *self._leaves]
        if any(_END in text for text in texts):
            raise EncodingError("a text with a null character")
        try:
            leaves = _END.join(texts).encode()
        except UnicodeEncodeError as error:
            raise EncodingError(str(error)) from error
        head = _HEAD.pack(len(self._kinds), len(leaves))
        whole = head + leaves + np.array(self._numbers(), _NUMBERS).tobytes()
        if len(whole) > MOST_BYTES:
            raise EncodingError(f"{len(whole)} bytes")
        return zlib.compress(whole, 1)

    def _numbers(self) -> list[int]:
        """The groups, those after others that hold parts of theirs."""
        order = sorted(range(len(self._objects)), key=lambda n: self._objects[n][0])
        final = {-1 - n: len(self._leaves) + place for place, n in enumerate(order)}
        numbers: list[int] = []
        for (_, kind, arity), members in groupby(order, key=lambda n: self._objects[n][0]):
            rows = [[final.get(part, part) for part in self._objects[n][1]] for n in members]
            numbers += [kind, arity, len(rows), *chain.from_iterable(zip(*rows, strict=True))]
        return numbers


def _is_value(kind: type) -> bool:
    """Whether equal objects of a kind cannot be told from each other."""
    own: tuple[object, object] = kind.__eq__, kind.__hash__
    return kind is tuple or own == (Record.__eq__, Record.__hash__)


# -- reading


def _read(data: bytes) -> object:
    """The value; what is wrong with the bytes comes as any of `_UNREADABLE`."""
    unpacked = zlib.decompressobj()
    whole = unpacked.decompress(data, MOST_BYTES)
    if not unpacked.eof or unpacked.unused_data:
        raise ValueError("too long, or cut off")
    count, size = _HEAD.unpack_from(whole)
    start = _HEAD.size + size
    texts = whole[_HEAD.size : start].decode().split(_END)
    kinds = [_maker(name) for name in texts[:count]]
    made = [_LEAVES[text[:1]](text[1:]) for text in texts[count:]]
    numbers = np.frombuffer(whole, _NUMBERS, offset=start).tolist()
    at, most = 0, len(made) + len(numbers)  # each object but the last is a part of another
    while at < len(numbers):
        kind, arity, count = numbers[at : at + 3]
        at += 3
        if len(made) + count > most or at + arity * count > len(numbers):
            raise ValueError("cut off")
        parts = list(map(made.__getitem__, numbers[at : at + arity * count]))
        at += len(parts)
        columns = [parts[n : n + count] for n in range(0, len(parts), count)]
        made += _group(kinds[kind], columns, count)
    return made[-1]


@cache
def _maker(name: str) -> tuple[Maker, Sequence[Test]]:
    """What makes the objects of a group, and tests of all their first parts, all their second..."""
    if name in _BY_NAME:
        return _BY_NAME[name], ()
    cls = _record(name)
    if cls is None:
        raise TypeError(f"a {name} may not be named")
    return partial(_records, cls), field_tests(cls)


def _group(kind: tuple[Maker, Sequence[Test]], columns: Columns, count: int) -> Iterable[object]:
    make, tests = kind
    for test, column in zip(tests, columns, strict=True) if tests else ():
        if not test(column):
            raise TypeError("a field of another type")
    return make(zip(*columns, strict=True) if columns else [()] * count)


def _records(cls: type[Record], rows: Iterable[Fields]) -> Iterable[Record]:
    names = (*cls.fields, *cls.remembered)
    for row in rows:
        made = cls.__new__(cls)
        vars(made).update(zip(names, row, strict=False))  # no `__init__` to be compiled for it
        yield made
