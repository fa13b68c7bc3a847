"""Programs that move elements: indices, slices, gathers, partitions, sets, strings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.compat_v1.bench import Bench, Program, floats, ints, numbers

X = numbers(4, 5, 3)
IDS = np.array([2, 0, 2, 3], np.int32)
REPEATED = np.array([3, 1, 3, 7, 1, 1], np.int32)

# From the module, a tensor x of X and a number n, fed, which is 2.
Part = Callable[[Any, Any, Any], Any]
PARTS: dict[str, Part] = {
    "index": lambda tf, x, n: x[n],
    "index_last": lambda tf, x, n: x[..., n],
    "index_two": lambda tf, x, n: x[n, n - 2],
    "index_ellipsis_two": lambda tf, x, n: x[..., n, n - 2],
    "index_from_the_end": lambda tf, x, n: x[-n, :, 0],
    "up_to": lambda tf, x, n: x[:n],
    "from": lambda tf, x, n: x[n:],
    "up_to_all": lambda tf, x, n: x[: n + 7],
    "up_to_none": lambda tf, x, n: x[: n - 2],
    "between": lambda tf, x, n: x[:, n - 1 : n + 1],
    "beyond": lambda tf, x, n: x[:, n : n + 9],
    "with_step": lambda tf, x, n: x[:, ::n],
    "backwards": lambda tf, x, n: x[:, n::-1],
    "negative": lambda tf, x, n: x[:, -n:],
    "all_but": lambda tf, x, n: x[:, :-n],
    "empty": lambda tf, x, n: x[:, n:1],
    "with_new_axis": lambda tf, x, n: x[:n, None, ..., n - 1],
    "shape_bound": lambda tf, x, n: x[:, : tf.shape(x)[2]],
    "computed": lambda tf, x, n: x[: tf.reduce_sum(tf.cast(x[:, 0, 0] > 0.0, tf.int32))],
    "slice_moving": lambda tf, x, n: tf.slice(x, [n, 0, 0], [1, 5, 2]),
    "slice_all_moving": lambda tf, x, n: tf.slice(x, tf.stack([n, n, 0]), [2, 3, 1]),
    "slice_sizes": lambda tf, x, n: tf.slice(x, [0, 1, 0], tf.stack([n, n + 1, 3])),
    "slice_to_the_end": lambda tf, x, n: tf.slice(x, [n, 0, 1], [-1, n, -1]),
    "slice_outside": lambda tf, x, n: tf.slice(x, [n, 0, 0], [3, 5, 3]),
    "strided_slice": lambda tf, x, n: tf.strided_slice(x, [0, n], [n, 5], [1, 2]),
    "strided_slice_masks": lambda tf, x, n: tf.strided_slice(
        x, [n, n, 0], [0, 4, 2], [1, 1, 1], begin_mask=4, end_mask=2, shrink_axis_mask=1
    ),
    "gather": lambda tf, x, n: tf.gather(x, IDS),
    "gather_axis": lambda tf, x, n: tf.gather(x, [[0, n], [n, 1]], axis=1),
    "gather_last": lambda tf, x, n: tf.gather(x, [1, n], axis=-1),
    "gather_outside": lambda tf, x, n: tf.gather(x, [n, 9]),
    "gather_nd_rows": lambda tf, x, n: tf.gather_nd(x, [[n], [0]]),
    "gather_nd_elements": lambda tf, x, n: tf.gather_nd(x, [[[n, 0, 1]], [[0, 4, n]]]),
    "gather_nd_pairs": lambda tf, x, n: tf.gather_nd(x, tf.stack([[n, 1], [n, 1], [0, n]])),
    "gather_nd_outside": lambda tf, x, n: tf.gather_nd(x, [[0, 5]]),
    "reverse": lambda tf, x, n: tf.reverse(x, [0, -1]),
    "sequence_mask": lambda tf, x, n: (
        tf.sequence_mask([[n, 0], [1, 7]], 3, tf.float32) * x[0, 0, 0]
    ),
    "sequence_mask_longest": lambda tf, x, n: tf.sequence_mask([n, 1], dtype=tf.float32),
    "reshape": lambda tf, x, n: tf.reshape(x, [-1, n * 5]),
    "reshape_like": lambda tf, x, n: tf.reshape(x, [tf.shape(x)[0], -1]),
    "tile": lambda tf, x, n: tf.tile(x, [1, n, 1]),
    "pad": lambda tf, x, n: tf.pad(x, [[0, n], [1, 0], [0, 0]]),
    "pad_reflect": lambda tf, x, n: tf.pad(x, [[1, 2], [0, 0], [1, 1]], "REFLECT"),
    "pad_symmetric": lambda tf, x, n: tf.pad(x, [[1, 2], [0, 0], [1, 1]], "SYMMETRIC"),
    "transpose": lambda tf, x, n: tf.transpose(x, [n, 0, 1]),
    "expand_squeeze": lambda tf, x, n: tf.squeeze(tf.expand_dims(x[:, :1], 1), [2]),
    "concat": lambda tf, x, n: tf.concat([x, x[:, :n]], 1),
    "stack": lambda tf, x, n: tf.stack([x, x * 2.0], 1),
    "unstack": lambda tf, x, n: tf.unstack(x, axis=2),
    "split": lambda tf, x, n: tf.split(x, 2, 0),
    "split_sizes": lambda tf, x, n: tf.split(x, [1, 3, 1], 1),
    "where_rows": lambda tf, x, n: tf.where(x[:, 0, 0] > 0.0, x, -x),
    "where_elements": lambda tf, x, n: tf.where(x > 0.0, x, x * x),
    "boolean_mask": lambda tf, x, n: tf.boolean_mask(x, x[:, 0, 0] > 0.0),
    "boolean_mask_two_axes": lambda tf, x, n: tf.boolean_mask(x, x[:, :, 0] > 0.0),
    "boolean_mask_none": lambda tf, x, n: tf.boolean_mask(x, x[:, 0, 0] > 99.0),
    "partition": lambda tf, x, n: tf.dynamic_partition(x, [0, 2, 0, 1], 3),
    "partition_elements": lambda tf, x, n: tf.dynamic_partition(x, tf.cast(x > 0.0, tf.int32), 2),
    "stitch": lambda tf, x, n: tf.dynamic_stitch([[0, 4], [n, 1]], [x[:2], x[2:] * 2.0]),
    # Where an index is repeated, TensorFlow's gradient goes to the slice that is lost, too.
    "stitch_repeated": lambda tf, x, n: tf.stop_gradient(
        tf.dynamic_stitch([[0, 1], [1, n]], [x[:2], x[2:]])
    ),
    "cumsum": lambda tf, x, n: tf.cumsum(x, 1, exclusive=True, reverse=True),
    "cumprod": lambda tf, x, n: tf.cumprod(x, 2),
    "reduce_axis_array": lambda tf, x, n: tf.reduce_sum(x, np.array([0, 2], np.int32)),
    "reduce_axis_constant": lambda tf, x, n: tf.reduce_sum(x, tf.constant(1)),
    "reduce_axis_range": lambda tf, x, n: tf.reduce_max(x, tf.range(1, tf.rank(x))),
    "concat_axis_constant": lambda tf, x, n: tf.concat([x, x], tf.constant(2)),
    "expand_dims_constant": lambda tf, x, n: tf.expand_dims(x, tf.constant(-1)),
    "cumsum_constant": lambda tf, x, n: tf.cumsum(x, tf.constant(1)),
    "split_constant": lambda tf, x, n: tf.split(x, 2, tf.constant(0)),
    "gather_axis_constant": lambda tf, x, n: tf.gather(x, [1, 0], axis=tf.constant(1)),
    "axis_of_rank": lambda tf, x, n: tf.reduce_mean(x, axis=tf.rank(x) - 1),
    "matrix_band_part": lambda tf, x, n: tf.matrix_band_part(x, 1, -1),
    "matrix_diag": lambda tf, x, n: tf.matrix_diag(x),
    "norm": lambda tf, x, n: tf.norm(x, axis=1),
    "broadcast_to": lambda tf, x, n: tf.broadcast_to(x[:, :1], tf.shape(x)),
    "py_slice_of_shape": lambda tf, x, n: tf.zeros(tf.shape(x)[n - 1 :]) + x[0],
}


def _part(part: Part, shape: Any) -> Program:
    def program(tf: Any, b: Bench) -> Any:
        x, n = b.feed(X, shape), b.feed(np.int32(2), [])
        made = part(tf, x, n)
        return b.with_slopes(list(made) if isinstance(made, list | tuple) else made, x)

    return program


Values = Callable[[Any, Bench], Any]
VALUES: dict[str, Values] = {
    "where_indices": lambda tf, b: tf.where(b.feed(X > 1, [None, 5, 3])),
    "unique": lambda tf, b: list(tf.unique(b.feed(REPEATED, [None]))),
    "unique_int64": lambda tf, b: list(tf.unique(b.feed(REPEATED, [6]), tf.int64)),
    "unique_with_counts": lambda tf, b: list(tf.unique_with_counts(b.feed(REPEATED, [None]))),
    "unique_strings": lambda tf, b: list(tf.unique(b.feed(["b", "a", "b"], [3]))),
    "setdiff1d": lambda tf, b: list(tf.setdiff1d(b.feed(REPEATED, [None]), [1, 9])),
    "invert_permutation": lambda tf, b: tf.invert_permutation(b.feed(ints(2, 0, 1), [3])),
    "one_hot": lambda tf, b: tf.one_hot(b.feed(IDS, [None]), 4, 2.0, -1.0, axis=0),
    "one_hot_outside": lambda tf, b: tf.one_hot(b.feed(ints(-1, 9, 1), [3]), 4),
    "range": lambda tf, b: tf.range(b.feed(np.int32(2), []), 11, 3),
    "range_float": lambda tf, b: tf.range(0.5, b.feed(np.float32(2.6), []), 0.5),
    "range_backwards": lambda tf, b: tf.range(b.feed(np.int32(5), []), 0, -2),
    "fill": lambda tf, b: tf.fill([b.feed(np.int32(2), []), 3], 7),
    "size": lambda tf, b: [tf.size(b.feed(X)), tf.rank(b.feed(X)), tf.shape(b.feed(X))],
    "shape_int64": lambda tf, b: tf.shape(b.feed(X), out_type=tf.int64),
    "argmax": lambda tf, b: [tf.argmax(b.feed(X), 1), tf.argmin(b.feed(X), 0)],
    "argmax_constant_axis": lambda tf, b: tf.argmax(b.feed(X, [4, 5, 3]), tf.constant(1)),
    "argmax_ties": lambda tf, b: tf.argmax(b.feed(floats(1, 3, 3, 2), [4]), 0),
    "in_top_k": lambda tf, b: tf.nn.in_top_k(b.feed(X[0], [5, 3]), [0, 1, 2, 0, 1], 2),
    "string_join": lambda tf, b: tf.string_join([b.feed(["a", "b"], [2]), "x"], "-"),
    "as_string": lambda tf, b: [
        tf.as_string(b.feed(floats(1.5, -2, 1e9), [3])),
        tf.as_string(b.feed(ints(7, -3), [2]), width=4, fill="0"),
        tf.as_string(b.feed(floats(3.14159), [1]), precision=2),
        tf.as_string(b.feed(floats(31415.9), [1]), scientific=True),
        tf.as_string(b.feed(floats(0.5, 100.0), [2]), shortest=True),
        tf.as_string(b.feed(np.array([True, False]), [2])),
    ],
    "string_to_number": lambda tf, b: [
        tf.string_to_number(b.feed(["1.5", "-2", "3e2"], [3])),
        tf.string_to_number(b.feed(["12", "-7"], [2]), tf.int32),
    ],
    "string_to_number_bad": lambda tf, b: tf.string_to_number(b.feed(["x1"], [1])),
    "substr": lambda tf, b: tf.substr(b.feed(["hello", "world"], [2]), 1, 3),
    "substr_each": lambda tf, b: tf.substr(b.feed(["hello", "world"], [2]), [0, 2], [2, 9]),
    "string_gather": lambda tf, b: tf.gather(b.feed(["a", "b", "c"], [3]), [2, 0]),
    "string_reshape": lambda tf, b: tf.reshape(b.feed(["a", "b", "c", "d"], [4]), [2, 2])[:, 1],
    "string_equal": lambda tf, b: tf.equal(b.feed(["a", "b"], [2]), "b"),
    "string_concat": lambda tf, b: tf.concat([b.feed(["a"], [1]), b.feed(["b"], [1])], 0),
    "string_partition": lambda tf, b: tf.dynamic_partition(
        b.feed(["a", "b", "c"], [3]), [1, 0, 1], 2
    ),
    "py_func": lambda tf, b: tf.py_func(
        lambda a: (a * 2).astype(np.float32), [b.feed(X, [4, 5, 3])], tf.float32
    ),
    "assert_fails": lambda tf, b: _asserted(tf, b, 3),
    "assert_holds": lambda tf, b: _asserted(tf, b, 4),
    "check_numerics": lambda tf, b: tf.check_numerics(tf.log(b.feed(-X, [4, 5, 3])), "bad"),
    "casts": lambda tf, b: [
        tf.cast(b.feed(X * 9, [4, 5, 3]), dtype) for dtype in (tf.int32, tf.float64, tf.bool)
    ],
    "bool_reductions": lambda tf, b: [
        tf.reduce_all(b.feed(X > 0, [4, 5, 3]), 1),
        tf.reduce_any(b.feed(X > 2, [4, 5, 3])),
    ],
    "integer_division": lambda tf, b: [
        b.feed(ints(7, -7, 7, -7), [4]) // [2, 2, -2, -2],
        b.feed(ints(7, -7, 7, -7), [4]) % [2, 2, -2, -2],
        b.feed(ints(7, -7), [2]) / 2,
    ],
    "integer_sums": lambda tf, b: [
        tf.reduce_sum(b.feed(REPEATED, [6])),
        tf.reduce_mean(b.feed(REPEATED, [6])),
        tf.reduce_prod(b.feed(REPEATED, [6])),
    ],
    "empty_reductions": lambda tf, b: [
        tf.reduce_sum(b.feed(X[:0], [None, 5, 3]), 0),
        tf.reduce_prod(b.feed(X[:0], [None, 5, 3]), 0),
        tf.reduce_max(b.feed(X[:0], [None, 5, 3]), 0),
        tf.reduce_mean(b.feed(X[:0], [None, 5, 3]), 0),
    ],
}


def _asserted(tf: Any, b: Bench, limit: int) -> Any:
    ids = b.feed(IDS, [4])
    with tf.control_dependencies([tf.Assert(tf.reduce_all(ids < limit), [ids])]):
        return tf.identity(ids)


PROGRAMS: dict[str, Program] = {
    f"parts/{name}": _part(part, [4, 5, 3] if number % 2 else [None, None, 3])
    for number, (name, part) in enumerate(PARTS.items())
}
PROGRAMS |= {f"arrays/{name}": values for name, values in VALUES.items()}
