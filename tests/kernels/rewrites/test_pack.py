"""Operands that are copied into a layout which their contraction can stream."""

from __future__ import annotations

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.kernels.rewrites.pack import pack
from thalweg.kernels.schedules.schedule import Machine


def test_rows_with_set_conflicts_are_copied_into_panels() -> None:
    """Rows of 4 KiB, each used by 600 rows of the other operand."""
    program = Program(tf.matmul(fed("x", 600, 128), fed("w", 128, 1024), name="y"))
    check(
        program.text,
        "y[i, j] = sum[k<128](x[i, k] * w[k, j])  for i<600, j<1024  in fetch 0",
    )
    program.run(pack, Machine())
    check(
        program.text,
        """
        w packed[i, j] = w[i, j]  for i<128, j<1024  in panels of 32
        y[i, j] = sum[k<128](x[i, k] * w packed[k, j])  for i<600, j<1024  in fetch 0
        """,
    )


def test_an_operand_that_lies_across_the_vectors_is_transposed() -> None:
    program = Program(tf.matmul(fed("x", 300, 64), fed("w", 32, 64), transpose_b=True, name="y"))
    program.run(pack, Machine())
    check(
        program.text,
        """
        w packed[i, j] = w[j, i]  for i<64, j<32
        y[i, j] = sum[k<64](x[i, k] * w packed[k, j])  for i<300, j<32  in fetch 0
        """,
    )


def test_one_copy_serves_all_who_read_the_operand_so() -> None:
    w = fed("w", 32, 64)
    rows = [fed(name, 300, 64) for name in "ab"]
    program = Program(*(tf.matmul(x, w, transpose_b=True) for x in rows))
    program.run(pack, Machine())
    check(
        program.text,
        """
        w packed[i, j] = w[j, i]  for i<64, j<32
        MatMul[i, j] = sum[k<64](a[i, k] * w packed[k, j])  for i<300, j<32  in fetch 0
        MatMul_1[i, j] = sum[k<64](b[i, k] * w packed[k, j])  for i<300, j<32  in fetch 1
        """,
    )


def test_what_is_walked_backwards_is_turned_round() -> None:
    """The gradient of a convolution by its image reads the filter from its end."""
    x, w, dy = fed("x", 2, 32, 32, 12), fed("w", 3, 3, 12, 12), fed("dy", 2, 30, 30, 12)
    y = tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID")
    (gradient,) = tf.gradients(y, x, grad_ys=dy, name="g")
    assert gradient is not None
    program = Program(gradient)
    op = "g/Conv2D_grad/Conv2DInputGrad"
    program.run(pack, Machine())
    check(
        program.text,
        f"""
        {op}/Pad[i, j, k, l]
                = 0 <= j - 2 < 30 and 0 <= k - 2 < 30 ? dy[i, j - 2, k - 2, l] : 0
                for i<2, j<34, k<34, l<12
        w packed[i, j, k, l] = w[2 - i, 2 - j, l, k]  for i<3, j<3, k<12, l<12
        {op}/Conv2DTransposed[n, i, j, c]
                = sum[t<3, v<3, o<12]({op}/Pad[n, i + t, j + v, o] * w packed[t, v, o, c])
                for n<2, i<32, j<32, c<12  in fetch 0
        """,
    )


def test_few_rows_are_not_worth_the_copy() -> None:
    program = Program(tf.matmul(fed("x", 3, 128), fed("w", 128, 1024)))
    before = program.text
    program.run(pack, Machine())
    check(program.text, before)
