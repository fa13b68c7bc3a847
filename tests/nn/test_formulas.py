"""Every function of one number against mpmath: values, first and second derivatives, at all sizes.

The points are zeros of both signs, the smallest normal number, the sizes at which functions bend or
saturate, the largest numbers, infinities and NaN. A function is one line of `TABLE`.

An error is measured in epsilons of the exact result, or of the function's `scale` where that is
larger: `1 + tanh(x)` cannot be exact relative to itself where it cancels. What is below the
smallest normal number may be 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

import thalweg as tf

Array = np.ndarray[Any, Any]
Exact = Callable[[Any], Any]
BACKENDS = ("numpy", "llvm")
SIZES = [0, 1e-30, 1e-12, 1e-4, 0.3, 0.5, 1, 1.5, 3, 5.75, 6, 8, 12, 17, 30, 80, 100, 1e4, 1e12]
LARGE = {"float32": [1e19, 1e30, 1e38], "float64": [1e19, 1e30, 1e150]}


def zero(x: float) -> float:
    """The scale of what is accurate relative to itself."""
    return 0


def one(x: float) -> float:
    """The scale of what cancels from numbers of size 1."""
    return 1


def size(x: float) -> float:
    return abs(x)


@dataclass(frozen=True)
class Case:
    """A function and what it should be.

    Attributes:
        build: makes it of a tensor.
        exact: the same of an mpmath number.
        kinks: the first and the second derivative where they are a decision.
        scales: of the value and the derivatives.
        ulps: the greatest error.
        at_infinity: the value by the sign of an infinity, where it is not the limit.
        orders: 1 for what has no gradient.
    """

    build: Callable[[Any], Any]
    exact: Exact
    kinks: Mapping[float, tuple[float, float]] = field(default_factory=dict)
    scales: tuple[Callable[[float], float], ...] = (zero, zero, zero)
    ulps: float = 12
    at_infinity: Mapping[int, float] = field(default_factory=dict)
    orders: int = 3


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(-abs(x))) + max(x, 0)


def _elu(x: Any) -> Any:
    return x if x >= 0 else mp.expm1(x)


# What a product of an infinity and 0 makes of infinite arguments, here as in TensorFlow.
ABOVE, BELOW, NOWHERE = {1: math.nan}, {-1: math.nan}, {1: math.nan, -1: math.nan}
SELU, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _selu(x: Any) -> Any:
    return SELU * (x if x >= 0 else SELU_ALPHA * mp.expm1(x))


def _tanh_gelu(x: Any) -> Any:
    return x / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mpmath.mpf(0.044715) * x**3)))


def _inverse(x: Any) -> Any:
    return 1 / x if x else mp.inf


def _power(exponent: float) -> Case:
    """With an exponent that is not known when the graph is built."""

    def build(x: Any) -> Any:
        return tf.pow(x, tf.placeholder_with_default(np.array(exponent, x.dtype.numpy), ()))

    return _power_by(build, exponent)


def _constant_power(exponent: float) -> Case:
    return _power_by(lambda x: x**exponent, exponent)


def _power_by(build: Callable[[Any], Any], exponent: float) -> Case:
    as_in_c = {} if exponent == int(exponent) else {-1: math.inf if exponent > 0 else 0.0}
    return Case(build, _exact_power(exponent), ulps=12 + 2 * abs(exponent), at_infinity=as_in_c)


def _exact_power(exponent: float) -> Exact:
    power = int(exponent) if exponent == int(exponent) else mpmath.mpf(exponent)
    return lambda x: (x if power >= 0 else _inverse(x)) ** abs(power)


def _logistic(label: float, weight: float | None = None) -> Case:
    q = 1 if weight is None else weight

    def build(x: Any) -> Any:
        labels = tf.ones_like(x) * label
        if weight is None:
            return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=x)
        return tf.nn.weighted_cross_entropy_with_logits(labels, x, weight)

    def exact(x: Any) -> Any:
        return q * label * _softplus(-x) + (1 - mpmath.mpf(label)) * _softplus(x)

    certain = label in (0, 1)
    scale = zero if certain else one
    # Between 0 and 1 the rounding of the label itself tells.
    lost = BELOW if label == 0 else ABOVE if label == 1 else {}
    return Case(build, exact, {}, (zero if certain else size, scale, zero), 16, lost)


TABLE: dict[str, Case] = {
    "abs": Case(tf.abs, abs, {0: (0, 0)}),
    "asinh": Case(tf.asinh, mp.asinh, scales=(zero, one, one)),  # the square overflows
    "atan": Case(tf.atan, mp.atan, scales=(zero, one, one)),
    "ceil": Case(tf.ceil, mp.ceil, orders=1),
    "clip_by_value": Case(
        lambda x: tf.clip_by_value(x, -1.0, 6.0),
        lambda x: min(max(x, -1), 6),
        {-1: (1, 0), 6: (1, 0)},
    ),
    "cosh": Case(tf.cosh, mp.cosh),
    "cos": Case(tf.cos, mp.cos, at_infinity=NOWHERE),
    "erf": Case(tf.erf, mp.erf, ulps=200),  # the derivatives' exponent is rounded
    "exp": Case(tf.exp, mp.exp),
    "expm1": Case(tf.expm1, mp.expm1),
    "floor": Case(tf.floor, mp.floor, orders=1),
    "log": Case(tf.log, mp.log),
    "log1p": Case(tf.log1p, mp.log1p),
    "negative": Case(tf.negative, lambda x: -x),
    "pow 0": _power(0),
    "pow 1": _power(1),
    "pow 2": _power(2),
    "pow 3": _power(3),
    "pow 0.5": _power(0.5),
    "pow 2.5": _power(2.5),
    "pow -1": _power(-1),
    "pow -2": _power(-2),
    "power 0.5": _constant_power(0.5),
    "power -0.5": _constant_power(-0.5),
    "power 2": _constant_power(2),
    "power 5": _constant_power(5),
    "power -1": _constant_power(-1),
    "power -2": _constant_power(-2),
    "power -3": _constant_power(-3),
    "reciprocal": Case(tf.reciprocal, _inverse),
    "rsqrt": Case(tf.rsqrt, lambda x: mp.sqrt(_inverse(x))),
    "sigmoid": Case(tf.sigmoid, _sigmoid, scales=(zero, one, one)),
    "sinh": Case(tf.sinh, mp.sinh),
    "sin": Case(tf.sin, mp.sin, at_infinity=NOWHERE),
    "sqrt": Case(tf.sqrt, mp.sqrt),
    "square": Case(tf.square, lambda x: x * x),
    "squared_difference": Case(
        lambda x: tf.squared_difference(x, 1.0), lambda x: (x - 1) ** 2, ulps=16
    ),
    "tan": Case(tf.tan, mp.tan, at_infinity=NOWHERE),
    "tanh": Case(tf.tanh, mp.tanh, scales=(zero, one, one)),
    "nn.elu": Case(tf.nn.elu, _elu, {0: (1, 0)}),
    "nn.gelu": Case(
        tf.nn.gelu,
        lambda x: x / 2 * mp.erfc(-x / mp.sqrt(2)),
        scales=(size, one, one),
        ulps=40,
        at_infinity=BELOW,
    ),
    "nn.gelu approximate": Case(
        lambda x: tf.nn.gelu(x, approximate=True),
        _tanh_gelu,
        scales=(size, lambda x: min(abs(x), 30) ** 2, lambda x: min(abs(x), 30) ** 3),
        ulps=40,
        at_infinity=BELOW,
    ),
    "nn.leaky_relu": Case(
        tf.nn.leaky_relu, lambda x: x if x > 0 else x * mpmath.mpf(0.2), {0: (0.2, 0)}
    ),
    "nn.leaky_relu 2": Case(
        lambda x: tf.nn.leaky_relu(x, 2.0), lambda x: x if x > 0 else 2 * x, {0: (2, 0)}
    ),
    "nn.leaky_relu -1": Case(lambda x: tf.nn.leaky_relu(x, -1.0), abs, {0: (-1, 0)}),
    "nn.log_sigmoid": Case(tf.nn.log_sigmoid, lambda x: -_softplus(-x), scales=(zero, zero, one)),
    "nn.relu": Case(tf.nn.relu, lambda x: max(x, 0), {0: (0, 0)}),
    "nn.relu6": Case(tf.nn.relu6, lambda x: min(max(x, 0), 6), {0: (0, 0), 6: (0, 0)}),
    "nn.selu": Case(tf.nn.selu, _selu, {0: (SELU, 0)}),
    "nn.softplus": Case(tf.nn.softplus, _softplus, scales=(zero, zero, one)),
    "nn.softsign": Case(
        tf.nn.softsign,
        lambda x: x / (1 + abs(x)),
        {0: (1, 0)},
        (zero, one, one),
        at_infinity=NOWHERE,
    ),
    "nn.swish": Case(
        tf.nn.swish, lambda x: x * _sigmoid(x), scales=(zero, one, size), at_infinity=BELOW
    ),
    "nn.sigmoid_cross_entropy 0": _logistic(0),
    "nn.sigmoid_cross_entropy 1": _logistic(1),
    "nn.sigmoid_cross_entropy 0.25": _logistic(0.25),
    "nn.weighted_cross_entropy 0": _logistic(0, 3.0),
    "nn.weighted_cross_entropy 1": _logistic(1, 3.0),
    "nn.weighted_cross_entropy 0.25": _logistic(0.25, 0.125),
}


def points(dtype: str) -> list[float]:
    sizes = [*SIZES, float(np.finfo(dtype).tiny), *LARGE[dtype]]
    numbers = [float(np.array(s, np.float32 if 1e-38 < s < 1e39 else dtype)) for s in sizes]
    return [sign * n for n in numbers for sign in (1, -1)]


@cache
def results(dtype: str, backend: str) -> dict[str, list[Array]]:
    """Value, first and second derivative of all functions, in one run."""
    with tf.Graph().as_default():
        x = tf.placeholder(dtype, [None])
        made = {name: _with_derivatives(case, x) for name, case in TABLE.items()}
        flat = [t for tensors in made.values() for t in tensors if t is not None]
        with (
            tf.Session(config=tf.ConfigProto(backend=backend)) as session,
            np.errstate(all="ignore"),
        ):
            special = [math.inf, -math.inf, math.nan]
            values = dict(zip(flat, session.run(flat, {x: points(dtype) + special}), strict=True))
    shape = len(points(dtype)) + 3
    return {
        n: [np.zeros(shape, dtype) if t is None else values[t] for t in ts]
        for n, ts in made.items()
    }


def _with_derivatives(case: Case, x: Any) -> list[Any]:
    made = [case.build(x)]
    for _ in range(2):
        made.append(None if made[-1] is None else tf.gradients(made[-1], x)[0])
    assert case.orders == 3 or made[1] is None
    return made


@cache
def exact_values(name: str, x: float) -> list[Any]:
    """The exact value and derivatives, by differences; None where there is no real derivative."""
    case = TABLE[name]
    magnitude = abs(math.log10(abs(x))) if x else 300
    # A power of two, so that differences of straight lines are exact.
    step = mpmath.ldexp(min(abs(x), 1), -40) if x else mpmath.ldexp(1, -520)
    with mp.workdps(200 + 3 * int(magnitude)):
        at = mpmath.mpf(x)
        value = case.exact(at)
        if case.orders == 1:
            return [value]
        if x in case.kinks:
            return [value, *case.kinks[x]]
        below, above = case.exact(at - step), case.exact(at + step)
        derivatives = [(above - below) / (2 * step), (above - 2 * value + below) / step**2]
        smooth = all(_is_real(v) and mpmath.isfinite(v) for v in (value, below, above))
        return [value, *(derivatives if smooth else (None, None))]


def _is_real(value: Any) -> bool:
    return not isinstance(value, mpmath.mpc)


def limit(name: str, sign: int) -> float:
    """The value at an infinity."""
    case = TABLE[name]
    if sign in case.at_infinity:
        return case.at_infinity[sign]
    with mp.workdps(20):
        value = case.exact(mpmath.mpf(10) ** 400 * sign)
    if not _is_real(value):
        return math.nan
    if abs(value) > 500:  # the logarithm is 921
        return math.copysign(math.inf, value)
    return float(value) if abs(value) > 1e-150 else 0.0


def check(case: Case, order: int, x: float, got: float, exact: Any, dtype: str) -> None:
    what = f"derivative {order} at {x!r}: {got!r}, exactly {exact!r}"
    if not _is_real(exact) or math.isnan(exact):
        assert math.isnan(got), what
        return
    with np.errstate(over="ignore"):
        nearest = float(np.array(float(exact), dtype))
    if math.isinf(nearest) or math.isinf(got):
        assert abs(got) == math.inf, what
        assert got == nearest or x == 0, what  # mpmath has no zeros of two signs
        return
    info = np.finfo(dtype)
    scale = max(abs(nearest), case.scales[order](x))
    assert abs(got - nearest) <= case.ulps * info.eps * scale + info.tiny, what


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TABLE)
def test_formula(name: str, dtype: str, backend: str) -> None:
    case, found = TABLE[name], results(dtype, backend)[name]
    for place, x in enumerate(points(dtype)):
        for order, exact in enumerate(exact_values(name, x)):
            if exact is not None:
                check(case, order, x, float(found[order][place]), exact, dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TABLE)
def test_infinity_and_nan(name: str, dtype: str, backend: str) -> None:
    case, found = TABLE[name], results(dtype, backend)[name]
    for place, sign in ((-3, 1), (-2, -1)):
        check(case, 0, math.inf * sign, float(found[0][place]), limit(name, sign), dtype)
    if name != "pow 0":  # which is 1 everywhere, as in C
        assert math.isnan(found[0][-1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", TABLE)
def test_zero_keeps_its_sign(name: str, backend: str) -> None:
    """Where f(x) is about a multiple of x; a zero that adds up from others is positive."""
    if 0 not in TABLE[name].kinks and exact_values(name, 0.0)[0] == 0:
        value = results("float32", backend)[name][0]
        small = float(exact_values(name, points("float32")[2])[0])
        assert math.copysign(1, value[0]) == math.copysign(1, small)
