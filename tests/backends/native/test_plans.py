"""Plans that outlive the process: what finds them, and what they must not be used for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.backends.native.test_library import Memory
from thalweg.backends.native.library import Library
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.plans import Planned, Plans
from thalweg.base.dims import Trace
from thalweg.base.record import replace
from thalweg.graph import Graph, Op, Operation, Spec, Tensor
from thalweg.kernels.kernel import Kernel
from thalweg.kernels.pipeline import make_kernels
from thalweg.kernels.schedules.schedule import Schedule
from thalweg.passes.interface import interface
from thalweg.passes.make_plan import make_plan
from thalweg.passes.prune import prune
from thalweg.passes.signature import MOST_BYTES, signature

Array = np.ndarray[Any, Any]

PROGRAM = """
import sys
import numpy as np
import thalweg as tf

x = tf.placeholder(tf.float32, [None, 6, 6, 3])
filters = tf.Variable(tf.random_normal([3, 3, 3, 16], seed=5))
hidden = tf.nn.dropout(tf.nn.relu(tf.nn.conv2d(x, filters, [1, 1, 1, 1], "SAME")), 0.5, seed=2)
table = tf.Variable(tf.random_normal([7, 4], seed=3))
picked = tf.gather(table, tf.placeholder(tf.int32, [None], name="rows"))
loss = tf.reduce_mean(tf.square(hidden)) + tf.reduce_mean(picked)
step = tf.train.AdamOptimizer(0.01).minimize(loss)
with tf.Session() as session:
    for size, rows in ((5, [0, 6, 2]), (8, [1, 2])):
        images = np.sin(np.arange(size * 108, dtype=np.float32)).reshape(size, 6, 6, 3)
        print(session.run([loss, step], {x: images, "rows:0": rows})[0].tobytes().hex())
    try:
        session.run([loss, step], {x: images, "rows:0": [1, 7]})
    except tf.errors.InvalidArgumentError as error:
        print(error)
    print(session.run(filters).tobytes().hex()[:64])
print(*session.why_recompiled, sep="\\n", file=sys.stderr)
"""


def run(folder: Path, program: str = PROGRAM, *arguments: str) -> tuple[str, list[str]]:
    """What a process prints, and why it made its programs."""
    script = folder / "program.py"
    script.write_text(program)
    environment = os.environ | {"THALWEG_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, str(script), *arguments]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return made.stdout, made.stderr.splitlines()


def test_a_later_process_plans_nothing(tmp_path: Path) -> None:
    first, why = run(tmp_path)
    assert not any("was cached" in line for line in why)
    again, why = run(tmp_path)
    assert again == first  # the values, and the error with the user's own line
    assert "is not in [0, 7)" in first
    assert "program.py:10: picked = tf.gather" in first
    step, other_batch = [line for line in why if line.startswith("add:0, Adam")]
    assert step.endswith("(the plan was cached)")
    assert other_batch.endswith("(the plan holds)")


LOOPS = """
import sys
import numpy as np
import thalweg as tf

x = tf.placeholder(tf.float32, [None, None, 3])
w = tf.Variable(tf.random_normal([3, 4], seed=5))
u = tf.Variable(tf.random_normal([4, 4], seed=6))
table = tf.constant([1.0, 2.0, 4.0])
limit = tf.placeholder(tf.float32, [], name="limit")

def cell(h, x):
    kept = tf.nn.dropout(tf.tanh(tf.matmul(h, u) + tf.matmul(x, w)), 0.5, seed=2)
    return tf.cond(tf.reduce_sum(kept) > 0.0, lambda: kept * 0.5, lambda: kept - tf.sigmoid(kept))

def look(i, total):
    return i + 1, total + tf.gather(table, i)

h = tf.scan(cell, x, tf.zeros([2, 4]))
_, total = tf.while_loop(lambda i, total: tf.to_float(i) < limit, look, [0, 0.0])
step = w.assign_sub(tf.ones([3, 4]) * tf.reduce_mean(h) * tf.sigmoid(total))
with tf.Session() as session:
    for length in (5, 8):
        rows = np.sin(np.arange(length * 6, dtype=np.float32)).reshape(length, 2, 3)
        print(session.run([h, step], {x: rows, limit: 3})[0].tobytes().hex())
    try:
        session.run([h, step], {x: rows, limit: 5})
    except tf.errors.InvalidArgumentError as error:
        print(error)
