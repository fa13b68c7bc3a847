"""Loops and branches against what Python computes step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import DTypeError, FetchError, GraphError, InvalidArgumentError, ShapeError

X = np.array([1.5, -2.0, 3.0, 0.25], np.float32)
CONFIG: dict[str, Any] = {"backend": "llvm"}


@pytest.fixture(params=["llvm", "numpy"], autouse=True)
def _on_each_backend(request: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(CONFIG, "backend", request.param)


def session() -> tf.Session:
    return tf.Session(config=tf.ConfigProto(**CONFIG))


def run(fetches: Any, feeds: Any = None) -> Any:
    with session() as one:
        return one.run(fetches, feeds)


def test_a_while_loop_repeats_its_body() -> None:
    x = tf.placeholder(tf.float32, [None])
    i, total = tf.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s * 2 + x), [0, x * 0])
    for size in (4, 2):
        expected = np.zeros(size, np.float32)
        for _ in range(5):
            expected = expected * 2 + X[:size]
        found = run([i, total], {x: X[:size]})
        assert found[0] == 5
        np.testing.assert_array_equal(found[1], expected)


def test_a_while_loop_may_not_run_at_all() -> None:
    assert run(tf.while_loop(lambda i: i < 0, lambda i: i + 1, [3])) == 3


def test_maximum_iterations_end_a_loop() -> None:
    assert run(tf.while_loop(lambda i: i >= 0, lambda i: i + 2, [0], maximum_iterations=7)) == 14


def test_nested_structures_of_loop_variables_keep_their_form() -> None:
    variables = (tf.constant(0), {"b": [tf.constant(1.0)], "a": tf.constant([2.0])})

    def body(i: Any, d: Any) -> Any:
        return i + 1, {"a": d["a"] * 2, "b": [d["b"][0] + d["a"][0]]}

    i, d = tf.while_loop(lambda i, d: i < 3, body, variables)
    found = run([i, d["a"], d["b"][0]])
    assert found[0] == 3
    assert found[1].tolist() == [16]
    assert found[2] == 1 + 2 + 4 + 8


def test_loops_nest() -> None:
    def inner(i: Any, total: Any) -> Any:
        return tf.while_loop(lambda j, s: j < i, lambda j, s: (j + 1, s + j * i), [0, total])[1]

    _, total = tf.while_loop(lambda i, s: i < 6, lambda i, s: (i + 1, inner(i, s)), [0, 0])
    assert run(total) == sum(i * j for i in range(6) for j in range(i))


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_gives_all_results(reverse: bool) -> None:
    x = tf.placeholder(tf.float32, [None])
    scanned = tf.scan(lambda a, e: a * 0.5 + e, x, reverse=reverse)
    started = tf.scan(lambda a, e: a * 0.5 + e, x, 10.0, reverse=reverse)
    order = X[::-1] if reverse else X
    expected, other = [order[0]], []
    for e in order[1:]:
        expected.append(expected[-1] * np.float32(0.5) + e)
    a = np.float32(10)
    for e in order:
        a = a * np.float32(0.5) + e
        other.append(a)
    found = run([scanned, started], {x: X})
    np.testing.assert_array_equal(found[0], expected[::-1] if reverse else expected)
    np.testing.assert_array_equal(found[1], other[::-1] if reverse else other)


def test_folds_give_the_last_result() -> None:
    x = tf.placeholder(tf.float32, [None])
    folds = [f(lambda a, e: a - e, x) for f in (tf.foldl, tf.foldr)]
    folds += [f(lambda a, e: a - e, x, 1.0) for f in (tf.foldl, tf.foldr)]
    total = X[1:].sum(), X[:-1].sum(), X.sum()
    expected = [X[0] - total[0], X[-1] - total[1], 1 - total[2], 1 - total[2]]
    np.testing.assert_array_equal(run(folds, {x: X}), expected)


def test_map_fn_takes_and_gives_structures() -> None:
    x, y = tf.constant(X), tf.constant(np.arange(4))
    made = tf.map_fn(lambda e: {"s": e[0], "n": e[1] * 2}, (x, y), {"s": tf.float32, "n": tf.int64})
    found = run([made["s"], made["n"]])
    np.testing.assert_array_equal(found[0], X)
    np.testing.assert_array_equal(found[1], np.arange(4) * 2)
    with pytest.raises(DTypeError, match="give dtype"):
        tf.map_fn(lambda e: tf.cast(e, tf.int32), x)


def test_map_fn_of_nothing_is_empty() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    assert run(tf.map_fn(lambda row: row * 2, x), {x: np.zeros([0, 3])}).shape == (0, 3)


@pytest.mark.parametrize("value", [1.0, -1.0])
def test_cond_runs_one_branch(value: float) -> None:
    x = tf.placeholder(tf.float32, [])
    v, w = tf.Variable(0.0), tf.Variable(0.0)
    both = tf.cond(x > 0, lambda: (v.assign(x), x * 2), lambda: (w.assign(x), x * 3))
    with session() as one:
        found = one.run(both, {x: value})
        assert found[1] == (2 if value > 0 else -3)
        assert one.run([v, w]) == ([1, 0] if value > 0 else [0, -1])


def test_cond_takes_operations_and_unpacks_a_single_result() -> None:
    v = tf.Variable(0.0)
    done = tf.cond(tf.constant(True), lambda: v.assign(3.0).op, lambda: tf.no_op())
    single = tf.cond(tf.constant(False), lambda: [1.0], lambda: [2.0])
    strict = tf.cond(tf.constant(False), lambda: [1.0], lambda: [2.0], strict=True)
    assert isinstance(strict, list)
    with session() as one:
        assert one.run([done, single, strict[0]]) == [True, 2, 2]
        assert one.run(v) == 3


def test_case_takes_the_first_predicate_that_holds() -> None:
    x = tf.placeholder(tf.int32, [])
    pairs = [(x > 10, lambda: 1.0), (x > 5, lambda: 2.0)]
    with_default = tf.case(pairs, lambda: 3.0)
    without = tf.case(pairs)
    exclusive = tf.case(pairs, lambda: 3.0, exclusive=True)
    assert [run(with_default, {x: n}) for n in (11, 6, 0)] == [1, 2, 3]
    assert [run(without, {x: n}) for n in (11, 6)] == [1, 2]
    with pytest.raises(InvalidArgumentError, match="the number of false predicates"):
        run(without, {x: 0})
    assert [run(exclusive, {x: n}) for n in (6, 0)] == [2, 3]
    with pytest.raises(InvalidArgumentError, match="the number of true predicates"):
        run(exclusive, {x: 11})


# -- variables


def test_assignments_in_a_loop_happen_in_order() -> None:
    v = tf.Variable([1.0, 2.0])
    seen = tf.Variable(tf.zeros([2]))

    def body(i: Any) -> Any:
        with tf.control_dependencies([v.assign_add([1.0, 1.0])]):
            doubled = v.assign(v.read_value() * 2)
        with tf.control_dependencies([doubled]), tf.control_dependencies([seen.assign_add(v)]):
            return i + 1

    after = tf.while_loop(lambda i: i < 3, body, [0])
    value, total = np.array([1.0, 2.0], np.float32), np.zeros(2, np.float32)
    for _ in range(3):
        value = (value + 1) * 2
        total += value
    with session() as one:
        assert one.run(after) == 3
        np.testing.assert_array_equal(one.run(v), value)
        np.testing.assert_array_equal(one.run(seen), total)


def test_what_nothing_depends_on_is_not_assigned() -> None:
    v = tf.Variable(1.0)

    def body(i: Any) -> Any:
        v.assign_add(1.0)
        return i + 1

    after = tf.while_loop(lambda i: i < 3, body, [0])
    with session() as one:
        assert one.run([after, v]) == [3, 1]
        assert one.run(v) == 1


def test_assignments_in_nested_loops_and_branches() -> None:
    v = tf.Variable(0)

    def add(n: Any) -> Any:
        return tf.cond(tf.equal(n % 2, 0), lambda: v.assign_add(n), lambda: v.assign_sub(1))

    def inner(i: Any) -> Any:
        def body(j: Any) -> Any:
            with tf.control_dependencies([add(i * j)]):
                return j + 1

        return tf.while_loop(lambda j: j < 4, body, [0])

    def outer(i: Any) -> Any:
        with tf.control_dependencies([inner(i)]):
            return i + 1

    expected = 0
    for i in range(5):
        for j in range(4):
            expected += i * j if i * j % 2 == 0 else -1
    after = tf.while_loop(lambda i: i < 5, outer, [0])
    with session() as one:
        one.run(after)
        assert one.run(v) == expected


def test_the_condition_sees_what_the_body_has_assigned() -> None:
    v = tf.Variable(1.0)

    def body(i: Any) -> Any:
        with tf.control_dependencies([v.assign(v * 2)]):
            return i + 1

    assert run(tf.while_loop(lambda i: v.read_value() < 100, body, [0])) == 7


def test_a_variable_made_in_a_body_lies_outside() -> None:
    def body(i: Any, total: Any) -> Any:
        w = tf.Variable(tf.random_normal([2, 2], seed=3), name="w")
        return i + 1, total + w

    _, total = tf.while_loop(lambda i, t: i < 3, body, [0, tf.zeros([2, 2])])
    (w,) = tf.trainable_variables()
    assert w.graph is tf.get_default_graph()
    found = run([w, total])
    np.testing.assert_allclose(found[1], found[0] * 3, rtol=1e-6)


# -- random numbers


def test_each_iteration_draws_other_numbers() -> None:
    tf.set_random_seed(5)
    x = tf.zeros([4, 3])
    mapped = tf.map_fn(lambda row: tf.map_fn(lambda e: e + tf.random_uniform([2]), row), x)
    with session() as one:
        first, second = one.run(mapped), one.run(mapped)
    assert len(np.unique(np.stack([first, second]))) == 2 * 4 * 3 * 2


def test_random_numbers_are_the_same_on_every_backend() -> None:
    tf.set_random_seed(5)
    mapped = tf.map_fn(lambda e: e + tf.random_uniform([2]), tf.zeros([3]))
    chosen = tf.cond(mapped[0, 0] >= 0, lambda: tf.random_uniform([2]), lambda: tf.zeros([2]))
    with session() as one, tf.Session(config=tf.ConfigProto(backend="numpy")) as other:
        for _ in range(2):
            for a, b in zip(one.run([mapped, chosen]), other.run([mapped, chosen]), strict=True):
                np.testing.assert_array_equal(a, b)


# -- errors


def test_a_shape_that_changes_is_reported_with_the_users_line() -> None:
    with pytest.raises(ShapeError, match="is not an invariant") as caught:
        tf.while_loop(lambda x: True, lambda x: tf.concat([x, x], 0), [tf.zeros([2])])
    assert "test_loops.py" in str(caught.value)
    with pytest.raises(DTypeError, match="after an iteration"):
        tf.while_loop(lambda x: True, lambda x: tf.cast(x, tf.int32), [tf.zeros([2])])


def test_other_mistakes_are_reported() -> None:
    x = tf.zeros([2])
    with pytest.raises(InvalidArgumentError, match="differ"):
        tf.while_loop(lambda x: True, lambda x: (x, x), [x])
    with pytest.raises(TypeError, match="Python's `if`"):
        tf.cond(True, lambda: x, lambda: x)
    with pytest.raises(DTypeError, match="in one branch"):
        tf.cond(tf.constant(True), lambda: 1, lambda: 2.0)
    with pytest.raises(InvalidArgumentError, match="return something"):
        tf.cond(tf.constant(True), lambda: None, lambda: None)
    with pytest.raises(ShapeError, match="rank 1"):
        tf.map_fn(lambda e: e, 1.0)


def test_a_tensor_of_a_body_cannot_be_used_outside() -> None:
    leaked: list[Any] = []

    def double(e: Any) -> Any:
        leaked.append(e * 2)
        return e

    tf.map_fn(double, tf.zeros([3]))
    with pytest.raises(GraphError, match="lies inside a loop"):
        tf.zeros([]) + leaked[0]
    with session() as one, pytest.raises(FetchError, match="lies inside a loop"):
        one.run(leaked[0])


def test_a_failing_operation_in_a_body_is_named() -> None:
    table, pick = tf.constant(X), tf.placeholder(tf.int32, [None])
    made = tf.map_fn(lambda n: tf.gather(table, n), pick, tf.float32)
    with pytest.raises(InvalidArgumentError, match=r"map/Gather.*\n.*test_loops"):
        run(made, {pick: [1, 9]})


# -- what is outside


def test_dependencies_on_what_is_outside_hold_for_the_whole_loop() -> None:
    v = tf.Variable(1.0)
    before = v.assign(10.0)

    def body(i: Any, total: Any) -> Any:
        with tf.control_dependencies([before]):
            return i + 1, total + v.read_value()

    total = tf.while_loop(lambda i, t: i < 3, body, [0, 0.0])[1]
    with session() as one:
        assert one.run(total) == 30


def test_a_loop_waits_for_the_dependencies_in_force() -> None:
    v = tf.Variable(1.0)
    with tf.control_dependencies([v.assign(5.0)]):
        mapped = tf.map_fn(lambda e: e * v.read_value(), tf.constant(X))
        chosen = tf.cond(tf.constant(True), lambda: v.read_value() * 2, lambda: 0.0)
    with session() as one:
        found = one.run([mapped, chosen])
        np.testing.assert_array_equal(found[0], X * 5)
        assert found[1] == 10


def test_what_a_branch_takes_from_outside_is_computed_in_any_case() -> None:
    v = tf.Variable(0.0)
    with tf.control_dependencies([v.assign_add(1.0)]):
        outside = tf.constant(2.0) * 1
    chosen = tf.cond(tf.constant(False), lambda: outside + 1, lambda: tf.constant(7.0))
    with session() as one:
        assert one.run(chosen) == 7
        assert one.run(v) == 1


def test_names_lie_in_the_scope_of_the_loop() -> None:
    with tf.name_scope("model"):
        made = tf.while_loop(
            lambda i: i < 3, lambda i: tf.add(i, 1, name="next"), [0], name="count"
        )
    assert made.op.name == "model/count"
    (body, *_) = made.op.record.bodies
    assert body.outputs[0].name == "model/count/next:0"


def test_steps_run_loops() -> None:
    x = tf.placeholder(tf.float32, [2])
    v = tf.Variable([0.0, 0.0])
    total = tf.while_loop(lambda i, t: i < 3, lambda i, t: (i + 1, t + x), [0, v])[1]
    step = v.assign(total)
    with session() as one:
        made = one.run_steps(step, 4, feed_dict={x: [1.0, 2.0]})
        np.testing.assert_array_equal(made[-1], [12, 24])


def test_a_condition_that_assigns_is_refused() -> None:
    """What it assigns would be lost, and the loop might never end."""
    with tf.Graph().as_default():
        v = tf.Variable(1.0)
        with pytest.raises(tf.errors.ThalwegError, match="the condition assigns a variable"):
            tf.while_loop(lambda i: v.assign_add(1.0) < 5.0, lambda i: (i + 1,), [0])
