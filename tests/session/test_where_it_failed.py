"""Errors of checks name the iteration of a loop and the step of `run_steps`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.base.errors import InvalidArgumentError

BACKENDS = ("llvm", "numpy")


def _first_nan(y: np.float32, counted: bool) -> tuple[int, int]:
    """The iterations of both loops of the test in which the first NaN is made."""
    with np.errstate(all="ignore"):
        for n in range(9):
            z = y + np.float32(100)
            for m in range(4 if counted else n + 1):
                z = np.log(z) if counted else np.sqrt(z - 1)
                if np.isnan(z):
                    return n, m
            y -= np.float32(40)
    raise AssertionError("there is no NaN")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("counted", [True, False])
def test_a_check_names_the_iterations(backend: str, counted: bool) -> None:
    x = tf.placeholder(tf.float32, [])

    def inner(m: Any, y: Any) -> Any:
        return m + 1, tf.log(y) if counted else tf.sqrt(y - 1.0)

    def outer(n: Any, y: Any) -> Any:
        last = 4 if counted else n + 1
        z = tf.while_loop(lambda m, z: m < last, inner, [0, y + 100.0])[1]
        return n + 1, y - 40.0 + 0.0 * z

    y = tf.while_loop(lambda n, y: n < 9, outer, [0, x])[1]
    config = tf.ConfigProto(backend=backend, check_numerics=True)
    first = -38.0 if counted else 0.0
    n, m = _first_nan(np.float32(first), counted)
    failing = pytest.raises(InvalidArgumentError, match="NaN")
    with tf.Session(config=config) as session, failing as caught:
        session.run(y, {x: first})
    text = f"\n  in iteration {m}\n  in iteration {n} of the loop around it"
    assert str(caught.value).endswith(text)
    assert "test_where_it_failed.py" in str(caught.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_error_names_the_step(backend: str) -> None:
    v = tf.Variable(5.0)
    step = tf.assign(v, tf.check_numerics(tf.sqrt(v - 1.0), "the root"))
    with tf.Session(config=tf.ConfigProto(backend=backend)) as session:
        session.run(tf.global_variables_initializer())
        with pytest.raises(InvalidArgumentError, match=r"the root[^$]*\n  in step 3$"):
            session.run_steps(step, 10)  # 5, 2, 1, 0, and then none
        assert session.run(v) == 0
        with pytest.raises(InvalidArgumentError) as caught:
            session.run(step)
        assert "in step" not in str(caught.value)


def test_python_s_loops_name_them_too() -> None:
    x = tf.placeholder(tf.float32, [None])
    rows = np.arange(5, dtype=np.float32)
    y = tf.map_fn(lambda n: tf.reduce_sum(tf.gather(x[: n + 3], n * 2)), tf.range(5), tf.float32)
    with tf.Session() as session:
        with pytest.raises(InvalidArgumentError, match=r"= 6 is not in [^$]*\n  in iteration 3$"):
            session.run(y, {x: rows})
        fed = tf.placeholder(tf.float32, [1])
        one = tf.py_func(lambda a: 1 / (a - 2), [fed], tf.float32)
        step = tf.check_numerics(one, "the inverse")
        with pytest.raises(InvalidArgumentError, match=r"the inverse[^$]*\n  in step 2$"):
            session.run_steps(step, 4, batches={fed: rows}, batch_size=1, shuffle=False)
