"""Values of which only a part is read."""

from __future__ import annotations

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.kernels.rewrites.shrink_to_reads import shrink_to_reads


def test_only_what_is_read_is_computed() -> None:
    total = tf.reduce_sum(fed("x", 8, 3), 1, name="t")
    program = Program(tf.sin(tf.slice(total, [2], [4], name="part"), name="y"))
    check(
        program.text,
        """
        t[i] = sum[r<3](x[i, r])  for i<8
        part[i] = t[i + 2]  for i<4
        y[i] = sin(part[i])  for i<4  in fetch 0
        """,
    )
    program.run(shrink_to_reads, program.kept)
    check(
        program.text,
        """
        t[i] = sum[r<3](x[i + 2, r])  for i<4
        part[i] = t[i]  for i<4
        y[i] = sin(part[i])  for i<4  in fetch 0
        """,
    )


def test_two_readers_need_all_between_them() -> None:
    total = tf.reduce_sum(fed("x", 8, 3), 1, name="t")
    first, last = tf.slice(total, [0], [2], name="first"), tf.slice(total, [5], [2], name="last")
    program = Program(tf.concat([first, last], 0, name="y"))
    program.run(shrink_to_reads, program.kept)
    check(
        program.text,
        """
        t[i] = sum[r<3](x[i, r])  for i<7
        first[i] = t[i]  for i<2
        last[i] = t[i + 5]  for i<2
        y[i] = i < 2 ? first[i] : last[i - 2]  for i<4  in fetch 0
        """,
    )


def test_what_is_fetched_or_of_an_open_extent_stays_whole() -> None:
    total = tf.reduce_sum(fed("x", 8, 3), 1, name="t")
    some = tf.reduce_sum(fed("z", None, 3), 1, name="u")
    program = Program(total, total[2:6], some[:-1], rows=5)
    before = program.text
    program.run(shrink_to_reads, program.kept)
    check(program.text, before)
