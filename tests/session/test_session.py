"""Sessions: fetches, feeds, variables, plans and their reuse; on the reference backend."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.autodiff.gradients import gradients
from thalweg.base import dtypes
from thalweg.base.errors import (
    FeedError,
    FetchError,
    GraphError,
    SessionClosedError,
    ShapeError,
)
from thalweg.graph import Graph, Tensor, default_graph
from thalweg.ops.arrays import create
from thalweg.ops.arrays.create import constant, zeros
from thalweg.ops.arrays.reshape import identity, reshape
from thalweg.ops.control import control
from thalweg.ops.elementwise import math as m
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.random.random import random_normal
from thalweg.ops.reduction import reduce as r
from thalweg.ops.state import variable_lists as v
from thalweg.ops.state.variable import Variable
from thalweg.session.config import ConfigProto
from thalweg.session.session import InteractiveSession, Session, get_default_session


def session(**settings: Any) -> Session:
    return Session(config=ConfigProto(backend="numpy", **settings))


def placeholder(shape: Any, name: str = "x", dtype: Any = "float32") -> Tensor:
    return create.placeholder(dtype, shape, name)


# -- fetches


def test_fetches_come_back_in_their_own_structure() -> None:
    pair = namedtuple("pair", "first second")
    x = placeholder([2])
    y = m.add(x, 1.0, name="y")
    op = control.no_op("nothing")
    fetches = {"list": [y, "y:0"], "tuple": (op, pair(y, {"deep": x})), "op": "nothing"}
    got = session().run(fetches, {x: [1, 2]})
    assert got["list"][0].tolist() == [2, 3]
    assert got["list"][1].tolist() == [2, 3]
    assert got["tuple"][0] is None
    assert got["op"] is None
    assert isinstance(got["tuple"][1], pair)
    assert got["tuple"][1].second["deep"].tolist() == [1, 2]
    assert isinstance(session().run(OrderedDict(a=y), {x: [0, 0]}), OrderedDict)
    assert session().run([]) == []


def test_scalars_are_numpy_scalars_and_arrays_are_fresh() -> None:
    c = constant([1.0, 2.0])
    s = session()
    total, array = s.run([r.reduce_sum(c), c])
    assert type(total) is np.float32
    array[:] = 0
    assert s.run(c).tolist() == [1, 2]


@pytest.mark.parametrize("bad", [None, 3, [None], object()])
def test_what_is_no_graph_element_cannot_be_fetched(bad: Any) -> None:
    with pytest.raises(FetchError, match="cannot be fetched"):
        session().run(bad)


def test_fetches_of_other_graphs_and_unknown_names_fail() -> None:
    with Graph().as_default():
        other = constant(1.0)
    with pytest.raises(FetchError, match="another"):
        session().run(other)
    with pytest.raises(FetchError, match="'nosuch'"):
        session().run("nosuch:0")


def test_a_fetched_feed_comes_back() -> None:
    x = placeholder([None])
    y = x * 2
    got = session().run([x, y], {y: [5, 6, 7], x: [1]})
    assert [a.tolist() for a in got] == [[1], [5, 6, 7]]


# -- feeds


def test_a_missing_feed_names_the_placeholder_and_its_line() -> None:
    x = placeholder([None, 784])
    with pytest.raises(FeedError) as caught:
        session().run(x * 2)
    message = str(caught.value)
    assert "the placeholder 'x' (float32 [?, 784]) was not fed" in message
    assert "test_session.py" in message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((3, 5)), "the shape [3, 5]"),
        ("words", "no numbers"),
        ([[1, 2], [3]], "no array"),
        ([[1j, 0j]], "complex"),
    ],
)
def test_feeds_that_do_not_fit(value: Any, text: str) -> None:
    x = placeholder([None, 2])
    with pytest.raises(FeedError) as caught:
        session().run(x * 2, {x: value})
    assert text in str(caught.value)
    assert "'x' (float32 [?, 2])" in str(caught.value)


def test_integers_take_whole_numbers_only() -> None:
    x = placeholder([2], dtype="int32")
    s = session()
    assert s.run(x + 1, {x: [1.0, 2.0]}).tolist() == [2, 3]
    with pytest.raises(FeedError, match="cannot hold"):
        s.run(x + 1, {x: [1.5, 2.0]})


def test_keys_of_feeds() -> None:
    x = placeholder([2])
    w = Variable([1.0, 2.0], name="w")
    s = session()
    assert s.run(x * 2, {"x:0": (1, 2)}).tolist() == [2, 4]
    with pytest.raises(FeedError, match="variable"):
        s.run(x * 2, {w: [1.0, 2.0]})
    with pytest.raises(FeedError, match="key of feed_dict"):
        s.run(x * 2, {3: 4})
    with pytest.raises(FeedError, match="part of a graph"):
        s.run(x * 2, {x: x})


def test_any_tensor_can_be_fed() -> None:
    c = constant([1.0, 2.0])
    assert session().run(c + 1, {c: [5, 6]}).tolist() == [6, 7]


def test_feeds_in_any_layout() -> None:
    x = placeholder([None, None])
    array = np.arange(6.0).reshape(2, 3).T
    s = session()
    assert s.run(x * 1, {x: array}).tolist() == array.tolist()
    assert s.run(x * 1, {x: array.astype(">f4")}).tolist() == array.tolist()
    assert s.run(placeholder([], "y") * 2, {"y:0": 4}) == 8


# -- plans


def test_plans_are_reused_and_the_log_says_why_new_ones_were_made() -> None:
    x = placeholder([None, 2])
    y = r.reduce_sum(x)
    s = session()
    for rows in (4, 4, 3, 4):
        assert s.run(y, {x: np.ones((rows, 2))}) == 2 * rows
    s.run([y, x], {x: np.ones((4, 2))})
    assert s.why_recompiled[0].endswith("first run")
    assert s.why_recompiled[1].endswith("new shape of 'x': [4, 2] -> [3, 2]")
    assert len(s.why_recompiled) == 2  # x itself needs no plan: it is fed


def test_values_that_decide_about_shapes_are_part_of_the_plan() -> None:
    x, shape = placeholder([None]), placeholder([2], "shape", "int32")
    y = reshape(x, shape)
    s = session()
    for want in ([2, 3], [3, 2], [2, 3]):
        assert s.run(y, {x: np.arange(6), shape: want}).shape == tuple(want)
    assert s.why_recompiled[1].endswith("new value of 'shape', which decides about shapes")
    assert len(s.why_recompiled) == 2


def test_a_shape_may_depend_on_a_variable() -> None:
    n = Variable([2, 3], dtype=dtypes.int32)
    x = placeholder([None])
    y, s = reshape(x, n), session()
    assert s.run(y, {x: np.arange(6)}).shape == (2, 3)
    s.run(n.assign([3, 2]))
    assert s.run(y, {x: np.arange(6)}).shape == (3, 2)
    with pytest.raises(ShapeError, match=r"test_session\.py"):
        s.run(y, {x: np.arange(7)})


def test_shapes_that_disagree_in_a_run_name_the_line() -> None:
    x, y = placeholder([None]), placeholder([None], "y")
    z = m.squared_difference(x, y)
    with pytest.raises(ShapeError, match=r"test_session\.py"):
        session().run(z, {x: [1, 2], y: [1, 2, 3]})


# -- variables


def test_variables_take_their_initial_values_at_first_use() -> None:
    w = Variable([1.0, 2.0], name="w")
    twice = Variable(w * 2, name="twice")
    s = session()
    assert s.run(twice).tolist() == [2, 4]
    assert s.run("w:0").tolist() == [1, 2]
    assert s.run(default_graph().get_tensor_by_name("w:0") + 1).tolist() == [2, 3]


def test_explicit_initialisers_work_as_in_tensorflow() -> None:
    w = Variable(random_normal([50]), name="w")
    copy = Variable(w.initialized_value() * 2, name="copy")
    s = session()
    s.run(v.global_variables_initializer())
    first, doubled = s.run([w, copy])
    assert np.array_equal(first * 2, doubled)
    s.run(v.global_variables_initializer())
    again, doubled = s.run([w, copy])
    assert not np.array_equal(first, again)
    assert np.array_equal(again * 2, doubled)


def test_reads_come_before_writes_unless_control_dependencies_say_otherwise() -> None:
    w = Variable(1.0, name="w")
    change = w.assign(5.0)
    with control.control_dependencies([change]):
        after = w.read_value() * 1
        also = w * 1
    s = session()
    assert s.run([w * 1, change, after, also, w]) == [1, 5, 5, 5, 1]
    assert s.run(w) == 5


def test_control_dependencies_outlive_simplification() -> None:
    w = Variable(1.0)
    x = constant(3.0)
    with control.control_dependencies([w.assign_add(1.0)]):
        y = identity(x)
        z = constant(4.0)
    s = session()
    assert s.run(y) == 3
    assert s.run(w) == 2
    assert s.run(z) == 4
    assert s.run(w) == 3


def test_two_updates_in_one_run_both_count() -> None:
    w = Variable([1.0, 1.0])
    both = control.group(w.assign_add([1.0, 2.0]), w.assign_sub([10.0, 20.0]))
    s = session()
    s.run(both)
    assert s.run(w).tolist() == [-8, -17]


def test_swapping_two_variables() -> None:
    a, b = Variable(1.0), Variable(2.0)
    s = session()
    s.run([a.assign(b), b.assign(a)])
    assert sorted(s.run([a, b])) in ([1.0, 2.0], [1.0, 1.0], [2.0, 2.0])


def test_variable_interface() -> None:
    w = Variable([[1.0, 2.0]], name="w")
    n = Variable(lambda: 3, trainable=False)
    assert (w.name, w.op.name, n.name) == ("w:0", "w", "Variable:0")
    assert Variable(0.0, name="w").name == "w_1:0"
    assert w.shape.as_list() == [1, 2]
    assert w.dtype == dtypes.float32
    assert n.dtype == dtypes.int32
    assert n not in v.trainable_variables()
    assert v.global_variables()[:2] == [w, n]
    with session() as s:
        assert (w + 1).eval().tolist() == [[2, 3]]
        assert (np.float32(2) * w).eval().tolist() == [[2, 4]]
        assert (np.ones((1, 2), np.float32) - w)[0, 1].eval() == -1
        assert w[0, 1].eval() == 2
        w.load([[5, 6]])
        assert w.eval().tolist() == [[5, 6]]
        w.initializer.run()
        assert w.eval(s).tolist() == [[1, 2]]
        assert w.assign_add([[1, 1]]).eval().tolist() == [[2, 3]]
        with pytest.raises(FeedError, match=r"shape \[2\]"):
            w.load([5, 6])


def test_assignments_that_do_not_fit() -> None:
    w = Variable([1.0, 2.0], name="w")
    with pytest.raises(ShapeError, match=r"the variable has the shape \[2\], the value \[3\]"):
        w.assign([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="int32"):
        w.assign(constant([1, 2]))
    with pytest.raises(ShapeError, match="must be fully known"):
        Variable(placeholder([None]))
    with pytest.raises(ValueError, match="initial_value"):
        Variable()
    with pytest.raises(TypeError, match="iterated"):
        list(w)


def test_variables_belong_to_sessions() -> None:
    w = Variable(1.0)
    first, second = session(), session()
    first.run(w.assign(2.0))
    assert (first.run(w), second.run(w)) == (2, 1)


# -- life of a session


def test_default_sessions() -> None:
    c = constant(2.0)
    with pytest.raises(GraphError, match="no default session"):
        c.eval()
    with session() as s:
        assert get_default_session() is s
        assert c.eval() == 2
    assert get_default_session() is None
    with pytest.raises(SessionClosedError):
        s.run(c)
    t = session()
    with t.as_default():
        c.op.run()
    assert t.run(c) == 2


def test_interactive_session() -> None:
    s = InteractiveSession(config=ConfigProto(backend="numpy"))
    assert constant(2.0).eval() == 2
    s.close()
    assert get_default_session() is None


def test_a_session_of_another_graph() -> None:
    graph = Graph()
    with graph.as_default():
        c = constant(3.0)
    with Session(graph=graph, config=ConfigProto(backend="numpy")) as s:
        assert default_graph() is graph
        assert s.run(c) == 3


def test_several_threads_may_run() -> None:
    w = Variable(0.0)
    add, s = w.assign_add(1.0), session()
    threads = [threading.Thread(target=lambda: [s.run(add) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert s.run(w) == 200


def test_an_interrupted_compilation_leaves_the_session_usable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    w = Variable(1.0)
    s = session()

    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("thalweg.session.planner.make_plan", interrupt)
        with pytest.raises(KeyboardInterrupt):
            s.run(w + 1)
    assert s.run(w + 1) == 2


def test_make_callable() -> None:
    x = placeholder([None])
    double = session().make_callable(x * 2, [x])
    assert double([1, 2]).tolist() == [2, 4]


def test_unknown_backend() -> None:
    with pytest.raises(ValueError, match="there are 'native' and 'reference'"):
        Session(config=ConfigProto(backend="cuda"))


# -- everything together


def test_softmax_regression_learns() -> None:
    x, t = placeholder([None, 4]), placeholder([None, 3], "t")
    w, b = Variable(zeros([4, 3])), Variable(zeros([3]))
    e = m.exp(matmul(x, w) + b)
    p = e / r.reduce_sum(e, 1, keepdims=True)
    loss = r.reduce_mean(-r.reduce_sum(t * m.log(p), 1))
    by_w, by_b = gradients(loss, [w, b])
    assert by_w is not None
    assert by_b is not None
    train = control.group(w.assign_sub(by_w * 0.5), b.assign_sub(by_b * 0.5))
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 4))
    labels = np.eye(3)[(inputs @ rng.normal(size=(4, 3))).argmax(1)]
    s = session()
    feeds = {x: inputs, t: labels}
    before = s.run(loss, feeds)
    for _ in range(100):
        s.run(train, feeds)
    assert before == pytest.approx(np.log(3), rel=1e-5)
    assert s.run(loss, feeds) < 0.25


def test_constants_are_fetched_without_a_compiler_and_nobody_else_writes_to_them() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    c, d = constant([1.0, 2.0]), tf.shape(x) + 1
    program = (
        "import sys, thalweg as tf\n"
        "assert tf.Session().run(tf.constant([1.0, 2.0]) * 3.0).tolist() == [3, 6]\n"
        "assert 'llvmlite' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with Session() as session:
        first, shape = session.run([c, d], {x: np.zeros((5, 3))})
        first[:] = 7
        assert shape.tolist() == [6, 4]
        assert session.run(c).tolist() == [1, 2]
        assert session.run(d, {x: np.zeros((6, 3))}).tolist() == [7, 4]
        assert session.run_steps([c, c], 2)[1].tolist() == [[1, 2], [1, 2]]
        assert session.run_steps(c, 0).shape == (0, 2)