print(*session.why_recompiled, sep="\\n", file=sys.stderr)
"""


def test_so_do_plans_with_loops_and_branches(tmp_path: Path) -> None:
    first, why = run(tmp_path, LOOPS)
    assert not any("cached" in line for line in why)
    again, why = run(tmp_path, LOOPS)
    assert again == first
    assert "is not in [0, 3)" in first
    assert "return i + 1, total + tf.gather(table, i)" in first
    step, *others = [line for line in why if line.startswith("scan")]
    assert step.endswith("(the plan was cached)")
    assert all(line.endswith("(the plan holds)") for line in others)


def test_other_lines_of_the_program_are_those_of_the_error(tmp_path: Path) -> None:
    run(tmp_path)
    moved, _ = run(tmp_path, "# a line more\n" + PROGRAM)
    assert "program.py:11: picked = tf.gather" in moved


def test_a_damaged_plan_is_made_anew(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    for path in (tmp_path / "cache").glob("plan_*"):
        path.write_bytes(path.read_bytes()[:-7])
    again, why = run(tmp_path)
    assert again == first
    assert not any("was cached" in line for line in why)


def test_entries_in_the_places_of_others_are_made_anew(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    paths = sorted((tmp_path / "cache").iterdir())
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)
    for cached in (False, True):
        again, why = run(tmp_path)
        assert again == first
        assert any("was cached" in line for line in why) is cached
    assert sorted((tmp_path / "cache").iterdir()) == paths


# -- what finds a plan


def network(
    units: int = 8,
    rate: float = 0.1,
    seed: int | None = None,
    name: str = "x",
    shape: tuple[int | None, ...] = (None, 5),
    dtype: Any = tf.float32,
    scale: Any = 3.0,
    swapped: bool = False,
    after: bool = False,
) -> tuple[list[Tensor], list[Operation]]:
    """A small network with everything that may differ from one to the next."""
    with tf.Graph().as_default():
        x = tf.placeholder(dtype, shape, name=name)
        w = tf.Variable(tf.random_normal([5, units], dtype=dtype, seed=seed))
        y = tf.nn.dropout(tf.matmul(x, w), 0.5, seed=seed) * tf.cast(tf.constant(scale), dtype)
        loss = tf.reduce_sum(y) - tf.reduce_mean(y * y)
        if swapped:
            loss = tf.reduce_mean(y * y) - tf.reduce_sum(y)
        with tf.control_dependencies([y] if after else []):
            step = tf.train.GradientDescentOptimizer(rate).minimize(loss)
        return [loss], [step]


def text(made: tuple[list[Tensor], list[Operation]], ranks: int = 2) -> str | None:
    fetches, targets = made
    ops = prune(fetches, targets)
    x = next(op.outputs[0] for op in ops if op.type == "Placeholder")
    ops = prune(fetches, targets, [x])
    return signature(ops, fetches, targets, {x: (ranks, None)})


def test_what_is_made_again_has_the_same_signature() -> None:
    assert text(network()) == text(network())
    assert text(network(seed=1)) == text(network(seed=2)) == text(network())


def test_what_differs_has_another_signature() -> None:
    made = [
        network(),
        network(units=9),
        network(rate=0.2),
        network(name="y"),
        network(shape=(4, 5)),
        network(shape=(None, None)),
        network(dtype=tf.float64),
        network(scale=4.0),
        network(scale=[3.0]),
        network(swapped=True),
        network(after=True),
    ]
    texts = [text(one) for one in made]
    texts += [text(network(), ranks=3)]
    fetches, targets = network()
    texts += [text((fetches, [])), text((fetches * 2, targets)), text(([], targets))]
    assert None not in texts
    assert len(set(texts)) == len(texts)


def test_large_constants_and_what_has_no_text_find_no_plan() -> None:
    class Strange(Op):
        type = "Strange"
        attribute: object

        def infer(self, x: Spec) -> Spec:
            return x

        def evaluate(self, xp: Any, x: Any) -> Any:
            return x

    graph = Graph()
    with graph.as_default():
        small = tf.constant(np.zeros(4, np.float32))
        large = tf.constant(np.arange(MOST_BYTES // 4 + 1, dtype=np.float32))
    strange = graph.add(Strange({"a": 1}), (small,)).outputs[0]
    for tensor, found in ((small, True), (large, False), (strange, False)):
        made = signature(prune([tensor], []), [tensor], [], {})
        assert (made is not None) is found


# -- when it is used


@pytest.fixture
def planned() -> tuple[Plans, Library, Planned]:
    """A product of matrices, cached."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 40])
        y = tf.nn.relu(tf.matmul(x, tf.Variable(tf.zeros([40, 48]))))
        plan = make_plan([y], [], {x: (30, 40)}, {})
    memory = Memory()
    library = Library(Jit(), memory)
    begun: list[Kernel] = []
    kernels = make_kernels(
        plan, library.machine, library.schedule, {}, lambda *kernel: begun.append(kernel)
    )
    known = [(nest.structure, schedule) for nest, schedule in kernels.nests]
    assert [(nest.structure, schedule) for nest, schedule in begun] == known  # while it is planned
    plan.trace.close()
    made = Planned(kernels, (1.0,) * len(kernels.nests), plan.trace, interface(plan))
    plans = Plans(library, memory)
    plans.put("product", made)
    return plans, library, made


