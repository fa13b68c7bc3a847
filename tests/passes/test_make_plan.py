"""What each pass does to small graphs, and that plans are verified."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thalweg.autodiff.gradients import gradients
from thalweg.base.dims import Dim, Trace
from thalweg.base.errors import CompilerError
from thalweg.graph import Graph, Operation, Spec, Tensor
from thalweg.graph.verify import verify
from thalweg.ops.arrays import create
from thalweg.ops.arrays.broadcast import DynamicBroadcast
from thalweg.ops.arrays.create import constant, fill, ones_like, zeros_like
from thalweg.ops.arrays.gather import gather
from thalweg.ops.arrays.join import stack
from thalweg.ops.arrays.reshape import identity, reshape, stop_gradient, transpose
from thalweg.ops.arrays.shape import shape as shape_of
from thalweg.ops.arrays.slicing import Slice
from thalweg.ops.build import constant_value, emit, is_planned
from thalweg.ops.control import control
from thalweg.ops.elementwise import math as m
from thalweg.ops.linalg.matmul import matmul
from thalweg.ops.reduction import reduce as r
from thalweg.ops.state.variable import Variable
from thalweg.passes.deduplicate import deduplicate
from thalweg.passes.fold import fold
from thalweg.passes.make_plan import make_plan
from thalweg.passes.order import order
from thalweg.passes.plan import Plan
from thalweg.passes.prune import prune
from thalweg.passes.specialise import static_feeds


def plan_of(
    *fetches: Tensor, targets: tuple[Operation, ...] = (), fed: dict[Tensor, Any] | None = None
) -> Plan:
    return make_plan(fetches, targets, fed or {}, {})


def types(plan: Plan) -> list[str]:
    return [op.type for op in order(plan)]


def placeholder(shape: Any, name: str = "x") -> Tensor:
    return create.placeholder("float32", shape, name)


def test_prune_stops_at_feeds_and_keeps_control_inputs() -> None:
    x = placeholder([2])
    y = m.exp(x)
    w = Variable(1.0)
    change = w.assign(2.0)
    with control.control_dependencies([change]):
        z = m.log(y)
    needed = prune([z], [], {y})
    assert y.op not in needed
    assert change.op in needed
    assert needed == sorted(needed, key=lambda op: op.index)


def test_open_extents_become_dims() -> None:
    x = placeholder([None, 3])
    plan = plan_of(m.exp(x), fed={x: (5, 3)})
    shape = plan.fetches[0].static_shape
    assert shape == (5, 3)
    assert shape is not None
    assert [type(d) for d in shape] == [Dim, int]


def test_shapes_are_folded_and_known_to_be_planned() -> None:
    x = placeholder([None, 3])
    plan = plan_of(shape_of(x), fed={x: (5, 3)})
    value = constant_value(plan.fetches[0])
    assert value is not None
    assert value.tolist() == [5, 3]
    assert is_planned(plan.fetches[0])
    fixed = placeholder([2, 3], "fixed")
    assert not is_planned(plan_of(shape_of(fixed) * 2, fed={fixed: (2, 3)}).fetches[0])


def test_dynamic_reshapes_become_static_ones() -> None:
    x = placeholder([None, 6])
    y = reshape(x, stack([shape_of(x)[0] * 2, 3]))
    plan = plan_of(y, fed={x: (5, 6)})
    assert types(plan) == ["Placeholder", "Reshape"]
    assert plan.fetches[0].static_shape == (10, 3)


def test_constants_are_folded_unless_that_makes_them_large() -> None:
    a = constant(np.arange(3.0, dtype=np.float32))
    assert types(plan_of(m.exp(a) + 1)) == ["Const"]
    big = fill([100, 100], 2.0) * 3
    assert types(plan_of(big)) == ["Const", "Broadcast"]


def test_equal_operations_are_merged() -> None:
    x = placeholder([3])
    plan = plan_of(m.exp(x) + m.exp(x), fed={x: (3,)})
    assert types(plan) == ["Placeholder", "Exp", "Add"]


def test_random_numbers_and_controlled_reads_are_not_merged() -> None:
    from thalweg.ops.random.random import random_normal

    plan = plan_of(random_normal([3]) + random_normal([3]))
    assert types(plan).count("RandomStandardNormal") + types(plan).count("RandomNormal") == 2
    assert types(plan).count("RunCounter") == 1
    assert plan.run_counter is not None


@pytest.mark.parametrize(
    "build",
    [
        lambda x: x - 0,
        lambda x: x + -0.0,
        lambda x: 1 * x,
        lambda x: x / 1,
        lambda x: m.negative(-x),
        lambda x: x**1,
        lambda x: identity(m.cast(x, "float32")),
        lambda x: transpose(transpose(x)),
        lambda x: reshape(reshape(x, [-1]), [2, 3]),
        lambda x: stop_gradient(x) - zeros_like(x),
    ],
)
def test_what_changes_nothing_is_removed(build: Any) -> None:
    x = placeholder([2, 3])
    assert types(plan_of(build(x), fed={x: (2, 3)})) == ["Placeholder"]


def test_gradients_of_slices_that_make_up_a_tensor_are_joined() -> None:
    def made(*slices: Any) -> list[str]:
        x = placeholder([None, 6])
        parts = [m.square(x[s]) for s in slices]
        gradient = gradients([r.reduce_sum(part) for part in parts], x)[0]
        assert gradient is not None
        return types(plan_of(gradient, fed={x: (4, 6)}))

    columns = [(slice(None), slice(n, n + 2)) for n in (4, 0, 2)]
    assert "ConcatV2" in made(*columns)
    assert not {"Add", "SliceGrad"} & set(made(*columns))
    overlapping = [*columns[:2], (slice(None), slice(1, 4))]
    with_steps = [(slice(None), slice(n, None, 2)) for n in (0, 1)]
    of_rows = [(slice(0, 2), slice(0, 3)), (slice(None), slice(3, 6))]
    for slices in (columns[:2], overlapping, with_steps, of_rows):
        assert "ConcatV2" not in made(*slices)


@pytest.mark.parametrize("sliced", [False, True])
def test_long_and_doubled_sums_are_planned_quickly(sliced: bool) -> None:
    """Sums of sums are walked once, not once for each way to a term; and without recursion."""
    x = placeholder([None, 6])
    start = gradients(r.reduce_sum(m.square(x[:, :3])), x)[0] if sliced else x
    assert start is not None
    doubled = chained = start
    for _ in range(40):
        doubled = m.add(doubled, doubled)
    for _ in range(1500):
        chained = m.add(start, chained)
    made = types(plan_of(doubled, chained, fed={x: (4, 6)}))
    assert "ConcatV2" not in made
    assert made.count("Add") == 1540 - 1  # x + x is in both


def test_powers_and_scalars() -> None:
    x = placeholder([None, 3])
    assert types(plan_of(x**2, fed={x: (2, 3)})) == ["Placeholder", "Square"]
    s = placeholder([], "s")
    plan = plan_of(x + (s * ones_like(x)) * 2, fed={x: (2, 3), s: ()})
    made = [op for op in plan.graph.operations if op.type == "Mul"]
    assert [op.outputs[0].static_shape for op in made] == [()]


def test_zeros_of_integers_and_a_negative_zero_change_nothing() -> None:
    n, x = create.placeholder("int32", [2]), placeholder([2])
    assert types(plan_of(n + 0 + n * 0, fed={n: (2,)})) == ["Placeholder"]
    for changes in (x + 0, x - -0.0, 0 - x, x * 0):  # -0.0, 0.0 and NaN
        assert len(types(plan_of(changes, fed={x: (2,)}))) > 2


def test_a_product_of_zeros_is_one_row_or_column() -> None:
    x = placeholder([None, 4])
    zeros = create.zeros([shape_of(x)[0], 3])

    def shapes(product: Tensor) -> list[Any]:
        ops = plan_of(product, fed={x: (5, 4)}).graph.operations
        return [op.outputs[0].static_shape for op in ops if op.type == "MatMul"]

    assert shapes(matmul(zeros, x, transpose_a=True)) == [(1, 4)]
    assert shapes(matmul(x, zeros, transpose_a=True)) == [(4, 1)]
    assert shapes(matmul(create.zeros([2, 4]), x, transpose_b=True)) == [(1, 5)]
    assert shapes(matmul(x, create.ones([4, 2]))) == [(5, 2)]


def test_static_feeds_are_those_whose_values_decide_about_shapes() -> None:
    x, n = placeholder([None]), create.placeholder("int32", [], "n")
    y = reshape(x, stack([n, -1]))
    assert static_feeds(prune([y], [], {x, n}), [x, n]) == [n]
    z = reshape(x, stack([shape_of(x)[0], 1]))
    assert static_feeds(prune([z], [], {x, n}), [x, n]) == []


def test_what_leads_to_a_feed_decides_about_no_shape() -> None:
    x, n = placeholder([None]), create.placeholder("int32", [], "n")
    size = n * 2
    y = reshape(x, stack([size, -1]))
    assert static_feeds(prune([y, n], [], {x, n, size}), [x, n, size]) == [size]


def test_what_numbers_that_vary_make_of_constants_is_folded_for_a_shape_only() -> None:
    for record, is_folded in ((None, False), (DynamicBroadcast(), True)):
        graph, trace = Graph(), Trace()
        begin = trace.give(2)
        with graph.as_default():
            made = emit(Slice((begin,), (2,), (1,)), constant(np.arange(6, dtype=np.int32)))
            made = made if record is None else emit(record, constant(1.0), made)
        plan = fold(Plan(graph, (), (made,), (), trace=trace))
        assert ("Slice" in types(plan)) is not is_folded
        trace.close()
        assert trace.replay([2]) is not None
        assert (trace.replay([3]) is None) is is_folded  # it holds for no other number


def test_means_do_not_contain_the_batch_size() -> None:
    x = placeholder([None, 3])
    plan = plan_of(r.reduce_mean(x), fed={x: (4, 3)})
    for op in plan.graph.operations:
        value = constant_value(op.outputs[0])
        assert value is None or is_planned(op.outputs[0]) or not np.any(value == 12)


def test_writes_wait_for_reads_but_not_for_control() -> None:
    w = Variable(1.0)
    change = w.assign(2.0)
    late = m.exp(w)
    plan = plan_of(late, targets=(change.op,))
    assert types(plan).index("Exp") < types(plan).index("Assign")
    with control.control_dependencies([change]):
        after = m.log(w.read_value())
    plan = plan_of(late, after, targets=(change.op,))
    assert types(plan).index("Exp") < types(plan).index("Assign") < types(plan).index("Log")


def test_writes_wait_for_checks_that_do_not_need_them() -> None:
    """So that a run that fails has written nothing else."""
    v, w = Variable(1.0), Variable([0.0])
    changes = v.assign(2.0), w.assign([3.0])
    targets = tuple(change.op for change in changes)
    at = create.placeholder("int32", [None])
    plan = plan_of(gather(constant([1.0, 2.0]), at), targets=targets, fed={at: (3,)})
    assert types(plan).index("GatherV2") < types(plan).index("Assign")
    with control.control_dependencies([changes[1]]):
        written = gather(w.read_value(), at)
    plan = plan_of(written, targets=targets, fed={at: (3,)})
    made = [op.inputs[0].op.name if op.type == "Assign" else op.type for op in order(plan)]
    assert made.index(w.op.name) < made.index("GatherV2") < made.index(v.op.name)


def test_what_has_nothing_equal_is_not_copied() -> None:
    x = placeholder([2])
    plan = plan_of(m.exp(x) + m.log(x), fed={x: (2,)})
    assert deduplicate(plan) is plan


def test_equal_operations_are_merged_through_those_that_follow() -> None:
    x = placeholder([2])
    one, other = (m.exp(m.log(x)) for _ in range(2))
    made = types(plan_of(one * other, fed={x: (2,)}))
    assert sorted(made) == ["Exp", "Log", "Mul", "Placeholder"]


def test_a_write_waits_for_the_operations_between_it_and_the_one_before() -> None:
    w = Variable([1.0, 2.0])
    read = w.value()
    first = w.assign_add([1.0, 1.0])
    with control.control_dependencies([first.op]):
        late = m.exp(read)
    second = w.assign_add([1.0, 1.0])
    made = list(order(plan_of(late, targets=(first.op, second.op))))
    writes = [n for n, op in enumerate(made) if op.type == "Assign"]
    (exp,) = (n for n, op in enumerate(made) if op.type == "Exp")
    assert writes[0] < exp < writes[1]


def test_every_order_respects_data() -> None:
    w = Variable([1.0, 2.0])
    updates = [w.assign_add([1.0, 1.0]), w.assign_sub([2.0, 2.0]), w.assign(w * 2)]
    plan = plan_of(m.exp(w), targets=tuple(t.op for t in updates))
    done: set[Operation] = set()
    for op in order(plan):
        assert {t.op for t in op.inputs} | set(op.control_inputs) <= done
        done.add(op)
    assert len(done) == len(plan.graph.operations)


def test_the_verifier_finds_wrong_specs() -> None:
    x = constant([1.0, 2.0])
    y = m.exp(x)
    verify(x.graph, [y], "nothing")
    y.spec = Spec((3,), y.dtype)
    with pytest.raises(CompilerError, match=r"after nothing: .*wrong spec"):
        verify(x.graph, [y], "nothing")
