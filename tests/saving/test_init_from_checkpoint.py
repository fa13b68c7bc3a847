"""Initial values from a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

import thalweg as tf


@pytest.fixture
def path(tmp_path: Path) -> str:
    with tf.Graph().as_default(), tf.Session() as session:
        tf.Variable([1.0, 2.0], name="old/W")
        tf.Variable(3.0, name="old/inner/b")
        return tf.train.Saver().save(session, tmp_path / "model")


def test_a_scope_by_a_scope(path: str) -> None:
    W, b = tf.Variable([0.0, 0.0], name="new/W"), tf.Variable(0.0, name="new/inner/b")
    other = tf.Variable(5.0, name="other")
    tf.train.init_from_checkpoint(path, {"old/": "new/"})
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(W).tolist() == [1, 2]
        assert session.run([b, other]) == [3, 5]
    with tf.Session() as session:  # without an initialiser, too
        assert session.run(W).tolist() == [1, 2]


def test_everything_by_the_root(path: str) -> None:
    W = tf.get_variable("model/old/W", [2], initializer=tf.zeros_initializer())
    b = tf.get_variable("model/old/inner/b", [], initializer=tf.zeros_initializer())
    tf.train.init_from_checkpoint(path, {"/": "model/"})
    with tf.Session() as session:
        assert session.run(W).tolist() == [1, 2]
        assert session.run(b) == 3


def test_single_variables(path: str) -> None:
    W, b = tf.Variable([0.0, 0.0], name="W"), tf.Variable(0.0, name="b")
    doubled = tf.Variable(b.initialized_value() * 2)
    with tf.control_dependencies([tf.no_op()]):
        tf.train.init_from_checkpoint(path, {"old/W": W, "old/inner/b": "b"})
    with tf.Session() as session:
        assert session.run(W).tolist() == [1, 2]
        assert session.run([b, doubled]) == [3, 6]


def test_what_does_not_fit(path: str) -> None:
    tf.Variable([0.0], name="W")
    with pytest.raises(ValueError, match=r"has the shape \[1\] in the graph, and \[2\] in"):
        tf.train.init_from_checkpoint(path, {"old/W": "W"})
    with pytest.raises(tf.errors.NotFoundError, match="Key new/W not found in checkpoint"):
        tf.train.init_from_checkpoint(path, {"new/W": "W"})
    with pytest.raises(ValueError, match="the graph has no variable 'V'"):
        tf.train.init_from_checkpoint(path, {"old/W": "V"})
    with pytest.raises(ValueError, match="'old/' is a scope, and 'W' is none"):
        tf.train.init_from_checkpoint(path, {"old/": "W"})
    with pytest.raises(ValueError, match="no variables in the scope 'none/'"):
        tf.train.init_from_checkpoint(path, {"old/": "none/"})
    with pytest.raises(TypeError, match="not to a variable or its name"):
        tf.train.init_from_checkpoint(path, {"old/W": 1})
