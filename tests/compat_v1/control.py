"""Programs with loops, branches, arrays of tensors and recurrent networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.compat_v1.bench import Bench, Program, numbers

X = numbers(5, 3)
SEQUENCES = numbers(2, 4, 3, seed=1)
LENGTHS = np.array([4, 2], np.int32)


def power(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    _, y = tf.while_loop(lambda n, y: n < 4, lambda n, y: (n + 1, y * x), [0, tf.ones_like(x)])
    return b.with_slopes(y, x)


def until_small(tf: Any, b: Bench) -> Any:
    x = b.feed(np.float32(37.0), [])
    count, y = tf.while_loop(lambda n, y: y > 1.0, lambda n, y: (n + 1, y / 2.0), [0, x])
    return [count, *b.with_slopes(y, x)]


def no_iterations(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    _, y = tf.while_loop(lambda n, y: n < 0, lambda n, y: (n + 1, y * 2.0), [0, x])
    return b.with_slopes(y, x)


def maximum_iterations(tf: Any, b: Bench) -> Any:
    x = b.feed(np.float32(3.0), [])
    y = tf.while_loop(lambda y: y < 1e6, lambda y: y * y, [x], maximum_iterations=2)
    return b.with_slopes(y, x)


def nested_loops(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])

    def outer(n: Any, y: Any) -> Any:
        inner = tf.while_loop(lambda m, z: m < n, lambda m, z: (m + 1, z * x), [0, y])
        return n + 1, inner[1] + 0.1

    _, y = tf.while_loop(lambda n, y: n < 4, outer, [1, tf.ones_like(x)])
    return b.with_slopes(y, x)


def growing_rows(tf: Any, b: Bench) -> Any:
    x = b.feed(X[:1], [1, 3])
    rows = tf.while_loop(
        lambda n, y: n < 3,
        lambda n, y: (n + 1, tf.concat([y, y[-1:] * x], 0)),
        [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 3])],
    )[1]
    return b.with_slopes(rows, x)


def loop_with_dicts(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    state = {"sum": tf.zeros([3]), "n": tf.constant(0)}
    made = tf.while_loop(
        lambda s: s["n"] < 5, lambda s: [{"sum": s["sum"] + x[s["n"]], "n": s["n"] + 1}], [state]
    )
    return b.with_slopes(made[0]["sum"] if isinstance(made, list) else made["sum"], x)


def loop_assigns(tf: Any, b: Bench) -> Any:
    v = tf.Variable(1.0, use_resource=True)

    def body(n: Any) -> Any:
        with tf.control_dependencies([tf.assign(v, v * 2.0 + tf.cast(n, tf.float32))]):
            return n + 1

    made = tf.while_loop(lambda n: n < 4, body, [0], parallel_iterations=1)
    with tf.control_dependencies([made]):
        return v.read_value()


def read_rows_in_loop(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    y = tf.while_loop(
        lambda n, y: n < tf.shape(x)[0], lambda n, y: (n + 1, y * 0.5 + x[n]), [0, tf.zeros([3])]
    )[1]
    return b.with_slopes(y, x)


def windows_in_loop(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    y = tf.while_loop(
        lambda n, y: n < 3, lambda n, y: (n + 1, y + x[n : n + 3] * x[n]), [0, tf.zeros([3, 3])]
    )[1]
    return b.with_slopes(y, x)


def slices_of_growing_length(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    y = tf.while_loop(
        lambda n, y: n < 5, lambda n, y: (n + 1, y + tf.reduce_sum(x[:n], 0)), [0, tf.zeros([3])]
    )[1]
    return b.with_slopes(y, x)


def captured_variable(tf: Any, b: Bench) -> Any:
    w = tf.Variable(numbers(3, 3, seed=4))
    x = b.feed(X, [5, 3])
    y = tf.while_loop(lambda n, y: n < 3, lambda n, y: (n + 1, tf.tanh(y @ w)), [0, x])[1]
    return b.with_slopes(y, x, w)


def cond_values(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    test = b.feed(np.array([True, False]), [2])
    made = [tf.cond(test[n], lambda: tf.sin(x), lambda: x * x) for n in range(2)]
    return b.with_slopes(made, x)


def cond_one_sided(tf: Any, b: Bench) -> Any:
    x, y = b.feed(X, [5, 3]), b.feed(X + 1, [5, 3])
    made = [
        tf.cond(tf.reduce_sum(x) > limit, lambda: x * 2.0, lambda: y * y) for limit in (-99, 99)
    ]
    return b.with_slopes(made, x, y)


def cond_structures(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    return tf.cond(
        tf.reduce_max(x) > 0.0, lambda: (x, [x + 1.0, 2]), lambda: (x * 3.0, [x, 3]), strict=True
    )


def cond_shapes(tf: Any, b: Bench) -> Any:
    x, test = b.feed(X, [None, 3]), b.feed(np.bool_(False), [])
    return b.with_slopes(tf.cond(test, lambda: x, lambda: x[:2] * 2.0), x)


def cond_assigns(tf: Any, b: Bench) -> Any:
    v = tf.Variable(5.0, use_resource=True)
    step = tf.cond(v < 20.0, lambda: tf.assign(v, v * 2.0), lambda: tf.assign(v, v - 1.0))
    b.train(step, 4)
    return v.read_value()


def nested_cond(tf: Any, b: Bench) -> Any:
    x = b.feed(np.float32(0.3), [])
    y = tf.cond(x > 0.0, lambda: tf.cond(x > 1.0, lambda: x, lambda: tf.exp(x)), lambda: -x)
    return b.with_slopes(y, x)


def case_first(tf: Any, b: Bench) -> Any:
    x = b.feed(np.float32(3.0), [])
    pairs = [(x < 1.0, lambda: x * 2.0), (x < 5.0, lambda: x * x), (x < 9.0, lambda: -x)]
    return b.with_slopes(tf.case(pairs, default=lambda: x - 1.0), x)


def case_default(tf: Any, b: Bench) -> Any:
    x = b.feed(np.float32(30.0), [])
    pairs = [(x < 1.0, lambda: x * 2.0), (x < 5.0, lambda: x * x)]
    return tf.case(pairs, default=lambda: x - 1.0, exclusive=True)


def cond_in_loop(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])

    def body(n: Any, y: Any) -> Any:
        return n + 1, tf.cond(tf.equal(n % 2, 0), lambda: y * x, lambda: tf.sin(y))

    return b.with_slopes(tf.while_loop(lambda n, y: n < 5, body, [0, x])[1], x)


def loop_in_cond(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    y = tf.cond(
        tf.reduce_sum(x) > -99.0,
        lambda: tf.while_loop(lambda n, y: n < 3, lambda n, y: (n + 1, y * x), [0, x])[1],
        lambda: x,
    )
    return b.with_slopes(y, x)


def map_rows(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    return b.with_slopes(tf.map_fn(lambda row: tf.reduce_sum(row) * row, x), x)


def map_pairs(tf: Any, b: Bench) -> Any:
    x, n = b.feed(X, [5, 3]), b.feed(np.arange(5), [5])
    pair = tf.map_fn(
        lambda p: (p[0] * tf.cast(p[1], tf.float32), p[1] + 1), (x, n), (tf.float32, tf.int64)
    )
    return [pair[1], *b.with_slopes(pair[0], x)]


def scan_sums(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    made = [tf.scan(lambda a, r: a * 0.5 + r, x), tf.scan(lambda a, r: a + r * r, x, tf.ones([3]))]
    return b.with_slopes(made, x)


def scan_backwards(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    return b.with_slopes(tf.scan(lambda a, r: a * 0.5 + r, x, reverse=True), x)


def scan_structures(tf: Any, b: Bench) -> Any:
    x = b.feed(X[:, 0], [None])
    return tf.scan(lambda a, r: (a[1], a[0] + r), x, (0.0, 1.0))


def folds(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    made = [tf.foldl(lambda a, r: a * 2.0 + r, x), tf.foldr(lambda a, r: a * 2.0 + r, x)]
    return b.with_slopes(made, x)


def array_write_stack(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    array = tf.TensorArray(tf.float32, 5)
    array = tf.while_loop(
        lambda n, a: n < 5, lambda n, a: (n + 1, a.write(n, x[n] * x[4 - n])), [0, array]
    )[1]
    return b.with_slopes(array.stack(), x)


def array_read_before(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    array = tf.TensorArray(tf.float32, 5, clear_after_read=False).write(0, x[0])
    array = tf.while_loop(
        lambda n, a: n < 5, lambda n, a: (n + 1, a.write(n, a.read(n - 1) * x[n])), [1, array]
    )[1]
    return b.with_slopes(array.stack(), x)


def array_unstack_gather(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    array = tf.TensorArray(tf.float32, 5, clear_after_read=False).unstack(x)
    made = [array.gather([3, 1, 3]), array.read(2), tf.cast(array.size(), tf.float32)]
    return [made[2], *b.with_slopes(made[:2], x)]


def array_scatter(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    array = tf.TensorArray(tf.float32, 5).scatter([4, 0, 2, 1, 3], x)
    return b.with_slopes([array.stack() * tf.constant([[1.0], [2.0], [3.0], [4.0], [5.0]])], x)


def array_grows(tf: Any, b: Bench) -> Any:
    x = b.feed(np.float32(40.0), [])
    array = tf.TensorArray(tf.float32, 0, dynamic_size=True)
    _, _, array = tf.while_loop(
        lambda n, y, a: y > 1.0, lambda n, y, a: (n + 1, y / 2.0, a.write(n, y)), [0, x, array]
    )
    return b.with_slopes(array.stack(), x)


def array_concat(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    array = tf.TensorArray(tf.float32, 2).write(0, x[:2]).write(1, x[2:4])
    return b.with_slopes(array.concat(), x)


def shape_of_a_loop_variable(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [None, 3])
    y = tf.while_loop(
        lambda y: tf.shape(y)[0] < 20,
        lambda y: tf.concat([y, y], 0),
        [x],
        shape_invariants=[tf.TensorShape([None, 3])],
    )
    return b.with_slopes(y, x)


def out_of_range_in_loop(tf: Any, b: Bench) -> Any:
    x = b.feed(X, [5, 3])
    return tf.while_loop(lambda n, y: n < 9, lambda n, y: (n + 1, y + x[n]), [0, tf.zeros([3])])


# -- recurrent networks


def _cells(tf: Any) -> dict[str, Any]:
    cells, start = tf.nn.rnn_cell, tf.constant_initializer(0.1)
    return {
        "basic": lambda: cells.BasicRNNCell(4),
        "relu": lambda: cells.BasicRNNCell(4, activation=tf.nn.relu),
        "gru": lambda: cells.GRUCell(4),
        "basic_lstm": lambda: cells.BasicLSTMCell(4),
        "basic_lstm_bias": lambda: cells.BasicLSTMCell(4, forget_bias=0.0),
        "lstm": lambda: cells.LSTMCell(4, initializer=start),
        "lstm_peepholes": lambda: cells.LSTMCell(4, use_peepholes=True, initializer=start),
        "lstm_projection": lambda: cells.LSTMCell(4, num_proj=2, initializer=start),
        "lstm_clips": lambda: cells.LSTMCell(
            4, num_proj=2, cell_clip=0.3, proj_clip=0.2, initializer=start
        ),
        "multi": lambda: cells.MultiRNNCell([cells.GRUCell(4), cells.BasicLSTMCell(3)]),
        "residual": lambda: cells.ResidualWrapper(cells.GRUCell(3)),
        "dropout": lambda: cells.DropoutWrapper(cells.GRUCell(4), input_keep_prob=1.0),
    }


CELLS = [
    "basic",
    "relu",
    "gru",
    "basic_lstm",
    "basic_lstm_bias",
    "lstm",
    "lstm_peepholes",
    "lstm_projection",
    "lstm_clips",
    "multi",
    "residual",
    "dropout",
]


def _set_weights(tf: Any, b: Bench) -> None:
    """Give the variables the same values everywhere, whatever their initialisers draw."""
    given = []
    for n, v in enumerate(sorted(tf.trainable_variables(), key=lambda v: str(v.name))):
        shape = [int(d) for d in v.shape]
        given.append(tf.assign(v, 0.5 * numbers(*shape, seed=20 + n)))
    b.train(given, 1)


def _unrolled(cell: str, how: str) -> Program:
    def program(tf: Any, b: Bench) -> Any:
        x = b.feed(SEQUENCES, [None, None, 3] if how == "open" else [2, 4, 3])
        made = _cells(tf)[cell]()
        lengths = b.feed(LENGTHS, [None]) if how == "lengths" else None
        with tf.variable_scope("net"):
            y, state = tf.nn.dynamic_rnn(made, x, lengths, dtype=tf.float32)
        _set_weights(tf, b)
        weights = sorted(tf.trainable_variables(), key=lambda v: str(v.name))
        return [y, state, *b.slopes(tf.reduce_sum(y * y), x, *weights)]

    return program


def both_directions(tf: Any, b: Bench) -> Any:
    x = b.feed(SEQUENCES, [2, 4, 3])
    cells = tf.nn.rnn_cell
    made, states = tf.nn.bidirectional_dynamic_rnn(
        cells.GRUCell(3), cells.GRUCell(2), x, b.feed(LENGTHS, [2]), dtype=tf.float32
    )
    _set_weights(tf, b)
    return [made, states, *b.slopes([tf.reduce_sum(y * y) for y in made], x)]


def time_major(tf: Any, b: Bench) -> Any:
    x = b.feed(SEQUENCES, [2, 4, 3])
    y, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(3), x, dtype=tf.float32, time_major=True)
    _set_weights(tf, b)
    return [y, state]


def static_rnn(tf: Any, b: Bench) -> Any:
    x = b.feed(SEQUENCES, [2, 4, 3])
    y, state = tf.nn.static_rnn(
        tf.nn.rnn_cell.BasicLSTMCell(3), tf.unstack(x, axis=1), dtype=tf.float32,
        sequence_length=b.feed(LENGTHS, [2]),
    )  # fmt: skip
    _set_weights(tf, b)
    return [y, state, *b.slopes(tf.add_n([tf.reduce_sum(v * v) for v in y]), x)]


PROGRAMS: dict[str, Program] = {
    f"control/{p.__name__}": p
    for p in (
        power, until_small, no_iterations, maximum_iterations, nested_loops,
        growing_rows, loop_with_dicts, loop_assigns, read_rows_in_loop, windows_in_loop,
        slices_of_growing_length, captured_variable, cond_values, cond_one_sided,
        cond_structures, cond_shapes, cond_assigns, nested_cond, case_first, case_default,
        cond_in_loop, loop_in_cond, map_rows, map_pairs, scan_sums, scan_backwards,
        scan_structures, folds, array_write_stack, array_read_before, array_unstack_gather,
        array_scatter, array_grows, array_concat, shape_of_a_loop_variable,
        out_of_range_in_loop, both_directions, time_major, static_rnn,
    )
}  # fmt: skip
PROGRAMS |= {
    f"rnn/{cell}/{how}": _unrolled(cell, how)
    for number, cell in enumerate(CELLS)
    for how in ("closed", "lengths", "open")[: 3 if number % 3 == 0 else 2]
}
