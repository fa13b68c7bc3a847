from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import special

import thalweg as tf
from thalweg.base import dtypes
from thalweg.base.errors import DTypeError, InvalidArgumentError, ShapeError
from thalweg.graph import Graph, Operation, Tensor, default_graph
from thalweg.ops.arrays.constant import RunCounter
from thalweg.ops.build import constant_like
from thalweg.ops.random import distributions, philox, random, seeds

Array = np.ndarray[Any, Any]

# Random123's known answers: counter, key, result.
KNOWN: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def run(tensor: Tensor, counter: int = 0) -> Array:
    """The value in the run of that number."""
    done: dict[Operation, Any] = {}

    def visit(t: Tensor) -> Any:
        if isinstance(t.op.record, RunCounter):
            return np.int64(counter)
        if t.op not in done:
            done[t.op] = t.op.record.evaluate(np, *map(visit, t.op.inputs))
        return done[t.op]

    with np.errstate(all="ignore"):
        return np.asarray(visit(tensor))


def run_natively(tensor: Tensor) -> Array:
    """The value in a session's first run."""
    with tf.Session(graph=tensor.graph) as session:
        return np.asarray(session.run(tensor))


def test_known_answers() -> None:
    for counter, key, expected in KNOWN:
        words = philox.philox4x32([np.uint64(c) for c in counter], key)
        assert tuple(map(int, words)) == expected


def test_numbers_are_made_of_the_words_as_documented() -> None:
    key, run_number, element = (-7, 3), 2**34 + 5, 2**33 + 9
    counter = (element & 0xFFFFFFFF, element >> 32, run_number & 0xFFFFFFFF, run_number >> 32)
    words = [int(w) for w in philox.philox4x32([np.uint64(c) for c in counter], key)]
    at = np.array(element)
    for n in range(4):
        number = philox.unit(key, run_number, at, n, dtypes.float32)
        assert number.dtype == np.float32
        assert number == (words[n] >> 8) * 2.0**-24
    for n in range(2):
        number = philox.unit(key, run_number, at, n, dtypes.float64)
        assert number == ((words[2 * n] >> 5) * 2**26 + (words[2 * n + 1] >> 6)) * 2.0**-53


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_moments(dtype: str) -> None:
    count = 100_000
    with Graph().as_default():
        seeds.set_random_seed(3)
        uniform = run(random.random_uniform([count], -1.0, 3.0, dtype)).astype(np.float64)
        normal = run(random.random_normal([count], 2.0, 3.0, dtype)).astype(np.float64)
        cut = run(random.truncated_normal([count], 0.0, 2.0, dtype)).astype(np.float64)
    error = 5 / math.sqrt(count) if dtype[:5] == "float" and dtype != "float16" else 0.02
    assert abs(uniform.mean() - 1) < 2 * error
    assert uniform.min() >= -1
    assert uniform.max() < 3
    assert abs(normal.mean() - 2) < 3 * error
    assert abs(normal.std() - 3) < 3 * error
    assert abs(np.mean(np.abs(normal - 2) < 3) - 0.6827) < 3 * error
    assert np.abs(cut).max() <= 4
    assert abs(cut.mean()) < 2 * error
    assert abs(cut.std() - 2 * 0.8796) < 2 * error


@pytest.mark.parametrize(("dtype", "bound"), [(dtypes.float32, 4e-7), (dtypes.float64, 2e-15)])
def test_the_inverse_error_function(dtype: dtypes.DType, bound: float) -> None:
    edge = math.erf(math.sqrt(2))
    x = np.linspace(-edge, edge, 10_001, dtype=dtype.numpy)
    got = distributions._erfinv(x, partial(distributions._evaluated, np), dtype)
    assert got.dtype == dtype.numpy
    expected = special.erfinv(x.astype(np.float64))
    assert np.abs(got - expected).max() < bound * 2


def test_integers_cover_their_range() -> None:
    with Graph().as_default():
        seeds.set_random_seed(1)
        values = run(random.random_uniform([10_000], -3, 4, "int32"))
        assert values.dtype == np.int32
        assert set(values.tolist()) == set(range(-3, 4))
        wide = run(random.random_uniform([100], 0, 2**40, "int64"))
        assert wide.max() > 2**38


RANGES = [
    ("int32", -(2**31), 2**31),
    ("int32", -(2**31), 2**31 - 1),
    ("int32", -5, 2**31 - 1),
    ("int64", -(2**63), 2**63),
    ("int64", 0, 2**63 - 1),
    ("int64", -(2**62), 2**62 + 2**61),
    ("int64", 7, 3 * 2**61 + 7),
    ("int64", 0, 2**53 + 1),
    ("int64", -3, 2**50),
]


