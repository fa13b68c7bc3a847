"""Long sums of products: each is added where it is computed, and little memory is taken."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import thalweg as tf
from tests.kernels.arrays import Array, random
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.backends.native.backend import NativeProgram
from thalweg.kernels.rewrites.accumulate import accumulate

Terms = list[tf.Tensor]
WIDTH = 64


def terms(count: int) -> Terms:
    """Products of one array with others, in order."""
    x = fed("x", 4, 8)
    return [tf.matmul(x, fed(f"w{n}", 8, 8), name=f"p{n}") for n in range(count)]


def test_each_addition_moves_to_its_term() -> None:
    program = Program(tf.add_n(terms(4), name="s"))
    check(
        program.text,
        """
        p0[i, j] = sum[k<8](x[i, k] * w0[k, j])  for i<4, j<8
        p1[i, j] = sum[k<8](x[i, k] * w1[k, j])  for i<4, j<8
        p2[i, j] = sum[k<8](x[i, k] * w2[k, j])  for i<4, j<8
        p3[i, j] = sum[k<8](x[i, k] * w3[k, j])  for i<4, j<8
        s/Add[i, j] = p0[i, j] + p1[i, j]  for i<4, j<8
        s/Add_1[i, j] = s/Add[i, j] + p2[i, j]  for i<4, j<8
        s[i, j] = s/Add_1[i, j] + p3[i, j]  for i<4, j<8  in fetch 0
        """,
    )
    program.run(accumulate, program.kept)
    check(
        program.text,
        """
        p0[i, j] = sum[k<8](x[i, k] * w0[k, j])  for i<4, j<8
        s/Add[i, j] = p0[i, j] + sum[k<8](x[i, k] * w1[k, j])  for i<4, j<8
        s/Add_1[i, j] = s/Add[i, j] + sum[k<8](x[i, k] * w2[k, j])  for i<4, j<8
        s[i, j] = s/Add_1[i, j] + sum[k<8](x[i, k] * w3[k, j])  for i<4, j<8  in fetch 0
        """,
    )


def test_short_sums_and_terms_that_others_read_stay() -> None:
    every = terms(7)
    program = Program(tf.add_n(every[:3]), tf.add_n(every[3:]), *every[3:])
    before = program.text
    program.run(accumulate, program.kept)
    check(program.text, before)


def products(x: tf.Tensor, count: int) -> Terms:
    """Products of other rows with other weights."""
    weights = [tf.constant(random(WIDTH, WIDTH, seed=n)) for n in range(count)]
    return [tf.matmul(rows, w) for rows, w in zip(tf.unstack(x), weights, strict=True)]


def outer(x: tf.Tensor, terms: Terms) -> tf.Tensor:
    """The gradient of a weight that every term uses."""
    weights = tf.Variable(random(WIDTH, WIDTH, seed=99))
    loss = tf.add_n([tf.reduce_sum(tf.square(tf.matmul(tf.tanh(t), weights))) for t in terms])
    (gradient,) = tf.gradients(loss, [weights])
    assert isinstance(gradient, tf.Tensor)
    return gradient


SUMS: dict[str, Callable[[tf.Tensor, Terms], tf.Tensor | list[tf.Tensor]]] = {
    "in order": lambda x, terms: tf.add_n(terms),
    "backwards": lambda x, terms: tf.add_n(terms[::-1]),
    "others first": lambda x, terms: tf.add_n([*terms[1::2], *terms[::2]]),
    "from the right": lambda x, terms: terms[0] + (terms[1] + tf.add_n(terms[2:])),
    "in pairs": lambda x, terms: tf.add_n(
        [a + b for a, b in zip(terms[::2], terms[1::2], strict=True)]
    ),
    "one twice": lambda x, terms: tf.add_n([*terms, terms[1]]),
    "one fetched": lambda x, terms: [tf.add_n(terms), terms[2]],
    "so far fetched": lambda x, terms: [(part := tf.add_n(terms[:3])), part + tf.add_n(terms[3:])],
    "with what is no product": lambda x, terms: tf.add_n(
        [*terms[:3], tf.exp(terms[0]), *terms[3:]]
    ),
    "and used": lambda x, terms: tf.nn.softmax(tf.add_n(terms)) * 2.0,
    "gradient": outer,
}


@pytest.mark.parametrize("count", [4, 6])
@pytest.mark.parametrize("how", SUMS)
def test_values(how: str, count: int) -> None:
    """Against NumPy; sums of up to 2,000 products in another order: 1e-5 of the largest."""
    results: dict[str, list[Array]] = {}
    for backend in ("numpy", "llvm"):
        with tf.Graph().as_default():
            x = tf.placeholder(tf.float32, [count, None, WIDTH])
            fetched = SUMS[how](x, products(x, count))
            with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
                session.run(tf.global_variables_initializer())
                fetches = fetched if isinstance(fetched, list) else [fetched]
                results[backend] = [
                    value
                    for rows in (8, 5)
                    for value in session.run(fetches, {x: random(count, rows, WIDTH)})
                ]
    for expected, actual in zip(results["numpy"], results["llvm"], strict=True):
        bound = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


def test_a_product_reads_the_variable_before_it_is_updated() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(random(8, WIDTH))
        weights = tf.Variable(random(WIDTH, WIDTH, seed=1))
        terms = [tf.matmul(x * float(n), weights.value()) for n in range(1, 7)]
        with tf.control_dependencies(terms):
            update = weights.assign(tf.zeros([WIDTH, WIDTH]))
        session.run(tf.global_variables_initializer())
        total, _ = session.run([tf.add_n(terms), update])
        wanted = 21.0 * random(8, WIDTH).astype(np.float64) @ random(WIDTH, WIDTH, seed=1)
        # Sums of 64 products, six of them added up.
        np.testing.assert_allclose(total, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
        assert not session.run(weights).any()


def test_an_addition_may_wait_for_something_else() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(random(8, WIDTH))
        weights = tf.Variable(random(WIDTH, WIDTH, seed=1))
        seen = tf.Variable(tf.zeros([8, WIDTH]))
        terms = [tf.matmul(x * float(n), weights) for n in range(1, 7)]
        with tf.control_dependencies([seen.assign(tf.tanh(terms[-1]))]):
            total = tf.add_n(terms) + seen.read_value()
        session.run(tf.global_variables_initializer())
        product = random(8, WIDTH).astype(np.float64) @ random(WIDTH, WIDTH, seed=1)
        wanted = 21.0 * product + np.tanh(6.0 * product)
        # Sums of 64 products, six of them added up.
        bound = 1e-5 * np.abs(wanted).max()
        np.testing.assert_allclose(session.run(total), wanted, rtol=0, atol=bound)


@pytest.mark.parametrize("count", [6, 24])
def test_a_sum_takes_the_memory_of_few_terms(count: int) -> None:
    extent = 192
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [count, 32, extent])
        y = tf.placeholder(tf.float32, [count, 32, extent])
        pairs = zip(tf.unstack(x), tf.unstack(y), strict=True)
        total = tf.add_n([tf.matmul(a, b, transpose_a=True) for a, b in pairs])
        weights = tf.Variable(tf.zeros([extent, extent]))
        shape = (count, 32, extent)
        feeds = {x: random(*shape), y: random(*shape)}
        _, program = session.program(weights.assign_sub(total * 0.1), feeds)
        assert isinstance(program, NativeProgram)
        assert program.arena_bytes < 4 * extent * extent * 4