Case = tuple[Plans, Library, Planned]


def test_numbers_of_a_cached_plan(planned: Case) -> None:
    plans, _, made = planned
    found = plans.get("product", [50])
    assert found is not None
    again, sizes = found
    ((shape, dtype),) = again.interface.fetches
    assert (sizes.shape(shape), dtype) == ((50, 48), tf.float32)
    assert [n.structure for n, _ in again.kernels.nests] == [
        n.structure for n, _ in made.kernels.nests
    ]
    assert plans.get("another product", [50]) is None
    assert plans.get("product", [1]) is None  # one row is a kernel of its own


@pytest.mark.parametrize("other_process", [False, True])
def test_a_schedule_that_was_tuned_since_is_not_forgotten(
    planned: Case, other_process: bool
) -> None:
    plans, library, made = planned
    nest, schedule = made.kernels.nests[-1]
    tuned = Schedule(schedule.order, schedule.vector, schedule.lanes, {**schedule.tile}, 1, 7)
    library.remember(nest, tuned)
    if other_process:
        plans = Plans(Library(Jit(), library._cache), plans._cache)
    assert plans.get("product", [30]) is None


def test_what_cannot_be_kept_is_planned_anew(planned: Case) -> None:
    plans, _, made = planned
    trace = Trace()
    trace.compute(lambda n: n + 1, trace.give(3))
    plans.put("another", replace(made, trace=trace))
    assert plans.get("another", [3]) is None


def test_schedules_of_a_cached_plan_are_those_of_later_ones(planned: Case) -> None:
    plans, _, made = planned
    later = Library(Jit())  # has never seen such kernels
    found = Plans(later, plans._cache).get("product", [50])
    assert found is not None
    for nest, schedule in made.kernels.nests:
        assert later.schedule(nest) == schedule


SIZES = """
import sys
import numpy as np
import thalweg as tf

x = tf.placeholder(tf.float32, [None, 4])
rows, columns = (tf.placeholder(tf.int32, [], name=name) for name in ("rows", "columns"))
y = tf.reshape(x, [rows, 2, columns, -1]) * 2.0
for _ in range(30):
    y = tf.nn.relu(y) + 1.0
y = y[:, 0] * tf.cast(columns, tf.float32)
first, *others = sys.argv[1:]
with tf.Session() as session:
    for which, n in ((first, 3), *[(which, 5) for which in others]):
        ones = np.ones([4 * n * n, 4])
        feeds = {"rows": ("rows:0", n), "columns": ("columns:0", 2 * n), "x": (x, ones)}
        made = session.run(y, dict(feeds[name] for name in which.split(",")))
        print(made.shape, made.sum())
print(*session.why_recompiled, sep="\\n", file=sys.stderr)
"""


def test_a_plan_serves_values_fed_in_any_order_in_a_later_process(tmp_path: Path) -> None:
    some, other = "x,rows,columns", "columns,x,rows"
    first, why = run(tmp_path, SIZES, some, some)
    assert [line.endswith("(the plan holds)") for line in why] == [False, True]
    for orders in ((some, other), (other, some), (other, some)):
        again, why = run(tmp_path, SIZES, *orders)
        assert again == first
    assert [line.endswith(("cached)", "holds)")) for line in why] == [True, True]
