"""Names of operations and scopes: what TensorFlow 1 takes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import thalweg as tf

GOOD = ["a", "A9", "a.b", "a-b", "a_b", "a/b", "9", ".a", "a\\b"]
BAD = ["a b", "a:0", "_a", "-a", "/a", "^a", "a>b", "a\n", "a,b", "\u00e4"]
USES: dict[str, Callable[[str], object]] = {
    "constant": lambda name: tf.constant(1, name=name),
    "placeholder": lambda name: tf.placeholder(tf.float32, [], name=name),
    "variable": lambda name: tf.Variable(1.0, name=name),
    "sum": lambda name: tf.add(1, 2, name=name),
    "scope": lambda name: tf.name_scope(name).__enter__(),
    "optimizer": lambda name: tf.train.GradientDescentOptimizer(0.1, name=name).minimize(
        tf.Variable(1.0) * 1
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", BAD)
def test_other_characters_are_refused_with_the_line(use: str, name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(name)) + r"(.|\n)*test_names\.py"):
        USES[use](name)


@pytest.mark.parametrize("name", GOOD)
def test_names_are_kept(name: str) -> None:
    assert tf.constant(1, name=name).op.name == name


def test_a_name_inside_a_scope_may_begin_with_any_of_the_characters() -> None:
    with tf.name_scope("a"):
        assert tf.constant(1, name="_b").op.name == "a/_b"
        with pytest.raises(ValueError, match="not a valid name"):
            tf.constant(1, name="b c")


def test_a_name_must_be_a_string() -> None:
    with pytest.raises(ValueError, match="5 is not a valid name"):
        tf.constant(1, name=5)  # type: ignore[arg-type]
