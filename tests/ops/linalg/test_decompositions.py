"""Linear algebra through sessions: what decompositions promise, gradients, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf
from tests.differences import differences
from thalweg.ops.linalg.matrices import definite, general

Array = np.ndarray[Any, Any]
# LAPACK's errors are some epsilons times the condition number, which is below 100 here.
TOLERANCE = {"float32": 2e-4, "float64": 1e-12}


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as made:
        yield made


@pytest.fixture(params=("llvm", "numpy"))
def session(request: pytest.FixtureRequest, graph: tf.Graph) -> Iterator[tf.Session]:
    with tf.Session(graph=graph, config=tf.ConfigProto(backend=request.param)) as made:
        yield made


def transposed(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_decompositions_make_up_the_matrix(
    lead: tuple[int, ...], dtype: str, session: tf.Session
) -> None:
    x = tf.placeholder(dtype, [*[None] * len(lead), None, None])
    a = definite(*lead, side=4).astype(dtype)
    lower, (values, vectors), inverse = tf.cholesky(x), tf.self_adjoint_eig(x), tf.matrix_inverse(x)
    found = session.run([lower, values, vectors, inverse, tf.self_adjoint_eigvals(x)], {x: a})
    factor, e, v, inverted, only = (np.asarray(y, np.float64) for y in found)
    near: Any = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(factor @ transposed(factor), a, **near)
    np.testing.assert_array_equal(factor, np.tril(factor))
    np.testing.assert_allclose(v * e[..., None, :] @ transposed(v), a, **near)
    np.testing.assert_allclose(only, e, **near)
    np.testing.assert_allclose(inverted @ a, np.broadcast_to(np.eye(4), a.shape), **near)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 5), (2, 4, 3)])
def test_svd_and_qr(shape: tuple[int, ...], full: bool, session: tf.Session) -> None:
    a = general(*shape).astype(np.float64)
    x = tf.placeholder(tf.float64, [None] * len(shape))
    parts = [*tf.svd(x, full_matrices=full), *tf.qr(x, full_matrices=full)]
    s, u, v, q, r = session.run([*parts], {x: a})
    few = min(shape[-2:])
    np.testing.assert_allclose(u[..., :few] * s[..., None, :] @ transposed(v[..., :few]), a)
    np.testing.assert_allclose(q @ r, a, atol=1e-12)
    np.testing.assert_allclose(r, np.triu(r), atol=1e-12)
    assert u.shape[-1] == (shape[-2] if full else few)
    assert q.shape[-1] == (shape[-2] if full else few)
    np.testing.assert_allclose(session.run(tf.svd(x, compute_uv=False), {x: a}), s)


def test_other_sizes_in_turn(session: tf.Session) -> None:
    x = tf.placeholder(tf.float64, [None, None])
    y = tf.matrix_determinant(x * 2.0) + 1.0
    slope = tf.gradients(y, x)[0]
    for side in (3, 1, 5, 3):
        a = general(side, side).astype(np.float64)
        det, by_x = session.run([y, slope], {x: a})
        expected = np.linalg.det(2 * a)
        assert det == pytest.approx(expected + 1)
        np.testing.assert_allclose(by_x, expected * np.linalg.inv(a).T)


@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("side", [1, 5, 16, 17, 50])
def test_triangular_systems(side: int, lower: bool, adjoint: bool, session: tf.Session) -> None:
    rng = np.random.default_rng(side)
    a = rng.normal(size=(2, side, side)) + side * np.eye(side)
    b = rng.normal(size=(2, side, 3))
    x = tf.matrix_triangular_solve(tf.constant(a), b, lower, adjoint)
    triangle = np.tril(a) if lower else np.triu(a)
    expected = np.linalg.solve(transposed(triangle) if adjoint else triangle, b)
    np.testing.assert_allclose(session.run(x), expected, rtol=1e-11)


def test_systems_of_equations(session: tf.Session) -> None:
    a, b = definite(2, side=4).astype(np.float64), general(2, 4, 3).astype(np.float64)
    m, rhs = tf.placeholder(tf.float64, [None, None, None]), tf.placeholder(tf.float64)
    made = [
        tf.matrix_solve(m, rhs),
        tf.matrix_solve(m, rhs, adjoint=True),
        tf.cholesky_solve(tf.cholesky(m), rhs),
    ]
    for found in session.run(made, {m: a, rhs: b}):
        np.testing.assert_allclose(found, np.linalg.solve(a, b))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 5, 3), (4, 4)])
def test_least_squares(shape: tuple[int, ...], session: tf.Session) -> None:
    a = general(*shape).astype(np.float64)
    b = general(*shape[:-1], 2).astype(np.float64)
    expected = np.linalg.pinv(a) @ b
    for fast in (False, True):
        found = session.run(tf.matrix_solve_ls(tf.constant(a), b, fast=fast))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    damped = session.run(tf.matrix_solve_ls(tf.constant(a), b, 0.5))
    gram = transposed(a) @ a + 0.5 * np.eye(shape[-1])
    np.testing.assert_allclose(damped, np.linalg.solve(gram, transposed(a) @ b), rtol=1e-9)


def test_logarithms_of_determinants_do_not_overflow(session: tf.Session) -> None:
    a = 1e3 * np.eye(200) * np.where(np.arange(200) == 7, -1, 1)
    sign, logarithm = session.run(tf.log_matrix_determinant(tf.constant(a)))
    assert (sign, logarithm) == (-1, pytest.approx(200 * np.log(1e3)))


GRADIENTS: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Any], Array]] = {
    "cholesky of a product": (
        lambda x: tf.cholesky(tf.matmul(x, x, transpose_b=True)),
        lambda a: np.linalg.cholesky(a @ a.T),
        general(3, 4),
    ),
    "logarithm of a determinant": (
        lambda x: tf.linalg.slogdet(tf.matmul(x, x, transpose_b=True))[1],
        lambda a: np.linalg.slogdet(a @ a.T)[1],
        general(2, 3),
    ),
    "eigenvalues of a product": (
        lambda x: tf.self_adjoint_eigvals(tf.matmul(x, x, transpose_a=True)),
        lambda a: np.linalg.eigvalsh(a.T @ a),
        general(4, 3),
    ),
    "nuclear norm": (
        lambda x: tf.svd(x, compute_uv=False),
        lambda a: np.linalg.svd(a)[1],
        general(3, 5),
    ),
    "least squares of many rows": (
        lambda x: tf.matrix_solve_ls(x, tf.ones([4, 1], tf.float64), 0.1),
        lambda a: np.linalg.solve(a.T @ a + 0.1 * np.eye(2), a.T @ np.ones((4, 1))),
        general(4, 2),
    ),
    "least squares of few rows": (
        lambda x: tf.matrix_solve_ls(x, tf.ones([2, 1], tf.float64)),
        lambda a: np.linalg.pinv(a) @ np.ones((2, 1)),
        general(2, 4),
    ),
    "solution by a decomposition": (
        lambda x: tf.cholesky_solve(tf.cholesky(tf.matmul(x, x, transpose_b=True)), x),
        lambda a: np.linalg.solve(a @ a.T, a),
        general(3, 3),
    ),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_and_those_of_gradients(name: str, session: tf.Session) -> None:
    build, reference, given = GRADIENTS[name]
    array = given.astype(np.float64)
    x = tf.constant(array)
    weights = np.cos(np.arange(np.size(reference(array)))).reshape(np.shape(reference(array)))
    total = tf.reduce_sum(build(x) * weights)
    slope = tf.gradients(total, x)[0]
    assert slope is not None
    curve = tf.gradients(tf.reduce_sum(slope * np.sin(array)), x)[0]

    def scalar(a: Array) -> float:
        return float(np.sum(reference(a) * weights))

    def along(a: Array) -> float:
        return float(np.sum(differences(scalar, [a], 0) * np.sin(array)))

    first, second = session.run([slope, curve])
    np.testing.assert_allclose(first, differences(scalar, [array], 0), rtol=1e-6, atol=1e-8)
    # differences of differences keep about a third of the digits
    np.testing.assert_allclose(second, differences(along, [array], 0), rtol=1e-3, atol=1e-3)


def test_a_gradient_of_cholesky_is_symmetric(session: tf.Session) -> None:
    x = tf.constant(definite(side=4))
    slope = session.run(tf.gradients(tf.reduce_sum(tf.cholesky(x)), x)[0])
    np.testing.assert_allclose(slope, slope.T, rtol=1e-5)


@pytest.mark.parametrize(
    "compute",
    [
        tf.cholesky,
        tf.matrix_inverse,
        lambda x: tf.matrix_solve(x, x),
        lambda x: tf.matrix_triangular_solve(x, x),
    ],
)
def test_matrices_that_have_none_fail_with_the_line(
    compute: Callable[[Any], Any], session: tf.Session
) -> None:
    x, w = tf.placeholder(tf.float32, [2, 2]), tf.Variable(1.0)
    session.run(w.initializer)
    step = [compute(x), w.assign(2.0)]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"test_decompositions\.py"):
        session.run(step, {x: np.zeros((2, 2))})
    assert session.run(w) == 1.0
    session.run(step, {x: np.eye(2)})
    assert session.run(w) == 2.0


def test_gradients_that_need_more_are_refused_with_a_reason() -> None:
    unknown = tf.placeholder(tf.float32, [None, None])
    with pytest.raises(ValueError, match="must be known here"):
        tf.matrix_solve_ls(unknown, unknown)
    u = tf.svd(tf.zeros([3, 2]), full_matrices=True)[1]
    with pytest.raises(ValueError, match="only for square matrices"):
        tf.gradients(u, u.op.inputs[0])
    q = tf.qr(tf.zeros([3, 2]), full_matrices=True)[0]
    with pytest.raises(ValueError, match="more rows than columns with full_matrices"):
        tf.gradients(q, q.op.inputs[0])


def test_bands_and_diagonals(session: tf.Session) -> None:
    x = tf.placeholder(tf.float32, [None, None])
    made = [
        tf.matrix_band_part(x, -1, 0),
        tf.matrix_band_part(x, 0, -1),
        tf.matrix_band_part(x, 1, 1),
        tf.matrix_transpose(x),
    ]
    for shape in ((3, 4), (5, 2), (1, 1)):
        a = general(*shape)
        found = session.run(made, {x: a})
        near = np.abs(np.subtract.outer(np.arange(shape[0]), np.arange(shape[1]))) <= 1
        for got, wanted in zip(found, (np.tril(a), np.triu(a), a * near, a.T), strict=True):
            np.testing.assert_array_equal(got, wanted)
    v = tf.placeholder(tf.float32, [None])
    square = tf.matrix_diag(v)
    for size in (3, 1, 0):
        values = np.where(np.arange(size) == 1, np.inf, np.arange(size))
        np.testing.assert_array_equal(session.run(square, {v: values}), np.diag(values))


def test_the_short_names_are_the_same_functions() -> None:
    pairs = {"inv": "matrix_inverse", "det": "matrix_determinant", "solve": "matrix_solve"}
    for short, long in pairs.items():
        assert getattr(tf.linalg, short) is getattr(tf, long)
