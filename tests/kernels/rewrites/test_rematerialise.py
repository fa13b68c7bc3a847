"""Cheap values that are computed anew rather than stored."""

from __future__ import annotations

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.graph import Tensor
from thalweg.kernels.printer import show_groups
from thalweg.kernels.rewrites.fuse import fuse
from thalweg.kernels.rewrites.rematerialise import rematerialise
from thalweg.kernels.verify import Verifier


def rematerialised(program: Program) -> str:
    groups = rematerialise(fuse(program.definitions), program.kept)
    Verifier(program.kept).check_groups(groups, "rematerialise")
    return show_groups(groups)


def two_kernels(name: str) -> tuple[Tensor, Tensor]:
    """A value that is computed with `e`, and read behind a product with all of `e`, too."""
    e = tf.exp(fed("x", 8, 16), name="e")
    value = {"n": tf.negative, "t": tf.tanh}[name](e, name=name)
    product = tf.matmul(e, fed("w", 16, 16), name="p")
    return tf.multiply(e, value, name="y"), tf.multiply(product, value, name="z")


def test_a_cheap_value_is_computed_in_both_kernels() -> None:
    program = Program(*two_kernels("n"))
    first = """
        kernel 0:
            e[i, j] = exp(x[i, j])  for i<8, j<16
            n[i, j] = -e[i, j]  for i<8, j<16
            y[i, j] = e[i, j] * n[i, j]  for i<8, j<16  in fetch 0
        kernel 1:
            p[i, j] = sum[k<16](e[i, k] * w[k, j])  for i<8, j<16
        """
    last = "    z[i, j] = p[i, j] * {}  for i<8, j<16  in fetch 1"
    check(show_groups(fuse(program.definitions)), first + last.format("n[i, j]"))
    check(rematerialised(program), first + last.format("(-e[i, j])"))


def test_an_expensive_value_is_stored() -> None:
    program = Program(*two_kernels("t"))
    check(rematerialised(program), show_groups(fuse(program.definitions)))
