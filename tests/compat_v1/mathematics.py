"""Programs of elementwise functions, reductions, linear algebra and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.compat_v1.bench import Bench, Program, numbers

X = numbers(3, 4)
IMAGES = numbers(2, 6, 6, 3)
SQUARE = numbers(2, 3, 3, seed=2) + 3 * np.eye(3, dtype=np.float32)
POSITIVE = np.einsum("nij,nkj->nik", SQUARE, SQUARE).astype(np.float32)
LABELS = np.array([2, 0, 3], np.int32)

Function = Callable[[Any, Any], Any]
ELEMENTWISE = [
    "abs",
    "negative",
    "square",
    "sqrt",
    "rsqrt",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "atan",
    "sign",
    "floor",
    "ceil",
    "rint",
    "reciprocal",
    "erf",
    "lgamma",
    "digamma",
    "sigmoid",
]
ACTIVATIONS = [
    "relu",
    "relu6",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "softmax",
    "log_softmax",
    "leaky_relu",
    "crelu",
]
FUNCTIONS: dict[str, Function] = {
    "pow": lambda tf, x: tf.pow(tf.abs(x), 2.5),
    "maximum": lambda tf, x: tf.maximum(x, 0.3) + tf.minimum(x, x * x),
    "squared_difference": lambda tf, x: tf.squared_difference(x, x[:1]),
    "atan2": lambda tf, x: tf.atan2(x, 1.0 + x * x),
    "clip_by_value": lambda tf, x: tf.clip_by_value(x, -0.5, 0.5),
    "clip_by_norm": lambda tf, x: tf.clip_by_norm(x, 1.0, [1]),
    "clip_by_norm_of_zeros": lambda tf, x: tf.clip_by_norm(x * 0.0, 1.0),
    "global_norm": lambda tf, x: tf.clip_by_global_norm([x, x * 2.0], 1.0),
    "reduce_logsumexp": lambda tf, x: tf.reduce_logsumexp(x, 1, keepdims=True),
    "reduce_mean": lambda tf, x: tf.reduce_mean(x, [0], keep_dims=True),
    "reduce_prod": lambda tf, x: tf.reduce_prod(x, 1),
    "reduce_max_ties": lambda tf, x: tf.reduce_max(tf.round(x), 1),
    "moments": lambda tf, x: list(tf.nn.moments(x, [0])),
    "l2_normalize": lambda tf, x: tf.nn.l2_normalize(x, 1),
    "l2_loss": lambda tf, x: tf.nn.l2_loss(x),
    "add_n": lambda tf, x: tf.add_n([x, x * x, tf.sin(x)]),
    "broadcast": lambda tf, x: x[:, None] * x[None, :, :1] - x[0],
    "stop_gradient": lambda tf, x: x * tf.stop_gradient(x),
    "bias_add": lambda tf, x: tf.nn.bias_add(x, x[0]),
    "matmul": lambda tf, x: tf.matmul(x, x, transpose_b=True),
    "matmul_batch": lambda tf, x: tf.matmul(x[None], tf.transpose(x)[None]),
    "cross_entropy": lambda tf, x: tf.nn.softmax_cross_entropy_with_logits_v2(
        labels=tf.nn.softmax(x * 2.0), logits=x
    ),
    "sparse_cross_entropy": lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=LABELS, logits=x
    ),
    "sigmoid_cross_entropy": lambda tf, x: tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.cast(x > 0.0, tf.float32), logits=x
    ),
    "weighted_cross_entropy": lambda tf, x: tf.nn.weighted_cross_entropy_with_logits(
        tf.cast(x > 0.0, tf.float32), x, 3.0
    ),
    "floormod": lambda tf, x: tf.floormod(x, 0.7),
    "select_nan": lambda tf, x: tf.where(x > 0.0, tf.sqrt(tf.abs(x)), x),
    "norm_inf": lambda tf, x: tf.norm(x, np.inf, axis=1),
    "norm_one": lambda tf, x: tf.norm(x, 1, axis=0),
    "tensordot_like": lambda tf, x: tf.reduce_sum(x[:, :, None] * x[:, None, :], 0),
}
LINEAR: dict[str, Function] = {
    "cholesky": lambda tf, a: tf.cholesky(a),
    "determinant": lambda tf, a: tf.matrix_determinant(a),
    "inverse": lambda tf, a: tf.matrix_inverse(a),
    "solve": lambda tf, a: tf.matrix_solve(a, tf.ones([2, 3, 2])),
    "solve_adjoint": lambda tf, a: tf.matrix_solve(a, tf.ones([2, 3, 2]), adjoint=True),
    "triangular": lambda tf, a: tf.matrix_triangular_solve(a, tf.ones([2, 3, 1])),
    "least_squares": lambda tf, a: tf.matrix_solve_ls(a[:, :, :2], tf.ones([2, 3, 1])),
    "cholesky_solve": lambda tf, a: tf.cholesky_solve(tf.cholesky(a), tf.ones([2, 3, 1])),
    "eigenvalues": lambda tf, a: tf.self_adjoint_eigvals(a),
    "singular_values": lambda tf, a: tf.svd(a, compute_uv=False),
    "svd_product": lambda tf, a: _svd_product(tf, a),
    "qr_product": lambda tf, a: tf.matmul(*tf.qr(a)),
    "slogdet": lambda tf, a: list(tf.linalg.slogdet(a)),
    "trace_like": lambda tf, a: tf.reduce_sum(tf.matrix_band_part(a, 0, 0), [1, 2]),
}


def _svd_product(tf: Any, a: Any) -> Any:
    s, u, v = tf.svd(a)
    return tf.matmul(u * s[:, None], v, transpose_b=True)


FILTERS = numbers(3, 3, 3, 4, seed=3)
LAYERS: dict[str, Function] = {
    "conv_same": lambda tf, x: tf.nn.conv2d(x, FILTERS, [1, 1, 1, 1], "SAME"),
    "conv_valid_strides": lambda tf, x: tf.nn.conv2d(x, FILTERS, [1, 2, 2, 1], "VALID"),
    "conv_transpose": lambda tf, x: tf.nn.conv2d_transpose(
        x, numbers(3, 3, 2, 3), [2, 12, 12, 2], [1, 2, 2, 1]
    ),
    "depthwise": lambda tf, x: tf.nn.depthwise_conv2d(x, FILTERS, [1, 1, 1, 1], "SAME"),
    "separable": lambda tf, x: tf.nn.separable_conv2d(
        x, numbers(3, 3, 3, 2), numbers(1, 1, 6, 4), [1, 1, 1, 1], "SAME"
    ),
    "max_pool": lambda tf, x: tf.nn.max_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "SAME"),
    "avg_pool": lambda tf, x: tf.nn.avg_pool(x, [1, 3, 3, 1], [1, 2, 2, 1], "SAME"),
    "batch_norm": lambda tf, x: tf.nn.batch_normalization(
        x, *tf.nn.moments(x, [0, 1, 2]), tf.ones([3]), tf.ones([3]) * 2.0, 1e-3
    ),
    "embedding": lambda tf, x: tf.nn.embedding_lookup(x[0, 0], [[1, 5], [1, 0]]),
    "embedding_parts": lambda tf, x: tf.nn.embedding_lookup([x[0, 0], x[0, 1]], [1, 5, 4, 1]),
}


def _of(value: Any, shape: Any, function: Function) -> Program:
    def program(tf: Any, b: Bench) -> Any:
        x = b.feed(value, shape)
        made = function(tf, x)
        flat = [part for item in made for part in (item if isinstance(item, list) else [item])] \
            if isinstance(made, list | tuple) else made  # fmt: skip
        return b.with_slopes(flat, x)

    return program


def _named(path: str) -> Function:
    def function(tf: Any, x: Any) -> Any:
        found = tf
        for name in path.split("."):
            found = getattr(found, name)
        return found(x)

    return function


def _domain(name: str) -> Any:
    return np.abs(X) + 0.1 if name in ("sqrt", "rsqrt", "log", "log1p", "lgamma", "digamma") else X


PROGRAMS: dict[str, Program] = {
    **{f"math/{n}": _of(_domain(n), [3, 4], _named(n)) for n in ELEMENTWISE},
    **{f"nn/{n}": _of(X, [None, 4], _named(f"nn.{n}")) for n in ACTIVATIONS},
    **{f"math/{n}": _of(X, [None, 4], f) for n, f in FUNCTIONS.items()},
    **{f"linalg/{n}": _of(POSITIVE, [2, 3, 3], f) for n, f in LINEAR.items()},
    **{f"layers/{n}": _of(IMAGES, [2, 6, 6, 3], f) for n, f in LAYERS.items()},
}
