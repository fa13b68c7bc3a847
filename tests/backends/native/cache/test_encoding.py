"""Records as bytes: what comes back is what was there, and nothing else ever does."""

from __future__ import annotations

import gc
import math
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import thalweg as tf
from tests.ops.running import build
from tests.shares import one_in
from thalweg.backends.native.backend import NativeBackend, NativeProgram
from thalweg.backends.native.cache import encoding
from thalweg.backends.native.cache.encoding import MOST_BYTES, EncodingError, decode, encode
from thalweg.backends.native.plans import Planned
from thalweg.base.dims import Dim, Trace
from thalweg.base.errors import ThalwegError
from thalweg.base.record import Record, replace
from thalweg.formula import Apply, Axis, Const, Expr, Read, affine
from thalweg.graph import Graph, Op
from thalweg.kernels.printer import show_nest
from thalweg.kernels.schedules.schedule import AbstractSchedule
from thalweg.kernels.values import FeedMemory, SliceMemory, Value
from thalweg.ops.catalogue import ALL
from thalweg.session.session import Session


def again(value: Any) -> Any:
    return decode(encode(value), object)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**70),
        0.1,
        -0.0,
        math.inf,
        "",
        "näme\n",
        b"\0\xff",
        (),
        (1, 1.0, True, (2, (3,))),
        [1, [2]],
        {"a": 1, 2: ("b",)},
        frozenset("abc"),
        tf.bfloat16,
        int.__add__,
        np.array_equal,
        FeedMemory(3),
        AbstractSchedule((1, 0), None, 8, ((0, 4),), 1, 2, 0, (1,)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_is_read_is_what_was_written(value: Any) -> None:
    made = again(value)
    assert type(made) is type(value)
    assert repr(made) == repr(value)
    assert made == value


@pytest.mark.parametrize("dtype", [*map(str, "?bhilBHILefd"), ml_dtypes.bfloat16])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_arrays(dtype: Any, shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    made = again(array)
    assert (made.dtype, made.shape) == (array.dtype, array.shape)
    assert made.tobytes() == array.tobytes()
    assert made.flags.writeable


def test_not_a_number() -> None:
    assert math.isnan(again(math.nan))


def test_what_is_shared_stays_shared_and_what_is_not_does_not() -> None:
    i, j, value = Axis(3), Axis(3), Value("x", (3,), tf.float32, FeedMemory(0))
    x = Read(value, (affine(i) + j,), tf.float32)
    made = again((i, j, x, Apply("add", (x, x), tf.float32), SliceMemory(value)))
    (first, second, read, sum_, part) = made
    assert first is not second
    assert [atom for atom, _ in read.index[0].terms] == [first, second]
    assert sum_.args == (read, read)
    assert part.whole is read.source


def test_numbers_that_vary() -> None:
    trace = Trace()
    n = trace.give(5)
    plus = n * 3 + 1
    assert plus > 2
    trace.close()
    made, copy = again((plus, trace))
    assert isinstance(made, Dim)
    assert made.node is not None
    assert made.node.trace is copy
    sizes = copy.replay([7])
    assert sizes is not None
    assert sizes(made) == 22
    assert copy.replay([0]) is None


def test_deep_values() -> None:
    body: Expr = Const(1.0, tf.float32)
    for _ in range(5_000):
        body = Apply("neg", (body,), tf.float32)
    made, depth = again(body), 0
    while isinstance(made, Apply):
        (made,), depth = made.args, depth + 1
    assert depth == 5_000


class Foreign(Record):
    value: int


class Elsewhere(Record):
    """Of a user's own module, whose name is like one of Thalweg's."""

    __module__ = "ops.mine"
    value: int


def circle() -> list[Any]:
    made: list[Any] = []
    made.append((made,))
    return made


@pytest.mark.parametrize(
    "value",
    [
        object(),
        print,
        lambda: 0,
        Foreign(1),
        Elsewhere(1),
        {1, 2},
        circle(),
        "null\0character",
        "half of a pair: \ud800",
        np.array(["text"]),
        np.array([object()]),
        np.broadcast_to(np.float32(0), (MOST_BYTES,)),
        1j,
        int,
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_has_no_encoding(value: Any) -> None:
    with pytest.raises(EncodingError):
        encode((value,))


def test_another_type_than_expected() -> None:
    with pytest.raises(EncodingError, match="int where str was expected"):
        decode(encode(3), str)


# -- plans


SAMPLED = [record for record in ALL if list(record.samples())]


def plans_of(record: type[Op]) -> Iterator[Planned]:
    """The plans of an operation's samples, and of their gradients, for open extents."""
    for sample in record.samples():
        graph = Graph()
        case = build(graph, sample, "float32", dynamic=True) or build(graph, sample, "float32")
        assert case is not None
        with graph.as_default(), Session() as session, np.errstate(all="ignore"):
            try:
                _, program = session.program([*case.outputs], case.feeds)
            except ThalwegError:
                continue
            if isinstance(program, NativeProgram):
                yield program._compiled.planned


@pytest.mark.parametrize("record", one_in(4, SAMPLED), ids=lambda record: record.__name__)
def test_plans_of_all_samples(record: type[Op], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NativeBackend, "recall", lambda *_: None)
    for planned in plans_of(record):
        data = encode(planned)
        made = decode(data, Planned)
        assert encode(made) == data
        pairs = zip(planned.kernels.nests, made.kernels.nests, strict=True)
        for (nest, schedule), (nest_again, schedule_again) in pairs:
            del vars(nest_again)["structure"]  # to be found anew
            assert nest_again.structure == nest.structure
            assert show_nest(nest_again) == show_nest(nest)
            hows = [
                AbstractSchedule.of(*pair)
                for pair in ((schedule, nest), (schedule_again, nest_again))
            ]
            assert hows[0] == hows[1]
            assert hows[0].fits(nest)
        assert made.interface == planned.interface
        assert made.cycles == planned.cycles


# -- bytes that may be anything


def packed(kinds: list[str], leaves: list[str], numbers: list[int]) -> bytes:
    """An encoding from its parts; see the module."""
    texts = "\0".join([*kinds, *leaves]).encode()
    head = struct.pack("<II", len(kinds), len(texts))
    return zlib.compress(head + texts + np.array(numbers, "<u4").tobytes())


def test_the_parts_of_an_encoding() -> None:
    assert decode(packed(["tuple"], ["i7", "sx"], [0, 2, 1, 0, 1]), tuple) == (7, "x")


MANY = 1 << 20
HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no compression": lambda: b"x" * 1000,
    "a bomb": lambda: zlib.compress(bytes(MOST_BYTES + 1)),
    "cut off": lambda: encode((1, 2))[:-1],
    "more after it": lambda: encode((1, 2)) + b"x",
    "no leaves": lambda: packed([], [], []),
    "leaves without end": lambda: zlib.compress(struct.pack("<II", 1, 2**32 - 1) + b"tuple"),
    "too many kinds": lambda: zlib.compress(struct.pack("<II", 2**32 - 1, 5) + b"tuple"),
    "an unknown letter": lambda: packed([], ["q1"], []),
    "no number": lambda: packed([], ["i1x"], []),
    "a very long number": lambda: packed([], ["i" + "9" * MANY], []),
    "no dtype": lambda: packed([], ["dcomplex64"], []),
    "no function to be named": lambda: packed([], ["cos.system"], []),
    "no kind to be named": lambda: packed(["os:system"], ["sls"], [0, 1, 1, 0]),
    "no record": lambda: packed(["formula.expressions:walk"], ["sls"], [0, 1, 1, 0]),
    "an imported name": lambda: packed(["kernels.nest:Dim"], ["i1"], [0, 1, 1, 0]),
    "a module that is not there": lambda: packed(["kernels.x:Y"], ["i1"], [0, 1, 1, 0]),
    "a path": lambda: packed(["kernels...x:Y"], ["i1"], [0, 1, 1, 0]),
    "a part that comes later": lambda: packed(["tuple"], ["i1"], [0, 1, 1, 5]),
    "itself": lambda: packed(["tuple"], ["i1"], [0, 1, 1, 1]),
    "one that contains the other": lambda: packed(["tuple"], ["i1"], [0, 1, 2, 1, 2]),
    "a kind that is not there": lambda: packed(["tuple"], ["i1"], [1, 1, 1, 0]),
    "many parts": lambda: packed(["tuple"], ["i1"], [0, 2**32 - 1, 1, 0]),
    "many objects": lambda: packed(["tuple"], ["i1"], [0, 1, 2**32 - 1, 0]),
    "many objects without parts": lambda: packed(["tuple"], ["i1"], [0, 0, 2**32 - 1]),
    "lists of nothing, again and again": lambda: packed(["list"], ["i1"], [0, 0, 1000] * 1000),
    "no objects": lambda: packed(["tuple"], ["i1"], [0, 1, 0]),
    "half a group": lambda: packed(["tuple"], ["i1"], [0, 1]),
    "too few fields": lambda: packed(["formula.indices:Axis"], ["i1"], [0, 1, 1, 0]),
    "a field of another type": lambda: packed(
        ["formula.indices:Axis"], ["i1", "f1"], [0, 2, 1, 1, 0]
    ),
    "an array of another size": lambda: packed(
        ["tuple", "ndarray"], ["sint8", "i3", "x0011"], [0, 1, 1, 1, 1, 3, 1, 0, 3, 2]
    ),
    "an array of negative size": lambda: packed(
        ["tuple", "ndarray"], ["sint8", "i-1", "x0011"], [0, 1, 1, 1, 1, 3, 1, 0, 3, 2]
    ),
    "an array of objects": lambda: packed(
        ["tuple", "ndarray"], ["sobject", "i1", "x" + "00" * 8], [0, 1, 1, 1, 1, 3, 1, 0, 3, 2]
    ),
    "neither true nor false": lambda: packed(
        ["tuple", "ndarray"], ["sbool", "i1", "x07"], [0, 1, 1, 1, 1, 3, 1, 0, 3, 2]
    ),
    "a key without hash": lambda: packed(["list", "dict"], ["i1"], [0, 1, 1, 0, 1, 2, 1, 1, 0]),
    "half a pair": lambda: packed(["dict"], ["i1"], [0, 1, 1, 0]),
    "a number of no trace": lambda: packed(["Dim"], ["i1", "sx"], [0, 2, 1, 0, 1]),
}
# Each tuple holds the one before twice: its hash, or a comparison, would take for ever.
DOUBLED = [n for level in range(60) for n in (0, 2, 1, level, level)]
HOSTILE["a key that doubles"] = lambda: packed(
    ["tuple", "dict"], ["i1"], [*DOUBLED, 1, 2, 1, 60, 0]
)
HOSTILE["a member that doubles"] = lambda: packed(
    ["tuple", "frozenset"], ["i1"], [*DOUBLED, 1, 1, 1, 60]
)
HOSTILE["a predicate that doubles"] = lambda: packed(
    ["tuple", "Trace", "passes.fold:_Zeros"],
    ["btrue", "b1", "i0"],
    [*DOUBLED, 2, 1, 1, 60],
)


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_refused_in_little_memory(make: Callable[[], bytes]) -> None:
    data = make()
    gc.collect()
    tracemalloc.start()
    try:
        with pytest.raises(EncodingError):
            decode(data, Planned)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MOST_BYTES


def test_long_values_in_many_places_are_tested_once() -> None:
    """Thousands of records share a tuple of as many: looking through it for each would be slow."""
    i, count = Axis(3), 5_000
    terms = tuple((i, n) for n in range(count))
    made = again(tuple(replace(affine(i), terms=terms, constant=n) for n in range(count)))
    assert len(made) == count
    assert made[0].terms is made[-1].terms


def example() -> bytes:
    """An encoding of most kinds of things, unpacked."""
    x = tf.placeholder(tf.float32, [None, 9])
    w = tf.Variable(tf.zeros([9, 4]))
    y = tf.nn.softmax(tf.matmul(x, w)[1:]) + tf.constant([1.0, 2.0, 3.0, 4.0])
    step = tf.train.AdamOptimizer().minimize(tf.reduce_mean(y))
    with Session() as session:
        _, program = session.program([y, step], {x: np.zeros((5, 9), np.float32)})
        assert isinstance(program, NativeProgram)
        return zlib.decompress(encode(program._compiled.planned))


def mutated(data: bytes, chooser: random.Random) -> bytes:
    """The bytes with some changed, left out, doubled or put elsewhere."""
    made = bytearray(data)
    for _ in range(chooser.choice([1, 1, 2, 5, 50])):
        a, b = sorted(chooser.sample(range(len(made)), 2))
        b = min(b, a + chooser.choice([1, 4, 16, 400]))
        match chooser.randrange(6):
            case 0:
                made[a] ^= 1 << chooser.randrange(8)
            case 1:
                made[a] = chooser.randrange(256)
            case 2:
                del made[a:b]
            case 3:
                made[a:a] = made[a:b]
            case 4:
                at = chooser.randrange(len(made))
                made[at : at + b - a] = made[a:b]
            case 5:
                made[a & ~3 : (a & ~3) + 4] = struct.pack("<I", chooser.randrange(1 << 12))
    return bytes(made)


def test_mutated_encodings_are_refused_or_of_the_right_types() -> None:
    data, chooser = example(), random.Random(0)
    read = 0
    for _ in range(1500):
        try:
            made = decode(zlib.compress(mutated(data, chooser), 0), Planned)
        except EncodingError:
            continue
        read += 1
        made.trace.replay([5])
    assert read  # a change of a name, say, is no change of the form


def test_nothing_but_plain_data_is_named() -> None:
    """No kind is a callable that does more than put its parts together."""
    assert set(encoding._BY_NAME) == {
        "tuple", "list", "frozenset", "dict", "ndarray", "Dim", "Node", "Trace",
    }  # fmt: skip
