"""Constants, feeds and the reference agree on signs of zero, subnormal numbers, infinities and NaN.

A subnormal number counts as 0 of its sign, so the two are not told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import thalweg as tf
from thalweg.formula.functions import BOOLEAN
from thalweg.graph import Tensor
from thalweg.ops.build import emit
from thalweg.ops.catalogue import ALL
from thalweg.ops.elementwise.pointwise import Pointwise
from thalweg.ops.elementwise.trigonometric import Cos, Sin

Array = np.ndarray[Any, Any]
SMALLEST = {"float32": 2.0**-126, "bfloat16": 2.0**-126, "float64": 2.0**-1022}
LARGE = {"float32": 1e30, "bfloat16": 1e30, "float64": 1e300}
TOLERANCE = {"float32": 1e-5, "bfloat16": 2.0**-7, "float64": 1e-12}  # the backends' own roundings
BACKENDS = ("llvm", "numpy")


def specials(dtype: str) -> Array:
    tiny = SMALLEST[dtype]
    positive = [0.0, tiny, tiny / 4, LARGE[dtype], np.inf, 1.0, 0.5, 3.0]
    numbers = np.array([*positive, *(-x for x in positive), np.nan, 2.0])
    return numbers.astype(getattr(ml_dtypes, dtype, dtype))


def flushed(array: Array) -> Array:
    wide = array.astype(np.float64)
    return np.where(np.abs(wide) < SMALLEST[array.dtype.name], np.copysign(0, wide), wide)


def differences(a: Array, b: Array) -> list[tuple[float, float]]:
    """The pairs of elements that are different numbers."""
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    if a.dtype.name not in SMALLEST:
        return [(float(x), float(y)) for x, y in zip(a.flat, b.flat, strict=True) if x != y]
    with np.errstate(all="ignore"):
        x, y = flushed(a).reshape(-1), flushed(b).reshape(-1)
        close = np.isclose(x, y, rtol=TOLERANCE[a.dtype.name], atol=0, equal_nan=True)
        same = close & ((x != 0) | (np.signbit(x) == np.signbit(y)))
    return list(zip(x[~same].tolist(), y[~same].tolist(), strict=True))


def check(made: Mapping[str, Tensor], other: Mapping[str, Tensor], feeds: Any) -> None:
    """Both give the same by all backends."""
    found = {}
    for backend in BACKENDS:
        session = tf.Session(config=tf.ConfigProto(backend=backend))
        found[backend], found[f"{backend}, other"] = session.run([dict(made), dict(other)], feeds)
        session.close()
    wrong = {
        (name, kind): pairs
        for kind, values in found.items()
        for name, value in values.items()
        if (pairs := differences(np.asarray(found["llvm"][name]), np.asarray(value)))
    }
    assert not wrong


def records(arity: int) -> dict[str, Any]:
    """The operations on elements. Sine and cosine of large numbers are a question of their own."""
    found = [r for r in ALL if issubclass(r, Pointwise) and r.kind != BOOLEAN]
    return {
        record.__name__: record()
        for record in found
        if len(next(iter(record.samples())).inputs) == arity and record not in (Sin, Cos)
    }


@pytest.mark.parametrize("dtype", SMALLEST)
def test_functions_of_one_number(dtype: str) -> None:
    values = specials(dtype)
    x = tf.placeholder(dtype, values.shape)
    fed = {name: emit(record, x) for name, record in records(1).items()}
    folded = {name: emit(record, tf.constant(values)) for name, record in records(1).items()}
    check(fed, folded, {x: values})


@pytest.mark.parametrize("dtype", SMALLEST)
def test_functions_of_two_numbers(dtype: str) -> None:
    left, right = (a.reshape(-1) for a in np.meshgrid(specials(dtype), specials(dtype)))
    x, y = (tf.placeholder(dtype, left.shape) for _ in range(2))
    fed = {name: emit(record, x, y) for name, record in records(2).items()}
    constants = tf.constant(left), tf.constant(right)
    folded = {name: emit(record, *constants) for name, record in records(2).items()}
    check(fed, folded, {x: left, y: right})


@pytest.mark.parametrize("number", [0.0, -0.0, 1.0, -1.0, 2.0**-128, np.inf, np.nan], ids=str)
@pytest.mark.parametrize("side", [0, 1])
def test_functions_of_a_number_and_a_constant(number: Any, side: int) -> None:
    """Simplifications look for such constants; no rule may depend on what it meets."""
    values = specials("float32")
    x, y = tf.placeholder(tf.float32, values.shape), tf.placeholder(tf.float32, values.shape)
    same = np.full(values.shape, number, np.float32)
    fed, folded = ((y, x), (tf.constant(same), x)) if side else ((x, y), (x, tf.constant(same)))
    check(
        {name: emit(record, *fed) for name, record in records(2).items()},
        {name: emit(record, *folded) for name, record in records(2).items()},
        {x: values, y: same},
    )


def _gradient(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def gradient(x: Tensor) -> Tensor:
        made = tf.gradients(f(x), x)[0]
        assert isinstance(made, Tensor)
        return made

    return gradient


OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda x: tf.reduce_sum(x, 1),
    "sum of all": tf.reduce_sum,
    "mean": lambda x: tf.reduce_mean(x, 0),
    "product": lambda x: tf.reduce_prod(x, 1),
    "largest": lambda x: tf.reduce_max(x, 1),
    "smallest": lambda x: tf.reduce_min(x, 0),
    "place of the largest": lambda x: tf.argmax(x, 1),
    "place of the smallest": lambda x: tf.argmin(x, 0),
    "log of the sum": lambda x: tf.reduce_logsumexp(x, 1),
    "clip": lambda x: 1 / tf.clip_by_value(x, 0.0, 1.0),
    "bool": lambda x: tf.cast(x, tf.bool),
    "double": lambda x: tf.cast(x, tf.float64),
    "select": lambda x: tf.where(x > 0, x, x * 2),
    "0 - x": lambda x: 1 / (0.0 - x),
    "-0 - x": lambda x: 1 / (-0.0 - x),
    "x + 0": lambda x: 1 / (x + 0.0),
    "x + -0": lambda x: 1 / (x + -0.0),
    "x - 0": lambda x: 1 / (x - 0.0),
    "x - -0": lambda x: 1 / (x - -0.0),
    "x * 0": lambda x: x * 0.0,
    "x * -1": lambda x: 1 / (x * -1.0),
    "x / 1": lambda x: 1 / (x / 1.0),
    "0 / x": lambda x: 0.0 / x,
    "cube": lambda x: 1 / x**3,
    "power": lambda x: tf.pow(x, 1.5),
    "zeros * x": lambda x: tf.matmul(tf.zeros([2, 2], x.dtype), x),
    "x * zeros": lambda x: tf.matmul(x, tf.zeros([9, 2], x.dtype)),
    "x transposed * zeros": lambda x: tf.matmul(x, tf.zeros([2, 3], x.dtype), transpose_a=True),
    "small steps": lambda x: x * (SMALLEST[x.dtype.name] * 2) * 0.25 * 4,
    "zeros and -zeros": lambda x: 1 / (x * 0 + tf.constant([0.0, -0.0] * 4 + [0.0], x.dtype)),
    "relu6": tf.nn.relu6,
    "softmax": tf.nn.softmax,
    "log of softmax": tf.nn.log_softmax,
    "is infinite": tf.is_inf,
    "moved": lambda x: 1 / tf.pad(tf.transpose(tf.concat([x, -x], 0)), [[1, 0], [0, 1]]),
    "gradient of relu": _gradient(tf.nn.relu),
    "gradient of abs": _gradient(tf.abs),
    "gradient of select": _gradient(lambda x: tf.where(x > 0, x, x * 2)),
    "gradient of the largest": _gradient(lambda x: tf.reduce_max(x, 1)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("opened", [False, True])
def test_other_operations(dtype: str, opened: bool) -> None:
    values = specials(dtype).reshape(2, 9)
    x = tf.placeholder(dtype, [None, 9] if opened else values.shape)
    fed = {name: f(x) for name, f in OTHERS.items()}
    folded = {name: f(tf.constant(values)) for name, f in OTHERS.items()}
    check(fed, folded, {x: values})


def test_a_gradient_that_is_not_chosen_is_0_whatever_it_is() -> None:
    x, dy = tf.placeholder(tf.float32, [3]), tf.placeholder(tf.float32, [3])
    choices = [tf.nn.relu(x), tf.maximum(x, 0.0), tf.where(x > 0, x, x * 2)]
    wanted = [tf.gradients(y, x, dy)[0] for y in choices]
    for backend in BACKENDS:
        session = tf.Session(config=tf.ConfigProto(backend=backend))
        found = session.run(wanted, {x: [-1, -1, 1], dy: [np.nan, np.inf, 2]})
        assert found[0].tolist() == found[1].tolist() == [0, 0, 2]


EXPONENTS = [0, 1, 2, 3, 16, -1, -2, -3, 0.5, -0.5, 1.5]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("opened", [False, True])
def test_constant_exponents_mean_what_fed_ones_do(dtype: str, opened: bool) -> None:
    """Roots, too: the power of -0 and -infinity is not their square root."""
    values = specials(dtype)
    x = tf.placeholder(dtype, [None] if opened else values.shape)
    fed = {n: tf.placeholder(dtype, ()) for n in EXPONENTS}
    check(
        {f"{n}": x**n for n in EXPONENTS},
        {f"{n}": x**y for n, y in fed.items()},
        {x: values, **{y: n for n, y in fed.items()}},
    )


@pytest.mark.parametrize("exponent", [0.5, -0.5])
def test_derivatives_of_roots_are_those_of_powers(exponent: float) -> None:
    """But for the sign of a zero, which `+ 0.0` makes positive."""
    values = specials("float64")
    x, y = tf.placeholder(tf.float64, values.shape), tf.placeholder(tf.float64, ())
    constant, fed = _gradient(lambda x: x**exponent), _gradient(lambda x: x**y)
    check(
        {"first": constant(x) + 0.0, "second": _gradient(constant)(x) + 0.0},
        {"first": fed(x) + 0.0, "second": _gradient(fed)(x) + 0.0},
        {x: values, y: exponent},
    )


def test_the_square_root_stays_what_it_is() -> None:
    x = tf.placeholder(tf.float32, [3])
    for backend in BACKENDS:
        session = tf.Session(config=tf.ConfigProto(backend=backend))
        root = session.run(tf.sqrt(x), {x: [-0.0, -np.inf, 4]})
        assert np.signbit(root[0])
        np.testing.assert_array_equal(root, [0, np.nan, 2])
