"""Producers that are written into their consumers, and those that are kept."""

from __future__ import annotations

import pytest

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.kernels.rewrites.inline import inline


def test_a_producer_is_written_into_its_only_consumer() -> None:
    x = fed("x", 4, 8)
    program = Program(tf.reduce_sum(tf.exp(x, name="e"), 1, name="s"))
    check(
        program.text,
        """
        e[i, j] = exp(x[i, j])  for i<4, j<8
        s[i] = sum[r<8](e[i, r])  for i<4  in fetch 0
        """,
    )
    program.run(inline, program.kept)
    check(program.text, "s[i] = sum[r<8](exp(x[i, r]))  for i<4  in fetch 0")


def test_what_is_cheap_is_computed_wherever_it_is_used() -> None:
    x = fed("x", 4, 8)
    n = tf.negative(x, name="n")
    program = Program(tf.reduce_sum(n, 1, name="s"), tf.reduce_max(n, 0, name="m"))
    program.run(inline, program.kept)
    check(
        program.text,
        """
        s[i] = sum[r<8](-x[i, r])  for i<4  in fetch 0
        m[j] = max[r<4](-x[r, j])  for j<8  in fetch 1
        """,
    )


def test_what_is_expensive_and_used_twice_is_kept() -> None:
    x = fed("x", 4, 8)
    e = tf.exp(x, name="e")
    program = Program(tf.reduce_sum(e, 1, name="s"), tf.reduce_max(e, 0, name="m"))
    before = program.text
    program.run(inline, program.kept)
    check(program.text, before)


def test_the_operand_of_a_contraction_is_kept() -> None:
    """Each of its elements would be computed for every column of the product."""
    x, w = fed("x", 4, 8), fed("w", 8, 6)
    program = Program(tf.matmul(tf.negative(x, name="n"), w, name="y"))
    program.run(inline, program.kept)
    check(
        program.text,
        """
        n[i, j] = -x[i, j]  for i<4, j<8
        y[i, j] = sum[k<8](n[i, k] * w[k, j])  for i<4, j<6  in fetch 0
        """,
    )


@pytest.mark.parametrize(("columns", "copied"), [(8, False), (256, True)])
def test_a_mini_batch_is_read_where_it_lies_if_each_row_is_read_a_few_times(
    columns: int, copied: bool
) -> None:
    x = fed("x", None, 64)
    product = tf.matmul(x, fed("w", 64, columns), name="y")
    program = Program(product, rows=10, batched_feeds=[x])
    copy = "x[i, j] = x rows[row numbers[i], j]  for i<10, j<64\n"
    loops = f"for i<10, j<{columns}  in fetch 0"
    check(program.text, copy + f"y[i, j] = sum[k<64](x[i, k] * w[k, j])  {loops}")
    program.run(inline, program.kept)
    if copied:
        check(program.text, copy + f"y[i, j] = sum[k<64](x[i, k] * w[k, j])  {loops}")
    else:
        read = "x rows[row numbers[i], k]"
        check(program.text, f"y[i, j] = sum[k<64]({read} * w[k, j])  {loops}")


def test_a_variable_is_read_before_it_is_overwritten() -> None:
    """`n` would find the new contents at the place of `y`, which comes after the write."""
    v = tf.Variable(tf.zeros([4]), name="v")
    old = tf.negative(v, name="n")
    write = v.assign(tf.exp(fed("x", 4), name="e"))
    with tf.control_dependencies([write]):
        y = tf.exp(old, name="y")
    program = Program(y, targets=[write.op])
    program.run(inline, program.kept)
    check(
        program.text,
        """
        n[i] = -v[i]  for i<4
        Assign[i] = exp(x[i])  for i<4  in variable v  after n
        y[i] = exp(n[i])  for i<4  in fetch 0  after Assign
        """,
    )
