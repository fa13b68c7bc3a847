"""Whatever is known of a shape when the graph is built, a run computes the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import thalweg as tf

Array = np.ndarray[Any, Any]
Shapes = tuple[tuple[int | None, ...] | None, ...]
_RANDOM = np.random.RandomState(0)


def a(*shape: int) -> Array:
    return np.asarray(_RANDOM.randn(*shape), np.float32)


def known(*shape: int) -> Any:
    return np.ones(shape, np.float32)


CASES: dict[str, tuple[Callable[..., Any], list[Array]]] = {
    "add a row": (tf.add, [a(2, 3), a(3)]),
    "row and column": (tf.multiply, [a(2, 1), a(1, 3)]),
    "more axes": (tf.subtract, [a(1), a(4, 2, 3)]),
    "scalar": (tf.divide, [a(), a(2, 3)]),
    "same shapes": (tf.maximum, [a(2, 3), a(2, 3)]),
    "comparison": (tf.less, [a(2, 3), a(1, 3)]),
    "squared difference": (tf.squared_difference, [a(2, 3), a(3)]),
    "to a known shape": (lambda x: x + known(2, 3), [a(3)]),
    "with a known column": (lambda x: x * known(2, 1), [a(1, 3)]),
    "three operands": (lambda x, y, z: x * y + z, [a(2, 1), a(1, 3), a(3)]),
    "where": (lambda c, x, y: tf.where(c > 0, x, y), [a(2, 3), a(2, 3), a(2, 3)]),
    "where by rows": (lambda c, x, y: tf.where(c > 0, x, y), [a(3), a(3, 3), a(3, 3)]),
    "where by images": (lambda c, x, y: tf.where(c > 0, x, y), [a(2), a(2, 3, 2), a(2, 3, 2)]),
    "where by elements": (lambda c, x, y: tf.where(c > 0, x, y), [a(3), a(3), a(3)]),
    "where by one": (lambda c, x, y: tf.where(c > 0, x, y), [a(), a(2, 3), a(2, 3)]),
    "where broadcast": (lambda c, x, y: tf.where(c > 0, x, y), [a(2, 1), a(1, 3), a()]),
    "where of constants": (lambda c: tf.where(c > 0, known(2, 2), 2 * known(2, 2)), [a(2)]),
    "matmul": (tf.matmul, [a(2, 3), a(3, 4)]),
    "matmul transposed": (
        lambda x, y: tf.matmul(x, y, transpose_a=True, transpose_b=True),
        [a(3, 2), a(4, 3)],
    ),
    "many products": (tf.matmul, [a(5, 2, 3), a(5, 3, 4)]),
    "many products with one": (tf.matmul, [a(5, 2, 3), a(3, 4)]),
    "products broadcast": (tf.matmul, [a(1, 4, 2, 3), a(5, 1, 3, 4)]),
    "dense": (lambda x, w, b: tf.nn.relu(tf.matmul(x, w) + b), [a(2, 3), a(3, 4), a(4)]),
    "tile": (lambda x: tf.tile(x, [2, 3]), [a(2, 3)]),
    "concat": (lambda x, y: tf.concat([x, y], -1), [a(2, 3), a(2, 4)]),
    "stack": (lambda x, y: tf.stack([x, y], -2), [a(2, 3), a(2, 3)]),
    "split": (lambda x: tf.split(x, 2, 0), [a(4, 3)]),
    "split the last": (lambda x: tf.split(x, 3, -1), [a(4, 3)]),
    "split by sizes": (lambda x: tf.split(x, [1, 3], 0), [a(4, 3)]),
    "split with a rest": (lambda x: tf.split(x, [1, -1, 1], 0), [a(4, 3)]),
    "unstack": (lambda x: tf.unstack(x, num=3, axis=-1), [a(4, 3)]),
    "sum": (lambda x: tf.reduce_sum(x, -1, keepdims=True), [a(2, 3)]),
    "mean of all": (tf.reduce_mean, [a(2, 3)]),
    "log of the sum": (lambda x: tf.reduce_logsumexp(x, 1), [a(2, 3)]),
    "reshape": (lambda x: tf.reshape(x, [3, -1]), [a(2, 3)]),
    "expand": (lambda x: tf.expand_dims(x, -1), [a(2, 3)]),
    "squeeze": (lambda x: tf.squeeze(x, [1]), [a(2, 1, 3)]),
    "transpose": (tf.transpose, [a(2, 3)]),
    "slice": (lambda x: tf.slice(x, [0, 1], [-1, 2]), [a(2, 3)]),
    "index": (lambda x: x[::-1, None, 1:], [a(2, 3)]),
    "pad": (lambda x: tf.pad(x, [[1, 0], [0, 2]]), [a(2, 3)]),
    "gather": (lambda x: tf.gather(x, [1, 0], axis=1), [a(2, 3)]),
    "softmax": (lambda x: tf.nn.softmax(x, 0), [a(2, 3)]),
    "moments": (lambda x: tf.nn.moments(x, [0]), [a(4, 3)]),
    "batch normalisation": (
        lambda x, m, v: tf.nn.batch_normalization(x, m, tf.abs(v), None, None, 1e-3),
        [a(4, 3), a(3), a(3)],
    ),
    "fused batch normalisation": (
        lambda x: tf.nn.fused_batch_norm(x, known(3), known(3), data_format="NCHW")[0],
        [a(2, 3, 4, 4)],
    ),
    "pooling": (lambda x: tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"), [a(2, 4, 4, 3)]),
}


def knowledge(arrays: list[Array]) -> Iterator[Shapes]:
    """What may be known: nothing; ranks only; all but one operand, or one extent."""
    shapes = tuple(x.shape for x in arrays)
    yield (None,) * len(arrays)
    yield tuple((None,) * x.ndim for x in arrays)
    for n, x in enumerate(arrays):
        less = [None, (None,) * x.ndim] if len(arrays) > 1 else []
        one = [tuple(None if i == k else d for i, d in enumerate(x.shape)) for k in range(x.ndim)]
        for shape in dict.fromkeys([*less, *one]):
            yield (*shapes[:n], shape, *shapes[n + 1 :])


def values(f: Callable[..., Any], arrays: list[Array], shapes: Shapes) -> list[Array]:
    """The results, and the gradients by all operands."""
    tf.reset_default_graph()
    xs = [tf.placeholder(tf.float32, shape) for shape in shapes]
    made = f(*xs)
    ys = list(made) if isinstance(made, list | tuple) else [made]
    gradients = tf.gradients([y * y for y in ys], xs) if ys[0].dtype.is_floating else []
    session = tf.Session(config=tf.ConfigProto(backend="numpy"))
    fetches = [*ys, *(g for g in gradients if g is not None)]
    found: list[Array] = session.run(fetches, dict(zip(xs, arrays, strict=True)))
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_known_makes_no_difference(case: str) -> None:
    f, arrays = CASES[case]
    wanted = values(f, arrays, tuple(x.shape for x in arrays))
    for shapes in knowledge(arrays):
        for got, want in zip(values(f, arrays, shapes), wanted, strict=True):
            assert got.shape == want.shape, shapes
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6, err_msg=str(shapes))


def test_a_piece_takes_new_extents_without_a_new_plan() -> None:
    x = tf.placeholder(tf.float32, [None, 2])
    pieces = [*tf.split(x * 2, 2), *tf.split(x * 3, [1, -1, 1])]
    gradient = tf.gradients(pieces[1] * pieces[1], x)[0]
    session = tf.Session()
    for rows in (4, 6, 10, 4):
        array = np.arange(2.0 * rows, dtype=np.float32).reshape(rows, 2)
        found = session.run([*pieces, gradient], {x: array})
        wanted = [*np.split(array * 2, 2), *np.split(array * 3, [1, rows - 1])]
        for got, want in zip(found, wanted, strict=False):
            np.testing.assert_array_equal(got, want)
        late = np.arange(rows)[:, None] >= rows // 2
        np.testing.assert_array_equal(found[-1], np.where(late, 8 * array, 0))
    assert sum("the plan holds" in line for line in session.why_recompiled) >= 1


@pytest.mark.parametrize("shape", [None, [None, 2]])
def test_pieces_that_do_not_make_up_the_axis_are_errors_of_the_run(shape: Any) -> None:
    x = tf.placeholder(tf.float32, shape)
    session, fed = tf.Session(), {x: np.zeros((5, 2))}
    for pieces in (tf.split(x, 2), tf.split(x, [2, 2]), tf.unstack(x, 4)):
        with pytest.raises(ValueError, match=r"5, 2\](.|\n)*test_unknown_shapes\.py"):
            session.run(pieces, fed)


def test_wrong_numbers_of_pieces_are_errors_with_the_line() -> None:
    x = tf.zeros([4, 2])
    makes: list[Callable[[], object]] = [
        lambda: tf.split(x, 0),
        lambda: tf.split(x, -1),
        lambda: tf.split(x, 3),
        lambda: tf.split(x, [1, -2, 5]),
        lambda: tf.split(x, [3, 2]),
        lambda: tf.split(x, 2, 2),
        lambda: tf.unstack(x, 3),
        lambda: tf.unstack(x, axis=2),
        lambda: tf.unstack(tf.placeholder(tf.float32, [None])),
    ]
    for make in makes:
        with pytest.raises(ValueError, match=r"test_unknown_shapes\.py"):
            make()


def test_numbers_that_are_joined_get_the_type_that_holds_all() -> None:
    s = tf.Session()
    x = tf.constant(1.5)
    assert s.run(tf.stack([1, 2.5])).tolist() == [1, 2.5]
    assert s.run(tf.concat([[1, 2], [2.5]], 0)).tolist() == [1, 2, 2.5]
    assert s.run(tf.convert_to_tensor([[1, x], [2, 3]])).tolist() == [[1, 1.5], [2, 3]]
    assert s.run(tf.convert_to_tensor([[1, 2], [x, 3]])).tolist() == [[1, 2], [1.5, 3]]
    assert tf.stack([1, 2]).dtype == tf.int32
    assert tf.stack([np.float64(1), 2.5]).dtype == tf.float64
    with pytest.raises(TypeError):
        tf.stack([tf.constant(1), 2.5])
