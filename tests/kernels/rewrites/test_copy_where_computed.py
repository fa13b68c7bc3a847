"""Values are copied to where they are concatenated by the kernels that compute them."""

from __future__ import annotations

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, check, concatenated, fed, stored
from thalweg.kernels.printer import show_groups
from thalweg.kernels.rewrites.concatenate_in_place import concatenate_in_place
from thalweg.kernels.rewrites.copy_where_computed import copy_where_computed
from thalweg.kernels.rewrites.inline import inline


def test_columns_are_copied_by_the_groups_that_make_them() -> None:
    program = concatenated(1, "a", "b", "z", "x")
    a, b, c, s = program.definitions
    groups = [[a], [b], *([copy] for copy in concatenate_in_place(c)), [s]]
    check(
        show_groups(groups[2:4]),
        """
        kernel 0:
            c[i, j] = a[i, j]  for i<2048, j<2  in temporary 2
        kernel 1:
            c[i, j + 2] = b[i, j]  for i<2048, j<2  in temporary 2
        """,
    )
    assert copy_where_computed(groups) == [a.value, b.value]
    check(
        show_groups(group for group in groups if group),
        """
        kernel 0:
            a[i, j] = sin(x[i, j])  for i<2048, j<2  in temporary 0
            c[i, j] = a[i, j]  for i<2048, j<2  in temporary 2
        kernel 1:
            b[i, j] = sin(y[i, j])  for i<2048, j<2  in temporary 1
            c[i, j + 2] = b[i, j]  for i<2048, j<2  in temporary 2
        kernel 2:
            c[i, j + 4] = z[i, j]  for i<2048, j<2  in temporary 2
        kernel 3:
            c[i, j + 6] = x[i, j]  for i<2048, j<2  in temporary 2
        kernel 4:
            s[i, j] = sum[k<8](c[i, k] * w[k, j])  for i<2048, j<3  in fetch 0
        """,
    )


def test_a_copy_of_a_part_is_not_moved() -> None:
    a = tf.sin(fed("x", 2048, 2), name="a")
    program = Program(tf.slice(a, [8, 0], [64, 2], name="y"), tf.exp(a, name="z"))
    groups = [[d] for d in program.definitions]
    before = show_groups(groups)
    assert copy_where_computed(groups) == []
    check(show_groups(groups), before)


def test_rows_of_a_variable_are_not_replaced_where_they_are_read() -> None:
    """A row that occurs twice would be computed from what the first of them has left."""
    table, rows = tf.Variable(tf.zeros([9, 2]), name="w"), tf.placeholder(tf.int32, [4], name="r")
    doubled = tf.multiply(tf.gather(table, rows), 2.0, name="y")
    program = Program(targets=[tf.scatter_update(table, rows, doubled, name="u").op])
    program.run(inline, program.kept)
    *_, y, u = program.definitions
    check(
        show_groups([[y], [u]]),
        """
        kernel 0:
            y[i, j] = w[int64(r[i]), j] * 2  for i<4, j<2  after r refused
        kernel 1:
            u[int64(r[i]), j] = y[i, j]  for i<4, j<2  in variable w  after r refused, y
        """,
    )
    stored([y])
    assert copy_where_computed([[y], [u]]) == []
