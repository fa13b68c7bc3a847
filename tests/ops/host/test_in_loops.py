"""Operations that Python runs, and strings, inside of branches and loops."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tf


def test_strings_are_carried_chosen_and_collected(session: tf.Session) -> None:
    x, words = tf.placeholder(tf.string, []), tf.placeholder(tf.string, [None])
    chosen = tf.cond(tf.equal(x, "a"), lambda: tf.string_join([x, "!"]), lambda: tf.constant("no"))
    counted = tf.while_loop(
        lambda i, _: i < 3, lambda i, s: (i + 1, tf.string_join([s, tf.as_string(i)])), [0, x]
    )[1]
    asked = tf.map_fn(lambda word: tf.string_join([word, "?"]), words)
    joined = tf.foldl(lambda all_, word: tf.string_join([all_, word], "-"), words)
    for text, fed in (("a", ["b", "c"]), ("d", ["e", "f", "g"])):
        found = session.run([chosen, counted, asked, joined], {x: text, words: fed})
        assert found[0] == (b"a!" if text == "a" else b"no")
        assert found[1] == f"{text}012".encode()
        assert found[2].tolist() == [f"{word}?".encode() for word in fed]
        assert found[3] == "-".join(fed).encode()


def test_a_gradient_through_decompositions_in_a_loop(session: tf.Session) -> None:
    x = tf.constant(np.eye(3) * 4 + 1)

    def step(i: tf.Tensor, a: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return i + 1, tf.cholesky(tf.matmul(a, a, transpose_b=True) + np.eye(3))

    looped = tf.while_loop(lambda i, _: i < 3, step, [0, x])[1]
    unrolled = x
    for n in range(3):
        unrolled = step(tf.constant(n), unrolled)[1]
    slopes = [tf.gradients(tf.reduce_sum(y), x)[0] for y in (looped, unrolled)]
    found, expected = session.run(slopes)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_assertion_in_a_loop_stops_all_writes(session: tf.Session) -> None:
    w, x = tf.Variable(1.0), tf.placeholder(tf.float32, [])

    def step(i: tf.Tensor, a: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.control_dependencies([tf.assert_less(a, 10.0)]):
            return i + 1, a * x

    update = w.assign(tf.while_loop(lambda i, _: i < 4, step, [0, 1.0])[1])
    assert session.run(update, {x: 1.5}) == 1.5**4
    with pytest.raises(ValueError, match=r"assertion failed: (.|\n)*test_in_loops\.py"):
        session.run(update, {x: 4.0})
    assert session.run(w) == 1.5**4


def test_only_the_branch_that_is_taken_acts(
    session: tf.Session, capsys: pytest.CaptureFixture[str]
) -> None:
    x = tf.placeholder(tf.float32, [])
    y = tf.cond(x > 0, lambda: tf.Print(x * 2, [x], "+"), lambda: tf.Print(-x, [x], "-"))
    assert [session.run(y, {x: number}) for number in (1.0, -2.0)] == [2.0, 2.0]
    assert capsys.readouterr().err == "+[1]\n-[-2]\n"


def test_each_element_may_have_a_mask_of_its_own(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.map_fn(lambda row: tf.reduce_sum(tf.boolean_mask(row, row > 0)), x)
    for rows in (2, 3):
        array = np.arange(4.0 * rows, dtype=np.float32).reshape(rows, 4) - 3
        np.testing.assert_array_equal(session.run(y, {x: array}), np.maximum(array, 0).sum(1))


def test_what_is_not_finite_in_a_loop_is_named(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [])
    y = tf.while_loop(
        lambda i, _: i < 3, lambda i, a: (i + 1, tf.check_numerics(tf.log(a), "log")), [0, x]
    )[1]
    assert np.isfinite(session.run(y, {x: 1e9}))
    with pytest.raises(ValueError, match=r"log : Tensor had NaN values(.|\n)*test_in_loops\.py"):
        session.run(y, {x: 2.0})
