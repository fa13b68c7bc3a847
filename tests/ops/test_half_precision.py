"""Half precision is rounded after every operation, whatever is fused or fetched with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.backends.native import backend as native
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.base.dtypes import as_dtype

HOST = Target.host()
# Of the levels of x86-64 the lowest cannot convert float16.
LEVELS = ["host", "x86-64", "x86-64-v3"] if HOST.architecture == "x86_64" else ["host"]
KINDS = ["float16", "bfloat16"]
COUNT = 4099  # no multiple of a vector
Steps = list[Any]


def _arithmetic(x: Any, y: Any) -> Steps:
    """Each step keeps only half of the digits that the one before has."""
    a = x * y
    b = a + 3.3
    c = b * b
    d = (c - y) * 0.1
    e = d / (x + 5.0)
    return [a, b, c, d, e, tf.where(e > 0.2, e * 3.0, a - e)]


def _reductions(x: Any, y: Any) -> Steps:
    a = x * y
    b = tf.reduce_max(a * 1.7 - x)
    return [a, b, a - b, tf.reduce_sum((a - b) * y), tf.reduce_mean(a * 1.3)]


def _gradient(x: Any, y: Any) -> Steps:
    a = x * y + 0.7
    b = a * a * x
    return [a, b, *tf.gradients(b, [x, y])]


def _functions(x: Any, y: Any) -> Steps:
    a = tf.exp(x * 0.37)
    b = tf.tanh(a - 1.0) + tf.log(a + y * y)
    return [a, b, tf.sqrt(b * b + 1.0)]


def _stored(x: Any, y: Any) -> Steps:
    """The products need their operand in memory, and the others read it there if it is."""
    a = tf.exp(x * 0.37) * y + x * 0.3
    products = tf.matmul(tf.reshape(a, [-1, 1]), tf.ones([1, 33], a.dtype))
    return [products, a[1:] - x[:-1], tf.exp(a[3:]) * y[3:]]


def _arrays(dtype: str) -> list[Any]:
    rng = np.random.default_rng(4)
    return [rng.normal(size=COUNT).astype(as_dtype(dtype).numpy) for _ in range(2)]


def _run(build: Callable[[Any, Any], Steps], dtype: str, backend: str = "llvm") -> list[Any]:
    """All steps in one run, and then each in a run of its own."""
    with tf.Graph().as_default():
        x, y = (tf.placeholder(dtype, [None]) for _ in range(2))
        steps = build(x, y)
        feeds = dict(zip((x, y), _arrays(dtype), strict=True))
        with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
            return [session.run(steps, feeds), [session.run(step, feeds) for step in steps]]


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("build", [_arithmetic, _reductions, _gradient, _functions, _stored])
def test_results_do_not_depend_on_what_else_is_fetched(
    build: Callable[[Any, Any], Steps], dtype: str
) -> None:
    together, alone = _run(build, dtype)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("build", [_arithmetic, _gradient])
def test_arithmetic_has_the_bits_of_the_reference(
    build: Callable[[Any, Any], Steps], dtype: str
) -> None:
    native, reference = _run(build, dtype)[1], _run(build, dtype, "numpy")[1]
    for a, b in zip(native, reference, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", KINDS)
def test_constants_are_rounded(dtype: str) -> None:
    with tf.Graph().as_default():
        hot = tf.one_hot(tf.placeholder(tf.int32, [2], name="i"), 2, on_value=0.1, dtype=dtype)
        wide = tf.cast(hot, tf.float32)
        with tf.Session() as session:
            value = session.run(wide, {"i:0": [0, 1]})
    exact = np.float32(np.array(0.1, as_dtype(dtype).numpy))
    np.testing.assert_array_equal(value, np.eye(2, dtype=np.float32) * exact)


@pytest.fixture(params=LEVELS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A machine that all code is made for."""
    target = HOST if request.param == "host" else HOST.restricted(request.param)
    if not all(HOST.has(feature.strip("+")) for feature in target.features.split(",") if feature):
        pytest.skip(f"this machine is no {request.param}")
    library = Library(Jit(target))
    monkeypatch.setattr(native, "shared_library", lambda: library)
    return target


def _cast(array: Any, target: str) -> Any:
    """By code for vectors, followed by code for the single elements that are left."""
    with tf.Graph().as_default():
        x = tf.placeholder(array.dtype.name, [None])
        with tf.Session() as session:
            return session.run(tf.cast(x, target), {x: array})


def _same(got: Any, wanted: Any) -> None:
    """Equal, zeros in their sign too."""
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)
    number = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(wanted[number]))


@pytest.mark.parametrize("wide", ["float32", "float64"])
def test_every_float16_is_widened(level: Target, wide: str) -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    for array in (every, every[3:], every[::1021]):
        with np.errstate(invalid="ignore"):
            _same(_cast(array, wide), array.astype(wide))


@pytest.mark.parametrize("wide", ["float32", "float64"])
def test_numbers_are_rounded_to_the_nearest_float16(level: Target, wide: str) -> None:
    """Every float16, every middle between two, and what is next to them."""
    half = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(wide)
    ends = np.append(half, half.dtype.type(65536))  # as if one followed on the largest
    exact = np.concatenate([half, (ends[1:] + ends[:-1]) / 2])
    near = [np.nextafter(exact, np.array(to, wide)) for to in (-math.inf, math.inf)]
    beyond = np.array([65536, 1e6, 3e38, np.finfo(wide).max, math.inf, math.nan, 1e-30], wide)
    numbers = np.concatenate([exact, *near, beyond])
    numbers = np.concatenate([numbers, -numbers])
    with np.errstate(all="ignore"):
        for array in (numbers, numbers[3:], numbers[::1021]):
            _same(_cast(array, "float16"), array.astype(np.float16))


def test_float16_in_kernels_of_every_kind(level: Target) -> None:
    """Products, reductions, gathers and stores by column read and write it, too."""
    rng = np.random.default_rng(5)
    a = rng.integers(-3, 4, (13, 37)).astype(np.float16)
    w = rng.integers(-3, 4, (37, 29)).astype(np.float16)
    x = a.astype(np.float64)
    wanted = [x @ w.astype(np.float64), x.sum(1), x.max(0), x[[3, 1, 3]], x.T + 0.5]
    with tf.Graph().as_default():
        fed, weights = tf.placeholder(tf.float16, [None, 37]), tf.constant(w)
        made = [
            tf.matmul(fed, weights),
            tf.reduce_sum(fed, 1),
            tf.reduce_max(fed, 0),
            tf.gather(fed, [3, 1, 3]),
            tf.transpose(fed) + 0.5,
        ]
        with tf.Session() as session:
            got = session.run(made, {fed: a})
    for value, expected in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(value, expected.astype(np.float16))
