"""What schedules have the processor fetch ahead."""

from __future__ import annotations

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, fed, stored
from thalweg.base.record import replace
from thalweg.kernels.nests.dependence import Dependence
from thalweg.kernels.nests.nest import Nest, make_nest
from thalweg.kernels.rewrites.fuse import fuse
from thalweg.kernels.rewrites.inline import inline
from thalweg.kernels.schedules.prefetch import Prefetches, prefetches
from thalweg.kernels.schedules.schedule import Schedule
from thalweg.kernels.values import VariableMemory


def nest_of(program: Program) -> Nest:
    """The nest of the last kernel."""
    program.run(inline, program.kept)
    groups = fuse(program.definitions)
    stored([d for group in groups for d in group[-1:]])
    return make_nest(groups[-1], lambda value: value.storage is not None)


def fetched(nest: Nest, schedule: Schedule) -> Prefetches:
    return prefetches(nest, schedule, Dependence())


def test_an_update_fetches_the_weights_while_their_gradient_is_summed() -> None:
    w = tf.Variable(tf.zeros([48, 64]), name="w")
    gradient = tf.matmul(fed("x", 32, 48), fed("d", 32, 64), transpose_a=True)
    nest = nest_of(Program(targets=[w.assign_sub(gradient).op]))
    i, j = nest.axes
    made = Schedule((i, j), vector=j, lanes=8, tile={i: 4, j: 8})
    found = fetched(nest, made)
    assert [nest.slots[r.source].storage for r in found.operands] == [VariableMemory("w")]
    assert not found.rows
    assert not found.batches
    blocked = replace(made, k_block=8)  # they would be fetched in all blocks, and used in the last
    assert fetched(nest, blocked) == Prefetches((), (), (), ())
    scalar = Schedule((i, j))
    assert not fetched(nest, scalar).operands


def test_a_short_sum_leaves_no_time_to_fetch() -> None:
    w = tf.Variable(tf.zeros([48, 64]), name="w")
    gradient = tf.matmul(fed("x", 31, 48), fed("d", 31, 64), transpose_a=True)
    nest = nest_of(Program(targets=[w.assign_sub(gradient).op]))
    i, j = nest.axes
    assert not fetched(nest, Schedule((i, j), vector=j, lanes=8, tile={j: 8})).operands


def test_a_tile_of_gathered_rows_fetches_where_the_next_ones_begin() -> None:
    """As in the forward product of a mini-batch, whose rows are read where they lie."""
    x = fed("x", None, 64)
    product = tf.matmul(x, fed("w", 64, 8), name="y")
    nest = nest_of(Program(product, rows=10, batched_feeds=[x]))
    i, j = nest.axes
    (row,) = fetched(nest, Schedule((i, j), vector=j, lanes=8, tile={i: 4, j: 8})).rows
    assert row.axis is i
    assert nest.slots[row.read.source].name == "x rows"
    assert row.reduced == nest.reductions[0].axes


def test_a_gradient_fetches_the_next_mini_batch() -> None:
    """Its numbers follow those of this one, so the rows of the next are as many places further."""
    x = fed("x", None, 64)
    gradient = tf.matmul(x, fed("d", None, 4), transpose_a=True, name="g")
    nest = nest_of(Program(gradient, rows=10, batched_feeds=[x]))
    i, j = nest.axes
    (ahead,) = fetched(nest, Schedule((j, i), vector=i, lanes=8, tile={i: 8, j: 4})).batches
    (number,) = ahead.following.children
    (axis,) = nest.reductions[0].axes
    assert number.reads[0].index[0] == axis + 10


def test_rows_of_a_table_are_fetched_some_rows_before_they_are_needed() -> None:
    table, rows = tf.Variable(tf.zeros([100, 64]), name="w"), tf.placeholder(tf.int32, [32])
    replaced = nest_of(Program(targets=[tf.scatter_update(table, rows, fed("x", 32, 64)).op]))
    read = nest_of(Program(tf.gather(table, rows) * 2.0))
    for nest, is_write in ((replaced, True), (read, False)):
        i, j = nest.axes
        made = Schedule((j, i), vector=j, lanes=8, tile={j: 16})
        (lookup,) = fetched(nest, made).lookups
        assert lookup.axis is i
        assert lookup.write is is_write
        assert not fetched(nest, Schedule((j, i))).lookups
        assert not fetched(nest, replace(made, tile={j: 16, i: 2})).lookups
