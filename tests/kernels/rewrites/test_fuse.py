"""Definitions over one index space that become one kernel."""

from __future__ import annotations

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.kernels.printer import show_groups
from thalweg.kernels.rewrites.fuse import fuse
from thalweg.kernels.rewrites.inline import inline


def fused(program: Program) -> str:
    return show_groups(fuse(program.definitions))


def test_a_pointwise_consumer_becomes_the_epilogue_of_a_sum() -> None:
    product = tf.matmul(fed("a", 32, 48), fed("b", 48, 10), name="y")
    program = Program(tf.nn.relu(tf.add(product, fed("c", 32, 10), name="s"), name="z"))
    check(
        program.text,
        """
        y[i, j] = sum[k<48](a[i, k] * b[k, j])  for i<32, j<10
        s[i, j] = y[i, j] + c[i, j]  for i<32, j<10
        z[i, j] = max(s[i, j], 0)  for i<32, j<10  in fetch 0
        """,
    )
    check(
        fused(program),
        """
        kernel 0:
            y[i, j] = sum[k<48](a[i, k] * b[k, j])  for i<32, j<10
            s[i, j] = y[i, j] + c[i, j]  for i<32, j<10
            z[i, j] = max(s[i, j], 0)  for i<32, j<10  in fetch 0
        """,
    )


def test_the_update_of_a_variable_joins_the_gradient() -> None:
    w = tf.Variable(tf.zeros([48, 10]), name="w")
    gradient = tf.matmul(fed("x", 32, 48), fed("d", 32, 10), transpose_a=True, name="g")
    program = Program(targets=[w.assign_sub(gradient).op])
    check(
        fused(program),
        """
        kernel 0:
            g[i, j] = sum[k<32](x[k, i] * d[k, j])  for i<48, j<10
            AssignSub/Sub[i, j] = w[i, j] - g[i, j]  for i<48, j<10
            AssignSub[i, j] = AssignSub/Sub[i, j]  for i<48, j<10
                    in variable w  after AssignSub/Sub
        """,
    )


def test_sums_over_the_same_rows_share_their_loops() -> None:
    x, y = fed("x", 512, 48), fed("y", 512, 48)
    program = Program(tf.reduce_sum(x, 0, name="s"), tf.reduce_max(x * y, 0, name="m"))
    program.run(inline, program.kept)
    check(
        fused(program),
        """
        kernel 0:
            s[j] = sum[r<512](x[r, j])  for j<48  in fetch 0
            m[j] = max[r<512](x[r, j] * y[r, j])  for j<48  in fetch 1
        """,
    )


def test_what_reads_other_points_stays_apart() -> None:
    product = tf.matmul(fed("a", 32, 48), fed("b", 48, 10), name="y")
    program = Program(product, tf.reduce_sum(product, 0, name="s"))
    check(
        fused(program),
        """
        kernel 0:
            y[i, j] = sum[k<48](a[i, k] * b[k, j])  for i<32, j<10  in fetch 0
        kernel 1:
            s[j] = sum[r<32](y[r, j])  for j<10  in fetch 1
        """,
    )


def test_groups_do_not_merge_around_what_has_to_run_between_them() -> None:
    """`z` is over the loops of `e`, but needs a sum of all of `e`."""
    e = tf.exp(fed("x", 8, 8), name="e")
    total = tf.reduce_sum(e, [0, 1], name="s")
    program = Program(tf.divide(e, total, name="z"))
    check(
        fused(program),
        """
        kernel 0:
            e[i, j] = exp(x[i, j])  for i<8, j<8
        kernel 1:
            s[] = sum[r<8, r'<8](e[r, r'])
        kernel 2:
            z/Broadcast[i, j] = s[]  for i<8, j<8
            z[i, j] = e[i, j] / z/Broadcast[i, j]  for i<8, j<8  in fetch 0
        """,
    )
