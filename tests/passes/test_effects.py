"""What records declare decides how they are merged, folded, ordered and executed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError
from thalweg.formula import Lowered, Operand
from thalweg.graph import Effects, Op, Operation, Spec, Tensor, Timing, execute
from thalweg.ops.elementwise.arithmetic import Add
from thalweg.passes.make_plan import make_plan
from thalweg.session.config import ConfigProto
from tools.structure import questions

BACKENDS = ("llvm", "numpy")


class Say(Op):
    """Pass a value on, and note that it came by; 13 is an error."""

    type: ClassVar[str] = "Say"
    effects: ClassVar[Effects] = Effects(acts=True, host=True)
    heard: ClassVar[list[float]] = []

    def infer(self, value: Spec) -> Spec:
        return value

    def evaluate(self, xp: Any, value: Any) -> Any:
        self.heard.append(float(value))
        if value == 13:
            raise ValueError("13 brings bad luck")
        return value


class Triple(Op):
    """A pure function that only Python can compute."""

    type: ClassVar[str] = "Triple"
    effects: ClassVar[Effects] = Effects(host=True)

    def infer(self, value: Spec) -> Spec:
        return value

    def evaluate(self, xp: Any, value: Any) -> Any:
        return xp.asarray(value * 3, value.dtype)


class AddOnto(Op):
    """Add to a variable in place."""

    type: ClassVar[str] = "AddOnto"
    effects: ClassVar[Effects] = Effects(reads=(0,), writes=(0,), timing=Timing.IN_TURN)

    def infer(self, handle: Spec, value: Spec) -> Spec:
        return handle

    def evaluate(self, xp: Any, handle: Any, value: Any) -> Any:
        return handle + value

    def lower(self, *inputs: Operand) -> Lowered:
        made: Lowered = Add().lower(*inputs)
        return made


class Inside(Op):
    """What another record does, as one that holds a body would."""

    type: ClassVar[str] = "Inside"
    body: Op

    @property
    def effects(self) -> Effects:
        return self.body.effects

    def infer(self, *inputs: Spec) -> Any:
        return self.body.infer(*inputs)

    def evaluate(self, xp: Any, *inputs: Any) -> Any:
        return self.body.evaluate(xp, *inputs)

    def lower(self, *inputs: Operand) -> Any:
        return self.body.lower(*inputs)


@pytest.fixture(autouse=True)
def heard() -> Iterator[list[float]]:
    Say.heard.clear()
    with tf.Graph().as_default():
        yield Say.heard


def session(backend: str) -> tf.Session:
    return tf.Session(config=ConfigProto(backend=backend))


def emit(record: Op, *inputs: Tensor) -> Operation:
    return tf.get_default_graph().add(record, inputs)


def types(*fetches: Tensor, targets: tuple[Operation, ...] = ()) -> list[str]:
    return [op.type for op in make_plan(fetches, targets, {}, {}).graph.operations]


def test_what_acts_is_neither_merged_nor_folded_nor_dropped() -> None:
    x = tf.constant(2.0)
    said = [emit(Say(), x) for _ in range(2)]
    assert types(targets=tuple(said)).count("Say") == 2
    assert types(said[0].outputs[0] * 0.0).count("Say") == 1


def test_what_acts_runs_once_a_run_in_the_order_of_the_graph(heard: list[float]) -> None:
    y = emit(Say(), tf.constant(1.0)).outputs[0] + 1.0
    last = emit(Say(), y)
    with session("numpy") as s:
        s.run(last)
        assert s.run([last.outputs[0], y]) == [2.0, 2.0]
    assert heard == [1.0, 2.0, 1.0, 2.0]


def test_a_pure_function_of_the_host_is_merged_and_folded() -> None:
    x = tf.Variable(2.0).read_value()
    assert types(emit(Triple(), x).outputs[0] + emit(Triple(), x).outputs[0]).count("Triple") == 1
    assert types(emit(Triple(), tf.constant(2.0)).outputs[0]) == ["Const"]


def test_variables_are_written_after_all_that_may_fail() -> None:
    w, x = tf.Variable(1.0), tf.placeholder(tf.float32, [])
    changed = w.assign(5.0)
    said = emit(Say(), x)
    with session("numpy") as s:
        with pytest.raises(InvalidArgumentError, match="bad luck"):
            s.run([changed, said], {x: 13.0})
        assert s.run(w) == 1.0
        s.run([changed, said], {x: 1.0})
        assert s.run(w) == 5.0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("record", [AddOnto(), Inside(AddOnto())], ids=lambda r: str(r.type))
def test_an_update_in_place_takes_its_turn_among_writes(record: Op, backend: str) -> None:
    w = tf.Variable(np.array([1, 2], np.float32))
    before = w * 10.0
    first = emit(record, w.handle, tf.constant(np.array([3, 4], np.float32)))
    second = w.assign_add(np.array([100, 100], np.float32))
    third = emit(record, w.handle, w.value())
    with session(backend) as s:
        values = s.run([third.outputs[0], second, first.outputs[0], before])
        for value, right in zip(values, ([105, 108], [104, 106], [4, 6], [10, 20]), strict=True):
            np.testing.assert_array_equal(value, right)
        np.testing.assert_array_equal(s.run(w), [105, 108])


class Log:
    """An executor that writes down what it is asked to do."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __getattr__(self, way: str) -> Any:
        return lambda op: self.done.append(f"{way} {op.type}")


def test_every_kind_of_record_is_executed_in_its_own_way() -> None:
    w = tf.Variable(tf.random_normal([2], seed=1))
    tf.placeholder(tf.float32, [2])
    tf.constant(1.0)
    emit(AddOnto(), w.handle, w.value())
    log: Any = Log()
    for op in tf.get_default_graph().operations:
        execute(op, log)
    assert sorted(set(log.done)) == [
        "compute RandomStandardNormal",
        "constant Const",
        "feed Placeholder",
        "read ReadVariable",
        "resource VariableV2",
        "run_counter RunCounter",
        "write AddOnto",
        "write Assign",
    ]


def test_only_rules_of_algebra_ask_for_the_class_of_a_record() -> None:
    asking = {question.partition(":")[0].rpartition("/")[2] for question in questions()}
    rules = {"simplify.py", "stable_logs.py", "link.py"}  # the last makes loops of `Loop`s
    assert asking == rules, "declare it in the record: see Effects"
