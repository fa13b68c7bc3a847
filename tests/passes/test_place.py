"""Which device each operation gets, and how runs on several devices are cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import DeviceError
from thalweg.graph import Operation, Tensor
from thalweg.passes.levels import HOST
from thalweg.passes.place import place, show_places
from thalweg.passes.prune import prune
from thalweg.passes.stages import Stages, cut_into_stages


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


def find(wish: str) -> str:
    if "GPU:9" in wish:
        raise DeviceError(f"there is no {wish}\n  buy one")
    return wish.removeprefix("/device:") or "CPU:0"


def cut(*fetches: Tensor, targets: tuple[Operation, ...] = ()) -> Stages | None:
    ops = prune(fetches, targets)
    return cut_into_stages(ops, place(ops, find), fetches, targets, ())


def where(stages: Stages | None) -> list[tuple[int, str]]:
    assert stages
    return [(stage.level, stage.device) for stage in stages.stages]


def test_the_wish_counts_then_the_default() -> None:
    with tf.device("/gpu:0"):
        v = tf.Variable(1.0)
    y = v + 1.0
    places = place(y.graph.operations, find)
    assert places[v.op] == places[v.value().op] == places[v.initializer] == "GPU:0"
    assert places[y.op] == "CPU:0"
    assert show_places({op: places[op] for op in prune([y], [])}) == (
        "CPU:0: 1 operation\n  Add  add\nGPU:0: 2 operations\n"
        "  ReadVariable  Variable/read\n  VariableV2    Variable"
    )


def test_a_device_that_is_not_there_is_an_error_with_the_line() -> None:
    with tf.device("/gpu:9"):
        y = tf.add(1.0, 2.0, name="sum")
    with pytest.raises(DeviceError) as caught:
        cut(y)
    first, line, rest = str(caught.value).split("\n")
    assert first.endswith("(Const): there is no /device:GPU:9")
    assert line.startswith("  at test_place.py")
    assert rest == "  buy one"


def test_one_device_is_not_cut() -> None:
    with tf.device("/gpu:0"):
        y = tf.exp(tf.Variable(1.0) + 1.0)
    assert cut(y) is None


def test_segments_of_one_level_are_independent() -> None:
    x = tf.random_normal([4])
    towers = []
    for n in range(3):
        with tf.device(f"/gpu:{n}"):
            towers.append(tf.exp(x))
    assert where(cut(tf.add_n(towers))) == [
        (0, "CPU:0"), (2, "GPU:0"), (2, "GPU:1"), (2, "GPU:2"), (4, "CPU:0"),
    ]  # fmt: skip


def test_a_variable_crosses_without_a_segment() -> None:
    with tf.device("/gpu:0"):
        v = tf.Variable(np.ones(3, np.float32))
    with tf.device("/gpu:1"):
        y = tf.exp(v)
    made = cut(y, targets=(v.assign([1.0, 2.0, 3.0]).op,))
    assert where(made) == [(0, "GPU:1"), (2, "GPU:0")]  # the read comes before the write
    assert made
    assert made.unchanged == frozenset(made.stages[0].feeds) == {v.value()}


def test_a_variable_that_is_written_before_crosses_from_a_segment() -> None:
    """The value is wanted before the write, and its consumer after it."""
    with tf.device("/gpu:0"):
        v = tf.Variable(np.ones(3, np.float32))
        read = v.value()
        new = v.assign([1.0, 2.0, 3.0])
    with tf.device("/gpu:1"), tf.control_dependencies([new]):
        y = tf.exp(read)
    made = cut(y)
    assert where(made) == [(0, "GPU:0"), (2, "GPU:1")]
    assert made
    assert not made.unchanged
    assert made.stages[0].tensors == (read,)


def test_what_is_between_two_devices_and_python() -> None:
    with tf.device("/gpu:0"):
        a = tf.exp(tf.random_normal([3]))
    with tf.device("/gpu:1"):
        found, _ = tf.unique(tf.cast(a, tf.int32))
        b = found + 1
    with tf.device("/gpu:0"):
        c = tf.cast(b, tf.float32) + tf.reduce_sum(a)
    assert where(cut(c)) == [
        (0, "GPU:0"), (2, "GPU:1"), (3, HOST), (4, "GPU:1"), (6, "GPU:0"),
    ]  # fmt: skip


def test_what_is_made_of_constants_is_made_where_it_is_used() -> None:
    zeros = tf.fill([2], 0.0)
    both = tf.fill([2], 1.0)
    with tf.device("/gpu:0"):
        a = zeros + both
    with tf.device("/gpu:1"):
        b = tf.exp(both)
    places = place(zeros.graph.operations, find)
    assert places[zeros.op] == "GPU:0"
    assert places[both.op] == "CPU:0"
    assert where(cut(a, b)) == [(0, "CPU:0"), (2, "GPU:0"), (2, "GPU:1")]


def test_what_waits_for_a_group_waits_for_all_its_devices() -> None:
    with tf.device("/gpu:0"):
        a = tf.Variable(1.0).assign(2.0)
    with tf.device("/gpu:1"):
        b = tf.Variable(1.0).assign(3.0)
    with tf.control_dependencies([tf.group(a, b)]), tf.device("/gpu:0"):
        y = tf.exp(tf.random_normal([]))
    assert where(cut(y)) == [(0, "GPU:0"), (0, "GPU:1"), (2, "GPU:0")]


def test_a_loop_is_where_its_body_asks_to_be() -> None:
    def loop(*devices: str) -> Any:
        def body(i: Tensor) -> Tensor:
            for device in devices:
                with tf.device(device):
                    i = i + 1
            return i

        return tf.while_loop(lambda i: i < 3, body, [tf.constant(0)])

    y = loop("/gpu:1")
    assert place([y.op], find)[y.op] == "GPU:1"
    assert cut(y) is None
    z = loop("/gpu:1", "/gpu:0")
    with pytest.raises(DeviceError, match=r"runs on one device, but .* GPU:1 and .* GPU:0\n  at "):
        place([z.op], find)


def test_what_depends_on_nothing_makes_no_segment_of_its_own() -> None:
    x = tf.random_normal([3])
    with tf.device("/gpu:0"):
        noise = tf.exp(tf.random_uniform([3]))
        y = x + noise
    made = cut(y)
    assert where(made) == [(0, "CPU:0"), (2, "GPU:0")]
    assert made
    assert noise.op in made.stages[1].ops


def test_other_devices_wait_for_no_more_than_they_need() -> None:
    """The tower on the device that splits the batch runs when the others do."""
    batch = tf.placeholder(tf.float32, [4, 3])
    towers = []
    for n, part in enumerate(tf.split(batch * 2.0, 2)):
        with tf.device(f"/gpu:{n}"):
            towers.append(tf.reduce_sum(tf.exp(part)))
    with tf.device("/gpu:0"):
        total = tf.add_n(towers)
    ops = prune([total], [], [batch])
    places = {op: find(op.device or "GPU:0") for op in ops}
    made = cut_into_stages(ops, places, [total], [], [batch])
    assert where(made) == [(0, "GPU:0"), (2, "GPU:0"), (2, "GPU:1"), (4, "GPU:0")]
    assert made
    before, tower, _, after = [{op.type for op in stage.ops} for stage in made.stages]
    assert "Exp" in tower
    assert not {"Exp", "Sum"} & (before | after)
