"""Whatever a schedule says of tiles, loops, K blocks and copies, the bits are the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.shares import one_in
from thalweg.backends.native.backend import NativeProgram
from thalweg.backends.native.library import Library, without_scratch
from thalweg.backends.native.llvm.emit import emit
from thalweg.backends.native.llvm.jit import Jit
from thalweg.backends.native.llvm.target import Target
from thalweg.backends.native.team import shared_team
from thalweg.backends.state import address_of, aligned_empty
from thalweg.base.dims import Dim
from thalweg.base.dtypes import float32
from thalweg.base.record import replace
from thalweg.base.shapes import known
from thalweg.formula import Axis, Read, sum_over
from thalweg.graph import Graph, Tensor
from thalweg.kernels.nests.nest import Nest, Store, row_major
from thalweg.kernels.pipeline import with_scratch
from thalweg.kernels.schedules.choose import alternatives, variants
from thalweg.kernels.schedules.k_blocking import CACHE_BYTES, MAX_STREAMED_ROWS, sums_once
from thalweg.kernels.schedules.schedule import AbstractSchedule, Schedule, tasks
from thalweg.kernels.values import Value
from thalweg.ops.arrays import create
from thalweg.ops.convolution.conv import conv2d
from thalweg.ops.linalg import matmul
from thalweg.session.session import Session

Array = np.ndarray[Any, Any]
BEHIND, UNUSED = 64, 0xA5  # bytes behind each array, and what they must stay
EVERY = 10  # of the many tiles that a contraction can have, so many are tried


def heaviest(
    build: Callable[..., Tensor | list[Tensor]],
    *shapes: tuple[int, ...],
    dynamic: bool | Container[int],
    kind: Any = np.float32,
) -> Nest:
    """The nest of the program with the most arithmetic.

    Args:
        build: makes what is computed.
        shapes: of what is fed.
        dynamic: whether the first extents are open, or the numbers of those that are.
        kind: of what is fed.
    """
    opened = range(len(shapes) * int(dynamic)) if isinstance(dynamic, bool) else dynamic
    with Graph().as_default() as graph, Session(graph=graph) as session:
        every = enumerate(shapes)
        open_shapes = [(None, *shape[1:]) if n in opened else shape for n, shape in every]
        feeds = [create.placeholder(kind, shape) for shape in open_shapes]
        arrays = [np.zeros(shape, kind) for shape in shapes]
        _, program = session.program(build(*feeds), dict(zip(feeds, arrays, strict=True)))
        assert isinstance(program, NativeProgram)
        return max(program.steps, key=lambda step: step.cost.flops).nest


def _random(value: Value, rng: np.random.Generator) -> Array:
    if value.dtype.is_floating:
        return rng.standard_normal(known(value.shape)).astype(value.dtype.numpy)
    return rng.integers(0, 9, known(value.shape)).astype(value.dtype.numpy)


def _front(raw: Array, value: Value) -> Array:
    """The array at the beginning of some bytes."""
    return raw[: int(value.bytes)].view(value.dtype.numpy).reshape(known(value.shape))


class Runner:
    """Runs a nest under any schedule, on the same random memory, and looks behind each array."""

    def __init__(self, nest: Nest, jit: Jit | None = None) -> None:
        self.nest = without_scratch(nest)
        self.library = Library(jit or Jit())
        rng = np.random.default_rng(1)
        self._inputs = [_random(v, rng) for v in self.nest.slots]

    def __call__(self, schedule: Schedule) -> list[Array]:
        nest = with_scratch(self.nest, schedule) if schedule.k_block else self.nest
        (address,) = self.library.code([(nest, schedule)])
        whole = [aligned_empty((int(v.bytes) + BEHIND,), np.dtype(np.uint8)) for v in nest.slots]
        memory = [_front(raw, v) for raw, v in zip(whole, nest.slots, strict=True)]
        for raw in whole:
            raw.fill(UNUSED)
        for array, values in zip(memory, self._inputs, strict=False):
            np.copyto(array, values)
        words = np.array([*map(address_of, memory), *nest.numbers], np.int64)
        table = np.array([[address, address_of(words), tasks(schedule), 0]], np.int64)
        shared_team().run(table, 1, 2)
        assert all((raw[-BEHIND:] == UNUSED).all() for raw in whole), schedule
        return [memory[store.slot] for store in nest.stores]


def product(transpose_a: bool, transpose_b: bool) -> Callable[..., Tensor]:
    return lambda a, b: matmul.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def finished(a: Tensor, b: Tensor) -> Tensor:
    """A product, and a long way from its sums to what is stored."""
    x = matmul.matmul(a, b)
    y = tf.tanh(x) * tf.sqrt(tf.abs(x) + 1.0) + x / (tf.exp(x) + 2.0)
    return tf.maximum(y - 0.5, y * 0.25) * tf.sigmoid(x)


Case = tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]
PRODUCTS: dict[str, Case] = {
    "matmul": (product(False, False), ((45, 70), (70, 96))),
    "matmul-transposed-b": (product(False, True), ((45, 70), (83, 70))),
    "matmul-transposed-a": (product(True, False), ((70, 45), (70, 50))),
}
CASES: dict[str, Case] = {
    **PRODUCTS,
    "finished": (finished, ((45, 70), (70, 96))),
    "conv2d": (lambda x, w: conv2d(x, w, 1, "VALID"), ((3, 9, 11, 6), (3, 3, 6, 20))),
}


# Known and open extents, the ones first for one case and the others for the next.
BOTH = [(name, bool((n + m) % 2)) for n, name in enumerate(CASES) for m in range(2)]


@pytest.mark.parametrize(("name", "dynamic"), one_in(2, BOTH))
def test_every_schedule_gives_the_same_bits(name: str, dynamic: bool) -> None:
    build, shapes = CASES[name]
    run = Runner(heaviest(build, *shapes, dynamic=dynamic))
    first, *rest = alternatives(run.nest, Schedule(run.nest.axes), run.library.machine, 10**6)
    expected = run(first)
    staged = [schedule for schedule in rest if schedule.staged]
    blocked = [replace(schedule, k_block=7) for schedule in rest[::EVERY] if sums_once(run.nest)]
    tried = [*rest[::EVERY], *staged[::EVERY], *blocked, *variants(run.nest, first)]
    assert len(tried) > EVERY
    for schedule in tried:
        for got, wanted in zip(run(schedule), expected, strict=True):
            np.testing.assert_array_equal(got, wanted, err_msg=str(schedule))


@pytest.mark.parametrize(
    ("rows", "is_open", "streamed"),
    [(1, False, True), (2, False, False), (1, True, True), (2, True, False)],
)
def test_a_matrix_that_is_used_once_is_walked_in_its_own_order(
    rows: int, is_open: bool, streamed: bool
) -> None:
    """In K blocks of a few of its rows. A batch of one has a plan of its own."""
    shapes = (rows, 500), (500, 1024)
    nest = heaviest(product(False, False), *shapes, dynamic=is_open)
    schedule = Library(Jit()).schedule(nest)
    assert (0 < schedule.k_block <= MAX_STREAMED_ROWS) is streamed
    reads = {nest.slots[slot].bytes for slot in range(len(nest.slots))}
    assert max(reads) > CACHE_BYTES


@pytest.mark.parametrize("shapes", [((1, 500), (500, 700)), ((1, 9), (9, 1024))])
def test_others_are_not(shapes: tuple[tuple[int, ...], ...]) -> None:
    """A matrix that the second-level cache holds, or one with few rows."""
    nest = heaviest(product(False, False), *shapes, dynamic=False)
    assert Library(Jit()).schedule(nest).k_block == 0


def test_what_follows_the_sums_is_computed_in_the_last_k_block_only() -> None:
    def noisy(a: Tensor, b: Tensor) -> Tensor:
        return matmul.matmul(a, b) * tf.random_uniform([1, 1024], seed=1)

    nest = heaviest(noisy, (1, 500), (500, 1024), dynamic=False)
    schedule = Library(Jit()).schedule(nest)
    assert schedule.k_block
    if not nest.scratch:
        nest = with_scratch(nest, schedule)
    blocks = re.split(
        r"^(\w+):$", emit(nest, schedule, Target.host()).split("@kernel")[1], flags=re.MULTILINE
    )
    calls = {
        name for name, code in zip(blocks[1::2], blocks[2::2], strict=True) if "random" in code
    }
    assert calls
    assert all(name.startswith("then") for name in calls)


@pytest.mark.parametrize(("build", "shapes"), PRODUCTS.values(), ids=PRODUCTS)
def test_operands_may_be_staged_whichever_way_they_lie(
    build: Callable[..., Tensor], shapes: tuple[tuple[int, ...], ...]
) -> None:
    nest = heaviest(build, *shapes, dynamic=False)
    found = alternatives(nest, Schedule(nest.axes), Library(Jit()).machine, 10**6)
    assert any(schedule.staged for schedule in found)


def test_a_schedule_without_axes_is_the_same_on_its_nest() -> None:
    nest = heaviest(product(False, False), (45, 70), (70, 96), dynamic=True)
    for schedule in alternatives(nest, Schedule(nest.axes), Library(Jit()).machine, 20):
        assert AbstractSchedule.of(schedule, nest).on(nest) == schedule


def test_nothing_of_unknown_length_is_staged_as_a_whole() -> None:
    """Its code would serve longer ones too, for which its place would be too small."""
    i, j, n, k = Axis(64, "i"), Axis(512, "j"), Axis(Dim(64), "n"), Axis(32, "k")
    shapes = (n.extent, 64, 32), (n.extent, 512, 32), (64, 512)
    slots = tuple(Value(name, shape, float32) for name, shape in zip("abc", shapes, strict=True))
    left = Read(0, (row_major((n, i, k)),), float32)
    right = Read(1, (row_major((n, j, k)),), float32)
    store = Store(2, row_major((i, j)), sum_over((n, k), left * right), float32)
    nest = Nest((i, j), (store,), slots, ())
    found = alternatives(nest, Schedule(nest.axes), Library(Jit()).machine, 10**6)
    staged = [schedule for schedule in found if schedule.staged]
    assert staged
    assert all(schedule.k_block for schedule in staged)
