"""Logarithms of softmaxes, sigmoids and exponentials that round to 0 or 1; and of those fed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from thalweg.graph import Tensor

BACKENDS = ("llvm", "numpy")
Function = Callable[[Tensor], Tensor]
Array = np.ndarray[Any, Any]
nn = tf.nn

# What a user may write, and the same in a form that is stable by itself.
FORMS: dict[str, tuple[Function, Function]] = {
    "softmax": (lambda z: tf.log(nn.softmax(z)), nn.log_softmax),
    "softmax along rows": (lambda z: tf.log(nn.softmax(z, 0)), lambda z: nn.log_softmax(z, 0)),
    "softmax by hand": (
        lambda z: tf.log(tf.exp(z / 8) / tf.reduce_sum(tf.exp(z / 8), 1, keepdims=True)),
        lambda z: nn.log_softmax(z / 8),
    ),
    "exponential": (lambda z: tf.log(tf.exp(z)), tf.identity),
    "quotient of exponentials": (lambda z: tf.log(tf.exp(z) / tf.exp(-z)), lambda z: 2 * z),
    "sigmoid": (lambda z: tf.log(tf.sigmoid(z)), nn.log_sigmoid),
    "1 - sigmoid": (lambda z: tf.log(1 - tf.sigmoid(z)), lambda z: -nn.softplus(z)),
    "cross entropy of sigmoids": (
        lambda z: 0.3 * tf.log(tf.sigmoid(z)) + 0.7 * tf.log(1 - tf.sigmoid(z)),
        lambda z: 0.3 * nn.log_sigmoid(z) - 0.7 * nn.softplus(z),
    ),
    "reshaped": (
        lambda z: tf.log(tf.reshape(nn.softmax(z), [-1])),
        lambda z: tf.reshape(nn.log_softmax(z), [-1]),
    ),
    "transposed": (
        lambda z: tf.log(tf.transpose(nn.softmax(z))),
        lambda z: tf.transpose(nn.log_softmax(z)),
    ),
    "a column": (lambda z: tf.log(nn.softmax(z)[:, 1]), lambda z: nn.log_softmax(z)[:, 1]),
    "a box": (
        lambda z: tf.log(tf.slice(nn.softmax(z), [0, 1], [-1, 2])),
        lambda z: tf.slice(nn.log_softmax(z), [0, 1], [-1, 2]),
    ),
    "identities": (
        lambda z: tf.log(tf.expand_dims(tf.identity(nn.softmax(z)), 1)),
        lambda z: tf.expand_dims(nn.log_softmax(z), 1),
    ),
    "broadcast": (
        lambda z: tf.log(tf.broadcast_to(nn.softmax(z), [2, 3, 4])),
        lambda z: tf.broadcast_to(nn.log_softmax(z), [2, 3, 4]),
    ),
    "cast": (
        lambda z: tf.log(tf.cast(nn.softmax(z), tf.float64)),
        lambda z: tf.cast(nn.log_softmax(z), tf.float64),
    ),
    "of other operations": (
        lambda z: tf.log(nn.softmax(z * z / 20 + tf.sin(z))) * tf.cos(z),
        lambda z: nn.log_softmax(z * z / 20 + tf.sin(z)) * tf.cos(z),
    ),
    "p log p": (
        lambda z: nn.softmax(z) * tf.log(nn.softmax(z)),
        lambda z: nn.softmax(z) * nn.log_softmax(z),
    ),
    "two of them": (
        lambda z: nn.softmax(z) * (tf.log(nn.softmax(z)) - tf.log(nn.softmax(-z))),
        lambda z: nn.softmax(z) * (nn.log_softmax(z) - nn.log_softmax(-z)),
    ),
}
LOGITS = np.array([[0, 200, -200, 3], [-1, 0.5, 0.25, 1], [90, -90, -100, 100]], np.float32)


def results(f: Function, z: Tensor) -> list[Tensor]:
    """The value, a gradient and a second derivative times a vector."""
    y = f(z)
    weights = tf.cast(
        tf.cos(tf.cast(tf.reshape(tf.range(tf.size(y)), tf.shape(y)), tf.float32)), y.dtype
    )
    first = tf.gradients(y, z, weights)[0]
    assert first is not None
    vector = tf.constant(np.random.RandomState(2).rand(3, 4), z.dtype)
    second = tf.gradients(first, z, vector)[0]
    return [y, first] if second is None else [y, first, second]


def check(form: str, found: list[Array], wanted: list[Array]) -> None:
    for got, want in zip(found, wanted, strict=False):
        # float32 rounds each of some ten operations; sums of large logits lose more
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5, err_msg=form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["fed", "open", "constant"])
def test_it_is_as_if_written_stably(form: str, kind: str) -> None:
    written, stable = FORMS[form]
    feeds = {}
    if kind == "constant":
        z = tf.constant(LOGITS)
    else:
        z = tf.placeholder(tf.float32, [None, 4] if kind == "open" else [3, 4])
        feeds[z] = LOGITS
    session = tf.Session(config=tf.ConfigProto(backend="numpy"))
    check(form, *session.run([results(written, z), results(stable, z)], feeds))


def test_compiled_code_does_the_same() -> None:
    z = tf.placeholder(tf.float32, [None, 4])
    names = ("softmax", "cross entropy of sigmoids", "a column", "p log p")
    made = {name: [results(f, z) for f in FORMS[name]] for name in names}
    for form, (found, wanted) in tf.Session().run(made, {z: LOGITS}).items():
        check(form, found, wanted)


@pytest.mark.parametrize("batch", [None, 3])
def test_gradients_that_start_from_a_constant(batch: int | None) -> None:
    """Its shape is fixed where that of the logits may be open."""
    z = tf.placeholder(tf.float32, [batch, 4])
    weights = np.random.RandomState(1).rand(3, 4).astype(np.float32)
    by_z = [tf.gradients(f(z), z, weights)[0] for f in FORMS["softmax"]]
    check("softmax", *([value] for value in tf.Session().run(by_z, {z: LOGITS})))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fed_probability_is_what_is_taken(backend: str) -> None:
    session = tf.Session(config=tf.ConfigProto(backend=backend))
    z = tf.placeholder(tf.float32, [None, 3])
    powers = tf.exp(z)
    total = tf.reduce_sum(powers, 1, keepdims=True)
    p = powers / total
    moved = tf.reshape(p, [-1])
    loss = tf.log(moved)
    by_z, by_p = tf.gradients(loss, [z, p])
    Z, P = np.array([[0.0, 1, 2]]), np.array([[0.5, 0.25, 0.125]])
    e = np.exp(Z)
    s = e.sum()
    one = np.ones(3)
    np.testing.assert_allclose(session.run(loss, {p: P}), np.log(P[0]), rtol=1e-5)
    np.testing.assert_allclose(session.run(loss, {z: Z, p: P}), np.log(P[0]), rtol=1e-5)
    np.testing.assert_allclose(session.run(loss, {z: Z, moved: one / 3}), np.log(one / 3), 1e-5)
    np.testing.assert_allclose(
        session.run(loss, {powers: e * 2, total: [[s]]}), np.log(2 * e[0] / s)
    )
    np.testing.assert_allclose(session.run(by_p, {p: P}), 1 / P, rtol=1e-5)
    np.testing.assert_allclose(session.run(by_p, {z: Z}), s / e, rtol=1e-5)
    # p stands where the graph has it: p = e / s, so e' = (dy / p) / s and s' = -(dy / p) * p / s.
    np.testing.assert_allclose(session.run(by_z, {z: Z, p: P}), (1 / P / s - 3 / s) * e, rtol=1e-5)


def test_gradients_by_what_is_on_the_way() -> None:
    z = tf.placeholder(tf.float32, [None, 3])
    p, q = nn.softmax(z), tf.sigmoid(z)
    logs = [tf.log(p), tf.log(q), tf.log(1 - q)]
    by = [tf.gradients(logs[0], p)[0], tf.gradients(logs[1], q)[0], tf.gradients(logs[2], q)[0]]
    assert [tf.gradients(y, z, stop_gradients=[p, q])[0] for y in logs] == [None] * 3
    Z = np.array([[0.0, 1, 2]])
    probabilities, sigmoids = np.exp(Z) / np.exp(Z).sum(), 1 / (1 + np.exp(-Z))
    found = tf.Session().run(by, {z: Z})
    for got, want in zip(
        found, [1 / probabilities, 1 / sigmoids, -1 / (1 - sigmoids)], strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_the_graph_says_what_was_written() -> None:
    z = tf.placeholder(tf.float32, [None, 3])
    y = tf.log(nn.softmax(z))
    assert (y.op.type, y.op.inputs[0].op.type) == ("Log", "RealDiv")


def test_entropies() -> None:
    """Here the gradient of a logarithm is p itself over p."""
    z = tf.placeholder(tf.float32, [None, 4])
    p = nn.softmax(z)
    loss, stable = tf.reduce_sum(p * tf.log(p)), tf.reduce_sum(p * nn.log_softmax(z))
    first, wanted = (tf.gradients(y, z)[0] for y in (loss, stable))
    assert first is not None
    assert wanted is not None
    made = [loss, first, tf.gradients(first * first, z)[0]]
    check(
        "",
        *tf.Session().run(
            [made, [stable, wanted, tf.gradients(wanted * wanted, z)[0]]], {z: LOGITS}
        ),
    )


def test_other_logarithms_stay() -> None:
    z = tf.placeholder(tf.float32, [3])
    for x in (z, nn.relu(z), z / tf.exp(z), 2 - tf.sigmoid(z), nn.softmax(z) + 1e-10):
        y = tf.log(x)
        first = tf.gradients(y, z)[0]
        a = np.array([0.5, 2, 3])
        session = tf.Session(config=tf.ConfigProto(backend="numpy"))
        low, high = (session.run(y, {z: a + step}) for step in (-1e-3, 1e-3))
        assert np.isfinite(session.run(first, {z: a})).all()
        np.testing.assert_allclose(
            session.run(first, {z: a}).sum(), (high - low).sum() / 2e-3, 1e-2, 1e-3
        )


def test_zero_probabilities_that_were_fed_have_infinite_logarithms() -> None:
    p = tf.placeholder(tf.float32, [2])
    by_p = tf.gradients(tf.log(p), p)[0]
    found = tf.Session().run([tf.log(p), by_p], {p: [0, 1]})
    assert [a.tolist() for a in found] == [[-np.inf, 0], [np.inf, 1]]


@pytest.mark.parametrize("form", ["softmax", "1 - sigmoid", "a column"])
def test_third_derivatives(form: str) -> None:
    z = tf.placeholder(tf.float32, [None, 4])

    def third(f: Function) -> Tensor:
        made = f(z)
        for outer in (tf.square, tf.sin, tf.square):
            gradient = tf.gradients(outer(made * 0.1), z)[0]
            assert gradient is not None
            made = gradient
        return made

    session = tf.Session(config=tf.ConfigProto(backend="numpy"))
    found, wanted = session.run([third(f) for f in FORMS[form]], {z: LOGITS})
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradient_by_a_probability_can_be_kept(backend: str) -> None:
    z, v = tf.placeholder(tf.float32, [1, 3]), tf.Variable(np.zeros((1, 3), np.float32))
    p = nn.softmax(z)
    by_p, by_z = tf.gradients(tf.log(p), [p, z])
    session = tf.Session(config=tf.ConfigProto(backend=backend))
    kept, found = session.run([v.assign(by_p), by_z], {z: [[0, 1, 2]]})
    e = np.exp([[0.0, 1, 2]])
    np.testing.assert_allclose(kept, e.sum() / e, rtol=1e-5)
    np.testing.assert_allclose(found, 1 - 3 * e / e.sum(), rtol=1e-5)
    np.testing.assert_allclose(session.run(v), kept, rtol=0)
