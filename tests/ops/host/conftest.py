"""What the tests of operations that Python runs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import thalweg as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as made:
        yield made


@pytest.fixture(params=("llvm", "numpy"))
def session(request: pytest.FixtureRequest, graph: tf.Graph) -> Iterator[tf.Session]:
    """A session on each backend."""
    with tf.Session(graph=graph, config=tf.ConfigProto(backend=request.param)) as made:
        yield made