@pytest.mark.parametrize(("dtype", "low", "high"), RANGES)
@pytest.mark.parametrize("computed", [False, True])
def test_integers_of_wide_ranges(dtype: str, low: int, high: int, computed: bool) -> None:
    """All parts of the range are as frequent, and so are the last bits."""
    count, width = 40_000, high - low
    if computed and high > np.iinfo(dtype).max:
        pytest.skip("no tensor holds the bound")
    with Graph().as_default():
        bounds: list[Any] = [low, high]
        if computed:
            bounds = [constant_like(default_graph(), np.array(b, dtype)) for b in bounds]
        draws = random.random_uniform([count], bounds[0], bounds[1], dtype, seed=5)
        values, native = run(draws), run_natively(draws)
    np.testing.assert_array_equal(native, values)
    numbers = [int(v) - low for v in values.tolist()]
    assert 0 <= min(numbers) < width / 1000
    assert width * 0.999 < max(numbers) < width
    eighths = np.bincount([n * 8 // width for n in numbers], minlength=8)
    assert np.abs(eighths / count - 1 / 8).max() < 5 * math.sqrt(1 / 8 / count)
    for bit in range(8):
        ones = sum(n >> bit & 1 for n in numbers)
        assert abs(ones / count - 0.5) < 2.5 / math.sqrt(count)


def test_wide_integers_are_those_of_the_exact_product() -> None:
    count = 2**63 - 12345
    with Graph().as_default():
        values = run(random.random_uniform([50], -17, count - 17, "int64", seed=3))
        u = random.random_uniform([50], dtype="float64", seed=3)
        record = random.RandomUniformRest((50,), dtypes.float64, u.op.record.key)  # type: ignore[attr-defined]
        first, rest = run(u), record.evaluate(np, np.int64(0))
    for value, a, b in zip(values.tolist(), first.tolist(), rest.tolist(), strict=True):
        w = int(a * 2**53) << 37 | int(b * 2**53) >> 16
        assert value == (w * count >> 90) - 17


FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("computed", [False, True])
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 1),
        (-1, 0),
        (0, 0),
        (3, 3),
        (-3, -3),
        (1, 1.01),
        (-1e-30, 1e-30),
        (-60_000, 60_000),
        (-1, -0.99),
    ],
)
def test_the_upper_bound_is_never_drawn(
    low: float, high: float, dtype: str, computed: bool
) -> None:
    kind = dtypes.as_dtype(dtype)
    ends = [np.array(b, kind.numpy) for b in (low, high)]
    width = ends[1].astype(float) - ends[0].astype(float)
    if computed and width > float(kind.max):
        pytest.skip("the difference of these tensors is infinite")
    with Graph().as_default():
        bounds: list[Any] = [low, high]
        if computed:
            bounds = [constant_like(default_graph(), end) for end in ends]
        draws = random.random_uniform([30_000], bounds[0], bounds[1], dtype, seed=2)
        for values in (run(draws), run_natively(draws)):
            wide = values.astype(np.float64)
            assert (values >= ends[0]).all()
            assert (values < ends[1]).all() or (values == ends[0]).all()
            assert abs(wide.mean() - (low + high) / 2) <= 0.02 * width + 0.005 * abs(high)


def test_numbers_chosen_by_themselves() -> None:
    """A choice reads only what it takes, but the run's number is the same for all elements."""
    with Graph().as_default():
        draws = random.random_uniform([1000], seed=2)
        chosen = tf.where(draws < 0.5, draws, draws + 1.0)
        np.testing.assert_array_equal(run_natively(chosen), run(chosen))


def test_floats_of_the_widest_range() -> None:
    with Graph().as_default():
        draws = random.random_uniform([10_000], -3.4e38, 3.4e38, seed=1)
        for values in (run(draws), run_natively(draws)):
            assert np.isfinite(values).all()
            assert abs((values > 1.7e38).mean() - 0.25) < 0.02


def build(graph_seed: int | None, op_seed: int | None, before: int = 0) -> Array:
    with Graph().as_default():
        seeds.set_random_seed(graph_seed)
        for _ in range(before):
            random.random_normal([1])
        return run(random.random_uniform([8], seed=op_seed))


def test_seeds() -> None:
    assert (build(5, None) == build(5, None)).all()
    assert (build(5, None) != build(6, None)).any()
    assert (build(5, None, before=1) != build(5, None)).any()
    assert (build(None, 5) == build(None, 5)).all()
    assert (build(5, 7, before=1) == build(5, 7)).all()
    assert (build(None, None) != build(None, None)).any()
    assert (build(2**40 + 1, -3) == build(2**40 + 1, -3)).all()


def test_each_run_draws_anew_from_one_counter() -> None:
    with Graph().as_default() as graph:
        a = random.random_normal([5], seed=1, name="mine")
        random.random_normal([5], seed=2)
        assert a.op.name == "mine"
        assert (run(a, 0) != run(a, 1)).all()
        assert sum(isinstance(op.record, RunCounter) for op in graph.operations) == 1


def test_mistakes_are_explained() -> None:
    with Graph().as_default():
        with pytest.raises(InvalidArgumentError, match="needs maxval"):
            random.random_uniform([2], dtype="int32")
        with pytest.raises(InvalidArgumentError, match="is not below"):
            random.random_uniform([2], 3, 3, dtype="int32")
        with pytest.raises(InvalidArgumentError, match="is not below"):
            random.random_uniform([2], 3.0, 2.0)
        with pytest.raises(InvalidArgumentError, match="are not a range of int32"):
            random.random_uniform([2], 0, 2**31 + 1, dtype="int32")
        with pytest.raises(DTypeError, match="floating"):
            random.random_normal([2], dtype="int32")
        with pytest.raises(ShapeError):
            random.random_normal([2, -1])
