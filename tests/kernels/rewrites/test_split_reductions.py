"""Long reductions in two steps, so that threads can share the first one."""

from __future__ import annotations

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.kernels.rewrites.split_reductions import split_reductions
from thalweg.kernels.schedules.schedule import Machine


def test_a_long_sum_with_few_results_is_cut_along_its_first_axis() -> None:
    program = Program(tf.reduce_sum(fed("x", 64, 64, 16), [0, 1], name="s"))
    check(program.text, "s[k] = sum[r<64, r'<64](x[r, r', k])  for k<16  in fetch 0")
    program.run(split_reductions, Machine())
    check(
        program.text,
        """
        s partial[r, k] = sum[r'<64](x[r, r', k])  for r<64, k<16
        s[k] = sum[r<64](s partial[r, k])  for k<16  in fetch 0
        """,
    )


def test_a_narrow_product_is_cut_into_equal_parts_of_its_sum() -> None:
    program = Program(tf.matmul(fed("x", 4, 785), fed("w", 785, 10), name="y"))
    program.run(split_reductions, Machine())
    check(
        program.text,
        """
        y partial[kk, i, j] = sum[k<157](x[i, 157*kk + k] * w[157*kk + k, j])
                for kk<5, i<4, j<10
        y[i, j] = sum[kk<5](y partial[kk, i, j])  for i<4, j<10  in fetch 0
        """,
    )


def test_what_threads_can_share_is_left_alone() -> None:
    """A short sum, many results, a product of many columns, and rows that make no equal parts."""
    x = fed("x", 64, 64, 16)
    program = Program(
        tf.reduce_sum(x[:8, :8], [0, 1]),
        tf.reduce_sum(x, 1),
        tf.matmul(fed("a", 4, 785), fed("b", 785, 100)),
        tf.matmul(fed("c", 4, 1021), fed("d", 1021, 10)),
    )
    before = program.text
    program.run(split_reductions, Machine())
    check(program.text, before)
