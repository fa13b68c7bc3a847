"""Strings: fed and fetched, moved about, and read as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf

WORDS = ["thal", "weg", "é"]
BYTES = [word.encode() for word in WORDS]


def test_constants_and_feeds_come_back_as_bytes(session: tf.Session) -> None:
    x = tf.placeholder(tf.string, [None])
    assert session.run(tf.constant("weg")) == b"weg"
    assert session.run(tf.constant(WORDS)).tolist() == BYTES
    for fed in (WORDS, BYTES, np.array(WORDS), np.array(BYTES), np.array(WORDS, object)):
        assert session.run(tf.identity(x), {x: fed}).tolist() == BYTES
    assert session.run([x, x], {x: []})[1].size == 0


def test_constants_are_fetched_beside_what_is_computed(session: tf.Session) -> None:
    text, x = tf.constant("a"), tf.placeholder(tf.float32, [])
    for number in (1.0, 2.0):
        assert session.run([text, x + 1.0, text], {x: number}) == [b"a", number + 1, b"a"]
    both = tf.string_join([text, tf.as_string(x * 2.0, precision=1)])
    assert session.run([both, text], {x: 1.5}) == [b"a3.0", b"a"]


def test_they_are_moved_as_other_elements_are(session: tf.Session) -> None:
    x = tf.placeholder(tf.string, [None, 2])
    made = [
        tf.reshape(x, [-1]),
        tf.transpose(x),
        tf.gather(x, [1, 0]),
        tf.concat([x, x], 1),
        tf.stack([x[0, 0], "b"]),
        x[::-1, 1],
        tf.tile(x, [1, 2]),
        tf.expand_dims(x, 0),
        tf.where(tf.equal(x, "a"), x, tf.fill(tf.shape(x), "z")),
        tf.boolean_mask(x, [True, False]),
    ]
    array = np.array([[b"a", b"bc"], [b"", b"d"]], object)
    expected: list[Any] = [
        array.reshape(-1),
        array.T,
        array[[1, 0]],
        np.concatenate([array, array], 1),
        [b"a", b"b"],
        array[::-1, 1],
        np.tile(array, [1, 2]),
        array[None],
        np.where(array == b"a", array, b"z"),
        array[:1],
    ]
    for got, wanted in zip(session.run(made, {x: array}), expected, strict=True):
        assert got.tolist() == np.asarray(wanted, object).tolist()
    assert session.run([tf.shape(x), tf.size(x)], {x: array})[0].tolist() == [2, 2]


def test_they_are_compared(session: tf.Session) -> None:
    x = tf.placeholder(tf.string, [None])
    same = tf.equal(x, "weg")
    assert session.run(same, {x: WORDS}).tolist() == [False, True, False]
    right = tf.reduce_mean(tf.cast(tf.not_equal(x, WORDS), tf.float32))
    assert session.run(right, {x: ["thal", "x", "y"]}) == np.float32(2 / 3)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x + x,
        lambda x: -x,
        lambda x: tf.less(x, x),
        lambda x: tf.cast(x, tf.float32),
        lambda x: tf.reduce_max(x),
        lambda x: tf.matmul(tf.reshape(x, [1, 1]), tf.reshape(x, [1, 1])),
        lambda x: tf.zeros_like(x),
        lambda x: tf.Variable(x),
        lambda x: tf.pad(x, [[1, 1]]),
        lambda x: tf.where(x),
        lambda x: tf.random_normal(x),
    ],
)
def test_there_is_nothing_to_compute_with_them(compute: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        compute(tf.constant(["a"]))
    assert "test_strings.py" in str(caught.value)


def test_feeds_must_be_strings(session: tf.Session) -> None:
    x, y = tf.placeholder(tf.string, [None], name="x"), tf.placeholder(tf.float32)
    with pytest.raises(ValueError, match=r"the feed for the placeholder 'x' .* is not made of"):
        session.run(tf.identity(x), {x: [1, 2]})
    with pytest.raises(ValueError, match="which are no numbers"):
        session.run(y + 1.0, {y: ["1"]})


def test_numbers_as_strings(session: tf.Session) -> None:
    made = [
        tf.as_string([1.5, -2.0]),
        tf.as_string(1 / 3, precision=2),
        tf.as_string(12345.678, scientific=True, precision=1),
        tf.as_string([0.1, 1e20], shortest=True),
        tf.as_string([7, -7], width=4, fill="0"),
        tf.as_string(7, width=4, fill="-"),
        tf.as_string([True, False]),
        tf.as_string(tf.constant(2**40, tf.int64)),
    ]
    assert [np.asarray(v, object).reshape(-1).tolist() for v in session.run(made)] == [
        [b"1.500000", b"-2.000000"],
        [b"0.33"],
        [b"1.2e+04"],
        [b"0.1", b"1e+20"],
        [b"0007", b"-007"],
        [b"7   "],
        [b"true", b"false"],
        [b"1099511627776"],
    ]
    with pytest.raises(ValueError, match="as_string: cannot be both scientific and shortest"):
        tf.as_string(1.0, scientific=True, shortest=True)
    with pytest.raises(ValueError, match="precision and exponents are not for int32"):
        tf.as_string(1, precision=2)
    with pytest.raises(ValueError, match="fill must be one of"):
        tf.as_string(1, width=3, fill="x")


def test_joined_strings(session: tf.Session) -> None:
    x = tf.placeholder(tf.string, [None])
    joined = tf.string_join([x, "/", x], separator="-")
    for words in (["a", "b"], ["c"]):
        expected = [f"{word}-/-{word}".encode() for word in words]
        assert session.run(joined, {x: words}).tolist() == expected


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.int32, tf.int64])
def test_strings_as_numbers(dtype: Any, session: tf.Session) -> None:
    x = tf.placeholder(tf.string, [None])
    numbers = tf.string_to_number(x, dtype) * 2
    found = session.run(numbers, {x: [" 21", "-4"]})
    assert (found.dtype, found.tolist()) == (dtype.numpy, [42, -8])
    for wrong in ("x", "", "1_0", *(["1.5"] if dtype.is_integer else [])):
        with pytest.raises(ValueError, match="is not the text of a number") as caught:
            session.run(numbers, {x: [wrong]})
        assert "test_strings.py" in str(caught.value)


def test_a_number_that_does_not_fit_is_an_error(session: tf.Session) -> None:
    with pytest.raises(ValueError, match=r"StringToNumber(.|\n)*test_strings\.py"):
        session.run(tf.string_to_number(str(2**40), tf.int32))


def test_parts_of_strings(session: tf.Session) -> None:
    x = tf.placeholder(tf.string, [None])
    part = tf.substr(x, 1, 3)
    assert session.run(part, {x: ["Hello", "at", "x"]}).tolist() == [b"ell", b"t", b""]
    assert session.run(tf.substr(["abc", "abc"], [-2, 0], [1, 9])).tolist() == [b"b", b"abc"]
    with pytest.raises(ValueError, match="pos 1 is outside of ''"):
        session.run(part, {x: [""]})


def test_strings_pass_through_a_function_of_python_s(session: tf.Session) -> None:
    x = tf.placeholder(tf.string, [None])
    loud = tf.py_func(lambda a: np.array([w.upper() for w in a]), [x], tf.string)
    assert session.run(loud, {x: ["a", "bc"]}).tolist() == [b"A", b"BC"]


def test_equal_constants_are_one_and_others_are_not(session: tf.Session) -> None:
    made = [tf.constant(["a"]), tf.constant(["a"]), tf.constant(["b"])]
    assert [value.tolist() for value in session.run(made)] == [[b"a"], [b"a"], [b"b"]]
    records = [tensor.op.record for tensor in made]
    assert records[0] == records[1] != records[2]
