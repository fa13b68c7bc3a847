"""What the tests of XLA share: sessions, and training that is compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import thalweg as tf


@contextmanager
def session(backend: str = "xla") -> Iterator[tf.Session]:
    """A session of the backend with the default graph."""
    with tf.Session(config=tf.ConfigProto(backend=backend)) as made:
        yield made
