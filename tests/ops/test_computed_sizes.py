"""Values that decide about shapes, another one in each run: a plan serves it, or another is made.

Every record with such inputs is fed some values in turn in one session, and compared with NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import thalweg as tf
from tests.ops.running import Array, check_close, evaluate
from thalweg.base import dtypes
from thalweg.base.dtypes import as_dtype
from thalweg.graph import Graph, Op, Tensor
from thalweg.ops.arrays.boxes import DynamicSlice, DynamicSliceGrad
from thalweg.ops.arrays.broadcast import DynamicBroadcast, DynamicTile, DynamicTileGrad
from thalweg.ops.arrays.constant import Placeholder
from thalweg.ops.arrays.create import DynamicOneHot
from thalweg.ops.arrays.pad import DynamicPad
from thalweg.ops.arrays.ranges import Range
from thalweg.ops.arrays.reshape import DynamicReshape, DynamicTranspose
from thalweg.ops.arrays.slicing import StridedSlice, StridedSliceGrad
from thalweg.ops.catalogue import ALL
from thalweg.ops.control.control_flow import ControlFlow
from thalweg.ops.random.distributions import RandomOfShape

# Some examples are compiled anew, so there are few, and failing ones are not made smaller.
few = settings(
    max_examples=12, derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate)
)

Draw = st.DrawFn
Inputs = list[Any]


def numbers(*shape: int) -> Array:
    return np.sin(np.arange(1, np.prod(shape) + 1)).astype(np.float32).reshape(shape)


def ints(*values: Any) -> Array:
    return np.array(values, np.int32)


def extents(draw: Draw, rank: int = 2) -> list[int]:
    """Many a number is another extent or has a meaning of its own, as 1 has."""
    return draw(st.lists(st.integers(1, 6), min_size=rank, max_size=rank))


def reshape(draw: Draw) -> Inputs:
    a, b, c = extents(draw, 3)
    target = draw(st.sampled_from([(a * b, c), (c, a * b), (b, -1), (-1, a), (a * b * c, 1)]))
    return [numbers(a, b, c), ints(*target)]


def range_(draw: Draw) -> Inputs:
    start, steps = draw(st.integers(-4, 4)), draw(st.integers(0, 9))
    delta = draw(st.sampled_from([1, 2, -1, -3]))
    return [np.int32(start), np.int32(start + steps * delta), np.int32(delta)]


def broadcast(draw: Draw) -> Inputs:
    a, b = extents(draw)
    return [numbers(1, b), ints(a, b)]


def slice_(draw: Draw) -> Inputs:
    a, b = extents(draw)
    begin = [draw(st.integers(0, a - 1)), draw(st.integers(0, b - 1))]
    size = [draw(st.sampled_from([-1, 0, n - at])) for n, at in zip((a, b), begin, strict=True)]
    return [numbers(a, b), ints(*begin), ints(*size)]


def slice_grad(draw: Draw) -> Inputs:
    x, begin, _ = slice_(draw)
    rows, columns = (n - at for n, at in zip(x.shape, begin.tolist(), strict=True))
    return [numbers(rows, columns), x, begin]


BOUNDS = StridedSlice((("?", "?", None), "new", (None, "?", "?")))


def strided_slice(draw: Draw) -> Inputs:
    bounds = draw(st.lists(st.integers(-4, 7), min_size=3, max_size=3))
    step = draw(st.sampled_from([1, 2, -1]))
    return [numbers(*extents(draw)), *map(np.int32, bounds), np.int64(step)]


def strided_slice_grad(draw: Draw) -> Inputs:
    x, *bounds = strided_slice(draw)
    return [numbers(*BOUNDS.evaluate(np, x, *bounds).shape), x, *bounds]


def tile(draw: Draw) -> Inputs:
    return [
        numbers(*extents(draw)),
        ints(*draw(st.lists(st.integers(0, 4), min_size=2, max_size=2))),
    ]


def tile_grad(draw: Draw) -> Inputs:
    (a, b), (m, n) = extents(draw), extents(draw)
    return [numbers(a * m, b * n), numbers(a, b), ints(m, n)]


def transpose(draw: Draw) -> Inputs:
    return [numbers(*extents(draw, 3)), ints(*draw(st.permutations([0, 1, 2])))]


def pad(draw: Draw) -> Inputs:
    around = draw(st.lists(st.integers(0, 3), min_size=4, max_size=4))
    return [numbers(*extents(draw)), ints(*around).reshape(2, 2)]


def one_hot(draw: Draw) -> Inputs:
    (count,) = extents(draw, 1)
    return [ints(*range(count)), np.int32(draw(st.integers(1, 6)))]


def random(draw: Draw) -> Inputs:
    return [ints(*extents(draw)), np.int64(draw(st.integers(0, 3)))]


CASES: dict[type[Op], tuple[list[Op], Callable[[Draw], Inputs]]] = {
    DynamicReshape: ([DynamicReshape()], reshape),
    DynamicBroadcast: ([DynamicBroadcast()], broadcast),
    DynamicSlice: ([DynamicSlice()], slice_),
    DynamicSliceGrad: ([DynamicSliceGrad()], slice_grad),
    StridedSlice: ([BOUNDS], strided_slice),
    StridedSliceGrad: ([StridedSliceGrad(BOUNDS.items)], strided_slice_grad),
    DynamicTile: ([DynamicTile()], tile),
    DynamicTileGrad: ([DynamicTileGrad()], tile_grad),
    DynamicTranspose: ([DynamicTranspose(), DynamicTranspose(True)], transpose),
    DynamicPad: ([DynamicPad(0.5)], pad),
    DynamicOneHot: ([DynamicOneHot(0, dtypes.float32), DynamicOneHot(-1, dtypes.int32)], one_hot),
    RandomOfShape: ([RandomOfShape("RandomUniform", dtypes.float32, (3, 4))], random),
    Range: ([Range()], range_),
}


def test_every_record_that_a_value_decides_about_is_tried() -> None:
    """But for loops and branches, which have the static inputs of their bodies."""
    records = {record for record in ALL if not issubclass(record, ControlFlow)}
    assert {record for record in records if record.static} <= CASES.keys()


@st.composite
def some_inputs(draw: Draw, record: type[Op]) -> list[Inputs]:
    return [CASES[record][1](draw) for _ in range(draw(st.integers(2, 5)))]


def fed(graph: Graph, like: Array) -> Tensor:
    return graph.add(Placeholder(as_dtype(like.dtype), (None,) * like.ndim)).outputs[0]


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
@pytest.mark.parametrize("record", CASES)
def test_each_value_has_its_result(record: type[Op], backend: str) -> None:
    @few
    @given(some_inputs(record))
    def run(cases: list[Inputs]) -> None:
        graph = Graph()
        inputs = [fed(graph, np.asarray(x)) for x in cases[0]]
        ops = CASES[record][0]
        made = [graph.add(op, inputs).outputs[0] for op in ops]
        with tf.Session(graph=graph, config=tf.ConfigProto(backend=backend)) as session:
            for arrays in cases:
                found = session.run(made, dict(zip(inputs, arrays, strict=True)))
                for op, y in zip(ops, found, strict=True):
                    wanted = evaluate(op, [np.asarray(x) for x in arrays])[0]
                    # A sum of copies has at most 36 terms, none of them above 1.
                    check_close(y, wanted, terms=36, scale=36)

    run()


# -- what users write


def session_of(*runs: tuple[Any, Any, Any]) -> tf.Session:
    """A session after some runs: what is fetched and fed, and what must come of it."""
    session = tf.Session()
    for fetches, feeds, wanted in runs:
        np.testing.assert_array_equal(session.run(fetches, feeds), wanted)
    return session


def new_plans(session: tf.Session) -> int:
    return sum("the plan holds" not in line for line in session.why_recompiled)


N = 1_000


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda x, n: tf.reshape(x * 2, [n, -1]), lambda x, n: (x * 2).reshape(n, -1)),
        (lambda x, n: tf.range(n), lambda x, n: np.arange(n)),
        (lambda x, n: tf.range(n, 3 * n, 2) * 2, lambda x, n: np.arange(n, 3 * n, 2) * 2),
        (lambda x, n: tf.zeros([n, 3]) + 1, lambda x, n: np.ones((n, 3))),
        (lambda x, n: tf.fill([2, n], 5), lambda x, n: np.full((2, n), 5)),
        (lambda x, n: tf.tile(x, [n]), lambda x, n: np.tile(x, n)),
        (lambda x, n: tf.slice(x, [n], [2 * n]), lambda x, n: x[n : 3 * n]),
        (lambda x, n: tf.pad(x, [[n, 2]]), lambda x, n: np.pad(x, (n, 2))),
        (lambda x, n: tf.one_hot([2, 0], n), lambda x, n: np.eye(n, dtype="f")[[2, 0]]),
        (
            lambda x, n: tf.shape(tf.random_normal([n, 4])) + 0 * tf.size(x),
            lambda x, n: [n, 4],
        ),
    ],
)
def test_a_new_value_costs_no_plan(make: Any, wanted: Any) -> None:
    x, n = tf.placeholder(tf.float32, [N]), tf.placeholder(tf.int32, [])
    made, array = make(x, n), np.arange(N, dtype=np.float32)
    runs = [(made, {x: array, n: value}, wanted(array, value)) for value in (5, 8, 10, 20, 40)]
    assert new_plans(session_of(*runs)) == 1


def test_gradients_follow_the_value() -> None:
    x, n = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [])
    part = tf.pad(tf.tile(x[None], [n, 2]), [[n, 0], [0, 0]])
    (gradient,) = tf.gradients(part * part, x)
    array = np.arange(1.0, 8.0, dtype=np.float32)
    # A multiple that is an extent by chance has a plan of its own.
    session = session_of(*[(gradient, {x: array, n: k}, 4 * k * array) for k in (5, 9, 11, 12, 30)])
    assert new_plans(session) == 1


def test_a_size_may_follow_from_many_numbers() -> None:
    lengths = tf.placeholder(tf.int32, [None])
    mask = tf.range(tf.reduce_max(lengths))[None] < lengths[:, None]
    runs = []
    for values in ([3, 5, 4], [2, 9, 9], [7, 2, 8], [6, 5, 2, 7], [4] * 9):
        array = np.array(values)
        runs.append((mask, {lengths: values}, np.arange(array.max()) < array[:, None]))
    assert new_plans(session_of(*runs)) == 3  # the stages, and two segments


def test_a_size_may_follow_from_a_variable() -> None:
    n, x = tf.Variable(4, name="n"), tf.placeholder(tf.float32, [None])
    y = tf.reshape(x, [n, -1]) * tf.cast(tf.range(n)[:, None], tf.float32)
    grow, array = n.assign_add(n), np.arange(64.0, dtype=np.float32)
    session = tf.Session()
    for size in (4, 8, 16):
        found = session.run(y, {x: array})
        np.testing.assert_array_equal(found, array.reshape(size, -1) * np.arange(size)[:, None])
        session.run(grow)
    assert sum("the plan holds" in line for line in session.why_recompiled) == 2


def test_a_range_takes_variables_and_another_type() -> None:
    n = tf.Variable(4)
    session_of(
        (tf.range(n), {}, np.arange(4)),
        (tf.range(1, n, dtype=tf.float32), {}, [1.0, 2.0, 3.0]),
        (tf.range(n.read_value() * 2, 1, -n), {}, [8, 4]),
    )


def test_a_shape_may_have_any_rank() -> None:
    shape = tf.placeholder(tf.int32, [None])
    y = tf.ones(shape) * 3
    runs = [(y, {shape: s}, np.full(s, 3)) for s in ([2, 3], [4], [], [3, 5], [5], [2, 1, 4])]
    assert new_plans(session_of(*runs)) <= 5  # one for each rank, one for an extent of 1


def test_a_range_may_be_a_shape() -> None:
    n = tf.placeholder(tf.int32, [])
    y = tf.ones(tf.range(1, n)) * 3
    session_of(*[(y, {n: k}, np.full(np.arange(1, k), 3)) for k in (3, 4, 3, 1, 5)])


def test_any_tensor_may_be_fed_a_size() -> None:
    m = tf.placeholder(tf.int32, [])
    n = m * 2 + tf.Variable(1)
    y = tf.ones([n, m]) * 3
    runs = [(y, {n: k, m: j}, np.full((k, j), 3)) for k, j in ((5, 7), (7, 8), (9, 4))]
    assert new_plans(session_of(*runs)) == 1


def test_a_value_may_decide_about_a_shape_and_be_computed_with() -> None:
    n, x = tf.placeholder(tf.int32, []), tf.placeholder(tf.float32, [None])
    y = tf.fill([n], tf.cast(n, tf.float32)) ** 2 + tf.reduce_sum(x) * tf.cast(n, tf.float32)
    ones = np.ones(7)
    runs = [(y, {n: k, x: ones}, np.full(k, k * k + 7.0 * k)) for k in (5, 9, 12)]
    assert new_plans(session_of(*runs)) == 1


def test_what_was_fed_may_be_changed_afterwards() -> None:
    v = tf.placeholder(tf.int32, [2])
    y, array, session = tf.ones(v) * tf.cast(tf.reduce_sum(v), tf.float32), ints(3, 4), tf.Session()
    for rows in (3, 5):
        array[0] = rows
        np.testing.assert_array_equal(session.run(y, {v: array}), np.full((rows, 4), rows + 4))
    array[:] = 9
    for rows in (3, 5):
        found = session.run(y, {v: [rows, 4]})
        np.testing.assert_array_equal(found, np.full((rows, 4), rows + 4))


def test_equal_random_numbers_whatever_plan_draws_them() -> None:
    n = tf.placeholder(tf.int32, [])
    y = tf.random_normal([n], seed=3)
    replaying, planning = tf.Session(), tf.Session()
    replaying.run(y, {n: 9})
    planning.run([])
    np.testing.assert_array_equal(replaying.run(y, {n: 6}), planning.run(y, {n: 6}))


def test_a_value_that_does_not_fit_is_an_error_with_the_line() -> None:
    x, n = tf.placeholder(tf.float32, [12]), tf.placeholder(tf.int32, [])
    cases = [
        (tf.reshape(x * 2, [n, -1]), 5, "12 elements"),
        (tf.range(n) * 2, -1, "steps of 1 do not lead from 0 to -1"),
        (tf.tile(x, [n]), -2, "cannot be negative"),
        (tf.pad(x, [[n, 0]]), -2, "cannot be negative"),
        (tf.slice(x, [n], [4]), 9, "is not in"),
    ]
    session = tf.Session()
    for y, bad, text in cases:
        session.run(y, {n: 3, x: np.ones(12)})
        with pytest.raises(ValueError, match=rf"{text}[^$]*test_computed_sizes\.py"):
            session.run(y, {n: bad, x: np.ones(12)})
        session.run(y, {n: 4, x: np.ones(12)})


def test_steps_of_a_loop_take_the_same_value() -> None:
    n, v = tf.placeholder(tf.int32, []), tf.Variable(0.0)
    step = v.assign_add(tf.reduce_sum(tf.ones([n])))
    session = tf.Session()
    assert session.run_steps(step, 3, {n: 5}).tolist() == [5, 10, 15]
    assert session.run_steps(step, 2, {n: 7}).tolist() == [22, 29]
    assert session.why_recompiled[-1].endswith("decides about shapes (the plan holds)")
