"""Which variable `get_variable` gives: TensorFlow 1's rules of names, reuse and defaults."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import ShapeError


def v(name: str = "v", **arguments: Any) -> tf.Variable:
    return tf.get_variable(name, **{"shape": [1], **arguments})


# -- names


def test_a_variable_has_the_name_of_the_scopes_around_it() -> None:
    with tf.variable_scope("foo"), tf.variable_scope("bar"):
        assert v().name == "foo/bar/v:0"
    assert v().name == "v:0"


def test_name_scopes_change_the_names_of_operations_only() -> None:
    with tf.variable_scope("foo"), tf.name_scope("bar"):
        assert v().name == "foo/v:0"
        assert (1.0 + v("w")).op.name == "foo/bar/add"


def test_a_name_that_is_opened_again_is_the_same_scope_with_another_name_scope() -> None:
    with tf.variable_scope("foo") as first:
        x = tf.constant(1.0, name="x")
    with tf.variable_scope("foo", reuse=tf.AUTO_REUSE) as second:
        y = tf.constant(1.0, name="x")
        assert v().name == "foo/v:0"
    assert (first.name, first.original_name_scope) == ("foo", "foo/")
    assert (second.name, second.original_name_scope) == ("foo", "foo_1/")
    assert [x.op.name, y.op.name] == ["foo/x", "foo_1/x"]


def test_a_scope_object_stands_for_the_whole_prefix() -> None:
    with tf.variable_scope("foo") as foo:
        pass
    with tf.variable_scope("bar"), tf.variable_scope("baz") as other:
        assert other.name == "bar/baz"
        with tf.variable_scope(foo) as again:
            assert again.name == "foo"
            assert again.original_name_scope == "foo/"
            assert v().name == "foo/v:0"
            assert tf.constant(1.0, name="x").op.name == "bar/baz/foo/x"


def test_without_an_auxiliary_name_scope_operations_stay_where_they_are() -> None:
    with tf.variable_scope("foo") as foo:
        pass
    with tf.variable_scope(foo, auxiliary_name_scope=False) as again:
        assert again.original_name_scope == "foo/"
        assert tf.constant(1.0, name="x").op.name == "x"
    with tf.name_scope("a"), tf.variable_scope("b", auxiliary_name_scope=False) as b:
        assert b.original_name_scope == "a/"
        assert (v().name, tf.constant(1.0, name="x").op.name) == ("b/v:0", "a/x")


def test_default_names_are_made_unique() -> None:
    names = []
    for _ in range(2):
        with tf.variable_scope(None, "layer") as scope:
            names.append(scope.name)
            with tf.variable_scope(None, "inner") as inner:
                names.append(inner.name)
    assert names == ["layer", "layer/inner", "layer_1", "layer_1/inner"]


def test_default_names_avoid_names_that_were_given() -> None:
    with tf.variable_scope("layer"):
        pass
    with tf.variable_scope(None, "layer") as scope:
        assert scope.name == "layer_1"


def test_default_names_begin_anew_when_a_scope_is_opened_again() -> None:
    names = []
    for reuse in (None, True):
        with tf.variable_scope("net", reuse=reuse):
            for _ in range(2):
                with tf.variable_scope(None, "layer"):
                    names.append(v().name)
    assert names == ["net/layer/v:0", "net/layer_1/v:0"] * 2


def test_default_names_begin_anew_in_a_scope_object_and_leave_no_trace_outside() -> None:
    with tf.variable_scope("net") as net, tf.variable_scope(None, "layer"):
        pass
    for _ in range(2):
        with tf.variable_scope(net), tf.variable_scope(None, "layer") as layer:
            assert layer.name == "net/layer"


def test_a_scope_can_be_kept_and_entered_again_even_inside_itself() -> None:
    block = tf.variable_scope("a")
    with block as outer, block as inner:
        assert (outer.name, inner.name) == ("a", "a/a")
    with block as third:
        assert third.name == "a"


def test_an_error_leaves_the_scope() -> None:
    with pytest.raises(ZeroDivisionError), tf.variable_scope("a"):
        raise ZeroDivisionError
    assert tf.get_variable_scope().name == ""
    assert tf.get_default_graph().get_name_scope() == ""


def test_values_choose_the_graph() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.constant(1.0)
    with tf.variable_scope(None, "layer", [x]):
        assert v().graph is graph
    with tf.variable_op_scope([x], None, "layer") as scope:
        assert scope.name == "layer_1"


def test_scopes_of_different_graphs_have_nothing_to_do_with_each_other() -> None:
    first = v()
    with tf.variable_scope("a"), tf.Graph().as_default():
        assert v().name == "v:0"
        assert v("w").graph is not first.graph


# -- reuse


@pytest.mark.parametrize("reuse", [None, False])
def test_a_variable_is_made_once(reuse: Any) -> None:
    first = v()
    again = tf.variable_scope(tf.get_variable_scope(), reuse=reuse)
    with pytest.raises(ValueError, match="Variable v already exists, disallowed") as caught, again:
        v()
    lines = str(caught.value).splitlines()
    assert lines[1].startswith("  at test_variable_scope.py:")
    assert lines[2] == f"  it was made at {first.op.source}"


def test_a_scope_that_reuses_finds_the_same_variable() -> None:
    with tf.variable_scope("foo"):
        first = v()
    with tf.variable_scope("foo", reuse=True):
        assert v() is first
        assert tf.get_variable("v") is first


def test_a_scope_that_reuses_makes_nothing() -> None:
    text = "Variable foo/v does not exist, or was not created"
    with tf.variable_scope("foo", reuse=True), pytest.raises(ValueError, match=text):
        v()
    assert tf.global_variables() == []


def test_auto_reuse_makes_and_finds() -> None:
    found = []
    for _ in range(2):
        with tf.variable_scope("foo", reuse=tf.AUTO_REUSE):
            found.append(v())
    assert found[0] is found[1]


def test_what_is_inside_a_scope_that_reuses_reuses_too() -> None:
    with tf.variable_scope("a"), tf.variable_scope("b"):
        first = v()
    for inner in (None, False):
        with tf.variable_scope("a", reuse=True), tf.variable_scope("b", reuse=inner) as b:
            assert b.reuse is True
            assert v() is first


def test_an_inner_scope_may_reuse_more() -> None:
    with tf.variable_scope("a", reuse=tf.AUTO_REUSE), tf.variable_scope("b", reuse=True) as b:
        assert b.reuse is True


def test_a_scope_object_brings_its_own_reuse() -> None:
    with tf.variable_scope("a") as a:
        first = v()
        a.reuse_variables()
        assert v() is first
    with tf.variable_scope(a) as again:
        assert again.reuse is True
    with tf.variable_scope("b", reuse=True), tf.variable_scope("c") as c:
        pass
    assert c.reuse is True


def test_reuse_variables_ends_with_the_scope() -> None:
    with tf.variable_scope("root"):
        with tf.variable_scope("foo") as foo:
            first = v()
        with tf.variable_scope(foo):
            tf.get_variable_scope().reuse_variables()
            assert v() is first
        assert tf.get_variable_scope().reuse is False
        assert foo.reuse is False


def test_a_default_name_cannot_reuse() -> None:
    with pytest.raises(ValueError, match="cannot be used without a name_or_scope"):
        tf.variable_scope(None, "layer", reuse=True)


def test_a_shared_variable_must_have_the_shape_and_dtype() -> None:
    v(shape=[2, 3])
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        assert v(shape=[None, 3]).static_shape == (2, 3)
        with pytest.raises(ValueError, match=r"specified shape \[2, 4\] and found shape \[2, 3\]"):
            v(shape=[2, 4])
        with pytest.raises(TypeError, match="specified dtype float64 and found dtype float32"):
            v(shape=[2, 3], dtype=tf.float64)


def test_variables_that_were_not_made_by_name_are_not_found() -> None:
    tf.Variable([1.0], name="v")
    with tf.variable_scope("", reuse=True), pytest.raises(ValueError, match="does not exist"):
        v()
    assert v().name == "v_1:0"


@pytest.mark.parametrize("name", [None, 3, ["a"]])
def test_scopes_need_a_name(name: Any) -> None:
    with pytest.raises(TypeError, match="name_or_scope") as caught:
        tf.variable_scope(name)
    assert "at test_variable_scope.py" in str(caught.value)


# -- what new variables are


def test_defaults_of_scopes_reach_inner_scopes() -> None:
    settings: Any = {"dtype": tf.float64, "constraint": tf.identity}
    with tf.variable_scope("a", initializer=tf.constant_initializer(0.5), **settings):
        with tf.variable_scope("b"):
            outer = v()
        with tf.variable_scope("c", initializer=tf.ones_initializer()):
            inner = v(dtype=tf.float32)
        own = v(initializer=tf.zeros_initializer())
    assert outer.dtype == tf.float64
    assert outer.constraint is tf.identity
    assert inner.dtype == tf.float32
    assert np.concatenate(tf.Session().run([outer, inner, own])).tolist() == [0.5, 1, 0]


def test_a_scope_object_keeps_its_defaults() -> None:
    with tf.variable_scope("a", initializer=tf.ones_initializer()) as a:
        pass
    with tf.variable_scope("b", initializer=tf.zeros_initializer()), tf.variable_scope(a):
        assert tf.Session().run(v()).tolist() == [1]
    a.set_initializer(tf.constant_initializer(3))
    a.set_dtype(tf.int32)
    with tf.variable_scope(a):
        assert tf.Session().run(v("w")).tolist() == [3]


def test_without_an_initialiser_floats_are_drawn_and_integers_zero() -> None:
    weights = v("weights", shape=[300, 200])
    count = v("count", shape=[], dtype=tf.int64)
    flag = v("flag", shape=[2], dtype=tf.bool)
    drawn, zero, false = tf.Session().run([weights, count, flag])
    limit = np.sqrt(6 / 500)
    assert limit * 0.99 < np.abs(drawn).max() <= limit
    assert zero == 0
    assert false.tolist() == [False, False]


@pytest.mark.parametrize(
    "initializer",
    [
        tf.ones_initializer,
        tf.ones_initializer(),
        lambda shape, dtype: tf.ones(shape, dtype),
        lambda shape, dtype, partition_info: tf.ones(shape, dtype),
        lambda shape, dtype=None, partition_info=None: tf.ones(shape, dtype),
    ],
)
def test_initialisers_are_called_with_a_shape(initializer: Any) -> None:
    made = v(shape=(2,), dtype=tf.float64, initializer=initializer)
    assert (made.dtype, tf.Session().run(made).tolist()) == (tf.float64, [1, 1])


@pytest.mark.parametrize(
    "make",
    [list, np.float32, lambda value: lambda: tf.constant(value), tf.constant],
    ids=["list", "array", "function", "tensor"],
)
def test_an_initialiser_may_be_the_value(make: Any) -> None:
    made = tf.get_variable("v", initializer=make([1.0, 2.0]))
    assert tf.Session().run(made).tolist() == [1, 2]


def test_the_shape_and_dtype_must_be_known_once() -> None:
    with pytest.raises(ValueError, match="If initializer is a constant, do not specify shape"):
        v(initializer=[1.0])
    with pytest.raises(ValueError, match=r"must be fully defined, but instead was \[\?\]"):
        v(shape=[None])
    with pytest.raises(ValueError, match="must be fully defined, but instead was <unknown>"):
        tf.get_variable("v")
    with pytest.raises(TypeError, match="type 'float32' and explicit dtype 'int32' don't match"):
        tf.get_variable("v", initializer=np.float32(1), dtype=tf.int32)
    assert tf.get_variable("w", initializer=5, dtype=tf.float64).dtype == tf.float64
    assert tf.get_variable("n", initializer=5).dtype == tf.int32


def test_initialisers_leave_control_dependencies_and_scopes_out() -> None:
    x = tf.placeholder(tf.float32, [])
    with tf.name_scope("a"), tf.control_dependencies([x + 1.0]):
        made = v()
    assert all(not op.control_inputs for op in tf.get_default_graph().operations)
    assert made.initial_value.op.name.startswith("v/Initializer/")
    tf.Session().run(made)


def test_collections() -> None:
    kept = v("kept")
    left = v("left", trainable=False)
    own = v("own", collections=["mine"], trainable=False)
    local = tf.get_local_variable("local", [1], collections=["mine"], trainable=True)
    assert tf.trainable_variables() == [kept]
    assert tf.global_variables() == [kept, left]
    assert tf.local_variables() == [local]
    assert tf.get_collection("mine") == [own, local]
    assert len(tf.Session().run([tf.local_variables_initializer(), local])) == 2


def test_a_scope_knows_its_variables() -> None:
    with tf.variable_scope("a") as a:
        first, second = v(), v("w", trainable=False)
        local = tf.get_local_variable("local", [1])
    with tf.variable_scope("ab"):
        v()
    assert a.global_variables() == [first, second]
    assert a.trainable_variables() == [first]
    assert a.local_variables() == [local]
    assert len(tf.get_variable_scope().global_variables()) == 3


def test_partitioners_are_refused() -> None:
    for build in (v, lambda **more: tf.variable_scope("a", **more)):
        with pytest.raises(tf.errors.UnimplementedError, match="partitioner must be None"):
            build(partitioner=lambda **_: [2])


# -- custom getters


def test_custom_getters_stand_before_those_of_outer_scopes() -> None:
    asked = []

    def getter(word: str) -> Any:
        def get(getter: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            asked.append(word)
            return getter(f"{name}_{word}", *args, **kwargs)

        return get

    outer = tf.variable_scope("a", custom_getter=getter("outer"))
    with outer, tf.variable_scope("b", custom_getter=getter("inner")):
        made = v()
    assert asked == ["inner", "outer"]
    assert made.name == "a/b/v_inner_outer:0"
    assert tf.get_variable_scope().custom_getter is None
    assert v(custom_getter=getter("own")).name == "v_own:0"


def test_a_custom_getter_may_return_something_else_and_need_not_know_constraints() -> None:
    def doubled(getter: Any, name: str, shape: Any, dtype: Any, initializer: Any, regularizer: Any,
                reuse: Any, trainable: Any, collections: Any, caching_device: Any,
                partitioner: Any, validate_shape: Any, use_resource: Any) -> Any:  # fmt: skip
        return getter(name, shape, dtype, initializer, trainable=trainable) * 2.0

    ones = tf.ones_initializer()
    made: Any = v(custom_getter=doubled, initializer=ones, constraint=tf.identity)
    assert tf.Session().run(made).tolist() == [2]
    assert tf.global_variables()[0].constraint is tf.identity


def test_an_error_behind_a_custom_getter_has_a_line() -> None:
    with tf.variable_scope(
        "a", custom_getter=lambda getter, *args, **kwargs: getter(*args, **kwargs)
    ):
        v()
        with pytest.raises(ValueError, match="already exists") as caught:
            v()
    assert "\n  at test_variable_scope.py" in str(caught.value)


# -- regularisers, and initial values that need others


def test_a_regulariser_makes_one_loss_for_each_new_variable() -> None:
    regularizer = tf.contrib.layers.l2_regularizer(0.5)
    with tf.variable_scope("a", regularizer=regularizer, initializer=tf.ones_initializer()) as a:
        v(shape=[3])
        v("bias", regularizer=tf.no_regularizer)
        a.reuse_variables()
        v(shape=[3])
    (loss,) = tf.losses.get_regularization_losses()
    assert loss.op.name == "a/v/Regularizer/l2_regularizer"
    assert tf.Session().run(loss) == 0.75


def test_an_initial_value_may_be_that_of_another_variable() -> None:
    a = v("a", shape=[2])
    b = tf.get_variable("b", initializer=a.initialized_value() * 2.0)
    c = tf.get_variable("c", initializer=lambda: b.initialized_value() + 1.0)
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    first, second, third = session.run([a, b, c])
    np.testing.assert_array_equal(second, first * 2)
    np.testing.assert_array_equal(third, second + 1)


# -- inside loops and branches


def test_variables_of_loops_belong_to_the_graph_around() -> None:
    def body(i: Any, total: Any) -> Any:
        with tf.variable_scope("inner", reuse=tf.AUTO_REUSE):
            scale = v("scale", initializer=tf.constant_initializer(3))
        return i + 1, total * scale

    with tf.variable_scope("outer"):
        _, total = tf.while_loop(lambda i, total: i < 2, body, [0, tf.ones([1])])
    (made,) = tf.global_variables()
    assert (made.op.name, made.graph) == ("outer/inner/scale", tf.get_default_graph())
    with tf.Session() as session:
        assert session.run(total).tolist() == [9]


def test_variables_of_branches_are_initialised_outside() -> None:
    def branch(name: str) -> Any:
        regularizer = tf.contrib.layers.l2_regularizer(0.5)
        return lambda: 2.0 * v(name, initializer=tf.ones_initializer(), regularizer=regularizer)

    made = tf.cond(tf.placeholder_with_default(True, []), branch("a"), branch("b"))
    assert [variable.op.name for variable in tf.global_variables()] == ["a", "b"]
    losses = tf.losses.get_regularization_losses()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run([made, *losses]) == [[2], 0.25, 0.25]


def test_validate_shape_cannot_change_a_shape() -> None:
    v, x = tf.Variable(tf.zeros([3])), tf.placeholder(tf.float32, [None])
    with pytest.raises(ShapeError, match=r"validate_shape=False cannot[^$]*test_variable_scope"):
        tf.assign(v, tf.zeros([5]), validate_shape=False)
    step = tf.assign(v, x, validate_shape=False)
    with tf.Session() as session:
        session.run(v.initializer)
        np.testing.assert_array_equal(session.run(step, {x: [1, 2, 3]}), [1, 2, 3])
        with pytest.raises(ShapeError, match=r"\[3\], the value \[4\]"):
            session.run(step, {x: [1, 2, 3, 4]})
        np.testing.assert_array_equal(session.run(v), [1, 2, 3])
