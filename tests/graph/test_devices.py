"""Names of devices, and what a graph notes on its operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg as tf
from thalweg.graph.devices import canonical, merged


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


def device() -> str:
    """Of an operation that is made here."""
    return tf.constant(1.0).device


# What TensorFlow 2.21 gives for the same names.
CANONICAL = {
    "/cpu:0": "/device:CPU:0",
    "cpu:0": "/device:CPU:0",
    "//cpu:0": "/device:CPU:0",
    "/CPU:0": "/device:CPU:0",
    "/cpu": "/device:CPU:*",
    "/gpu:*": "/device:GPU:*",
    "/device:gpu:1": "/device:GPU:1",
    "/device:XLA_CPU:3": "/device:XLA_CPU:3",
    "/job:ps/task:0/gpu:0": "/job:ps/task:0/device:GPU:0",
    "/task:1/job:ps/": "/job:ps/task:1",
    "/job:a/replica:0/task:2/device:TPU:7": "/job:a/replica:0/task:2/device:TPU:7",
    "": "",
}


@pytest.mark.parametrize("name", CANONICAL)
def test_names_have_a_canonical_form(name: str) -> None:
    with tf.device(name):
        assert device() == CANONICAL[name]
    assert tf.DeviceSpec.from_string(name).to_string() == CANONICAL[name]


BAD = ["/gpu:a", "/foo:1", "/gpu:0/cpu:0", "/job:a:b", "/job:/cpu:0", " /cpu:0", "/task:x"]


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_name_is_an_error_with_the_line(name: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.device(name)
    message = str(caught.value)
    assert message.startswith(f"{name!r} is not the name of a device: ")
    assert "at test_devices.py" in message
    assert "tf.device(name)" in message
    with pytest.raises(ValueError, match="not the name of a device"):
        tf.DeviceSpec.from_string(name)


def test_blocks_add_up_and_the_inner_one_wins() -> None:
    with tf.device("/job:ps/task:1"):
        with tf.device("/gpu:0"):
            assert device() == "/job:ps/task:1/device:GPU:0"
            with tf.device("/task:7/cpu:*"):
                assert device() == "/job:ps/task:7/device:CPU:*"
        with tf.device(""):
            assert device() == "/job:ps/task:1"
        with tf.device(None):
            assert device() == ""
            with tf.device("/cpu:0"):
                assert device() == "/device:CPU:0"
        with tf.device(tf.DeviceSpec(job="w", device_type="GPU", device_index=2)):
            assert device() == "/job:w/task:1/device:GPU:2"
    assert device() == ""


def test_a_function_chooses_for_each_operation() -> None:
    def by_type(op: tf.Operation) -> str:
        return "/gpu:1" if op.type == "Mul" else op.device

    x = tf.constant(2.0)
    with tf.device(by_type), tf.device("/cpu:0"):
        assert (x * x).device == "/device:GPU:1"
        assert (x + x).device == "/device:CPU:0"
    with tf.device("/job:ps"), tf.device(lambda op: "/task:3"):
        assert device() == "/job:ps/task:3"
    with tf.device(lambda op: "/gpu:3"), tf.device("/job:w"):
        assert device() == "/device:GPU:3"  # a function replaces what the inner blocks say
    with tf.device(lambda op: None):
        assert device() == ""
    with tf.device(lambda op: "/gpu:x"), pytest.raises(ValueError, match="'/gpu:x' is not"):
        device()


def test_what_uses_a_variable_is_with_it() -> None:
    with tf.device("/gpu:0"):
        v = tf.Variable(tf.zeros([2]))
    with tf.device("/gpu:1"):
        made = [v.assign([1.0, 2.0]), v.read_value(), tf.scatter_add(v, [0], [1.0])]
        made += [v.initialized_value(), v.assign_add([1.0, 1.0])]
        loss = tf.reduce_sum(v * v)
        optimizer = tf.train.MomentumOptimizer(0.1, 0.9)
        step = optimizer.minimize(loss)
    assert {tensor.device for tensor in made} == {"/device:GPU:0"}
    slot = optimizer.get_slot(v, "momentum")
    assert slot is not None
    assert slot.device == slot.initializer.device == "/device:GPU:0"
    updates = [op for op in step.graph.operations if "update_Variable" in op.name]
    assert {op.device for op in updates} == {"/device:GPU:0"}
    gradients = [op for op in step.graph.operations if op.name.startswith("gradients/")]
    assert {op.device for op in gradients} == {"/device:GPU:1"}


def test_colocation_wins_over_blocks() -> None:
    with tf.device("/gpu:0"):
        x = tf.constant(1.0)
        v = tf.Variable(1.0)
    with tf.device("/gpu:5"), tf.colocate_with(x):
        assert device() == "/device:GPU:0"
        with tf.device("/gpu:6"):
            assert device() == "/device:GPU:0"
        with tf.colocate_with(None, ignore_existing=True):
            assert device() == ""
    with tf.colocate_with(v), tf.device("/gpu:1"):
        assert device() == "/device:GPU:0"
    with x.graph.colocate_with(x.op):
        assert device() == "/device:GPU:0"
    with pytest.raises(ValueError, match="None needs ignore_existing=True\n  at test_devices"):
        tf.colocate_with(None)
    with tf.Graph().as_default(), pytest.raises(ValueError, match="not an element of this graph"):
        tf.colocate_with(x)


def test_gradients_are_with_their_operations_unless_a_block_says_more() -> None:
    x = tf.Variable(1.0)
    with tf.device("/gpu:0"):
        y = tf.sin(x)
    with tf.device("/gpu:1"):
        inside = tf.gradients(tf.exp(y), x)[0]
        colocated = tf.gradients(y, x, colocate_gradients_with_ops=True)[0]
    outside = tf.gradients(y, x)[0]
    assert inside.device == "/device:GPU:1"
    assert colocated.device == outside.device == "/device:GPU:0"


def test_a_body_is_where_its_loop_is() -> None:
    inside: list[str] = []

    def body(i: Any) -> Any:
        inside.append(device())
        with tf.colocate_with(v):
            inside.append(device())
        with tf.device("/cpu:0"):
            inside.append(tf.Variable(1.0, name="inner").device)
        return i + 1

    with tf.device("/gpu:3"):
        v = tf.Variable(1.0)
    with tf.device("/gpu:2"):
        tf.while_loop(lambda i: i < 3, body, [tf.constant(0)])
    assert inside[:3] == ["/device:GPU:2", "/device:GPU:3", "/device:CPU:0"]


def test_a_spec_has_fields() -> None:
    spec = tf.DeviceSpec(job="a", device_type="CPU", device_index=3)
    spec.merge_from(tf.DeviceSpec(task=1, device_type="GPU"))
    assert spec.to_string() == "/job:a/task:1/device:GPU:*"  # number 3 was a CPU's
    assert (spec.job, spec.replica, spec.task) == ("a", None, 1)
    assert (spec.device_type, spec.device_index) == ("GPU", None)
    assert spec.parse_from_string("/cpu:1") is spec
    assert spec == tf.DeviceSpec(device_type="CPU", device_index=1)


numbers = st.none() | st.integers(0, 99)
specs = st.builds(
    lambda job, replica, task, kind, index: tf.DeviceSpec(
        job, replica, task, kind, index if kind else None
    ),
    st.none() | st.sampled_from(["ps", "worker", "localhost"]),
    numbers,
    numbers,
    st.none() | st.sampled_from(["CPU", "GPU", "XLA_CPU", "NPU"]),
    numbers,
)


@given(specs, specs, specs)
def test_merging_is_associative_and_names_are_read_back(
    a: tf.DeviceSpec, b: tf.DeviceSpec, c: tf.DeviceSpec
) -> None:
    assert tf.DeviceSpec.from_string(a.to_string()) == a
    x, y, z = a.to_string(), b.to_string(), c.to_string()
    assert canonical(x) == x
    assert merged(merged(x, y), z) == merged(x, merged(y, z))
    assert merged(x, x) == merged(x, "") == merged("", x) == x
