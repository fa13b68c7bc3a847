from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thalweg.base.errors import InvalidArgumentError, ShapeError
from thalweg.graph import Graph, Op, Operation, Tensor
from thalweg.ops.arrays.constant import Constant
from thalweg.ops.arrays.create import constant, placeholder, zeros
from thalweg.ops.convolution import conv
from thalweg.ops.convolution.avg_pool import SumPool, SumPoolGrad, avg_pool
from thalweg.ops.convolution.max_pool import MaxPool, MaxPoolGather, MaxPoolGrad, max_pool
from thalweg.ops.convolution.windows import same_padding

Array = np.ndarray[Any, Any]


def evaluate(tensor: Tensor, expand: bool = False) -> Array:
    """The value of a tensor made of constants, through `evaluate` or through what ops expand to."""
    done: dict[Operation, Any] = {}

    def visit(t: Tensor) -> Any:
        node = t.op
        if node not in done:
            simpler = node.record.expand(*node.inputs) if expand and node.inputs else None
            if isinstance(simpler, Tensor):
                simpler = (simpler,)
            if simpler is not None and simpler[t.value_index] is not t:
                done[node] = tuple(map(visit, simpler))
            else:
                made = node.record.evaluate(np, *map(visit, node.inputs))
                done[node] = made if isinstance(made, tuple) else (made,)
        return done[node][t.value_index]

    return np.asarray(visit(tensor))


def wave(*shape: int, step: float = 0.7) -> Array:
    values = np.sin(step * np.arange(1, np.prod(shape) + 1))
    return np.asarray(values.reshape(shape), np.float32)


def apply(record: Op, *arrays: Array, expand: bool = True) -> Array:
    graph = Graph()
    with graph.as_default():
        inputs = [graph.add(Constant.of(a)).outputs[0] for a in arrays]
        return evaluate(graph.add(record, inputs).outputs[0], expand)


def correlate(x: Array, w: Array, sh: int, sw: int) -> Array:
    """Convolution written out: the definition, with loops."""
    kh, kw = w.shape[:2]
    rows, columns = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    y = np.zeros((len(x), rows, columns, w.shape[3]), np.float64)
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * sh : i * sh + kh, j * sw : j * sw + kw, :]
            y[:, i, j, :] = np.einsum("npqc,pqco->no", window, w)
    return y


CASES = [
    ((2, 5, 6, 3), (3, 2, 3, 4), (1, 1)),
    ((1, 7, 9, 2), (3, 3, 2, 2), (2, 2)),
    ((2, 8, 7, 1), (2, 5, 1, 3), (3, 2)),
    ((1, 6, 6, 2), (1, 2, 2, 2), (2, 3)),
]


@pytest.mark.parametrize(("x_shape", "w_shape", "strides"), CASES)
def test_convolution_is_its_definition_and_the_gradients_its_adjoints(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], strides: tuple[int, int]
) -> None:
    x, w = wave(*x_shape), wave(*w_shape, step=1.3)
    y = apply(conv.Conv2D(strides), x, w)
    np.testing.assert_allclose(y, correlate(x, w, *strides), rtol=1e-4, atol=1e-5)
    dy = wave(*y.shape, step=0.3)
    for expand in (False, True):
        dx = apply(conv.Conv2DInputGrad(strides), dy, w, x, expand=expand)
        assert dx.shape == x.shape
        assert np.vdot(dx, x) == pytest.approx(np.vdot(dy, y), rel=1e-4, abs=1e-4)
    dw = apply(conv.Conv2DFilterGrad(strides, w.shape[:2]), x, dy)
    assert np.vdot(dw, w) == pytest.approx(np.vdot(dy, y), rel=1e-4, abs=1e-4)


POOLS = [
    ((2, 4, 6, 3), (2, 2), (2, 2)),
    ((1, 5, 5, 2), (2, 2), (2, 2)),
    ((1, 7, 8, 2), (3, 3), (2, 2)),
    ((2, 5, 6, 1), (1, 2), (2, 3)),
    ((1, 4, 4, 1), (2, 2), (1, 1)),
]


@pytest.mark.parametrize(("shape", "size", "strides"), POOLS)
def test_pools_and_their_adjoints(
    shape: tuple[int, ...], size: tuple[int, int], strides: tuple[int, int]
) -> None:
    x, (kh, kw), (sh, sw) = wave(*shape), size, strides
    rows, columns = (shape[1] - kh) // sh + 1, (shape[2] - kw) // sw + 1
    windows = np.array(
        [
            [x[:, i * sh : i * sh + kh, j * sw : j * sw + kw, :] for j in range(columns)]
            for i in range(rows)
        ]
    ).transpose(2, 0, 1, 3, 4, 5)
    top, index = MaxPool(size, strides).evaluate(np, x)
    np.testing.assert_array_equal(top, windows.max((3, 4)))
    total = apply(SumPool(size, strides), x)
    np.testing.assert_allclose(total, windows.sum((3, 4)), rtol=1e-5, atol=1e-6)
    dy = wave(*top.shape, step=0.3)
    expected_max, expected_sum = np.zeros_like(x), np.zeros_like(x)
    for n, i, j, c in np.ndindex(*top.shape):
        p, q = divmod(int(index[n, i, j, c]), kw)
        expected_max[n, i * sh + p, j * sw + q, c] += dy[n, i, j, c]
        expected_sum[n, i * sh : i * sh + kh, j * sw : j * sw + kw, c] += dy[n, i, j, c]
    for expand in (False, True):
        from_max = apply(MaxPoolGrad(size, strides), dy, index, x, expand=expand)
        np.testing.assert_allclose(from_max, expected_max, rtol=1e-5, atol=1e-6)
        from_sum = apply(SumPoolGrad(size, strides), dy, x, expand=expand)
        np.testing.assert_allclose(from_sum, expected_sum, rtol=1e-5, atol=1e-6)
    picked = apply(MaxPoolGather(size, strides), x, index)
    np.testing.assert_array_equal(picked, top)


def test_the_first_of_equal_elements_wins() -> None:
    y, index = MaxPool((2, 2), (2, 2)).evaluate(np, np.ones((1, 4, 4, 1), np.float32))
    assert (y == 1).all()
    assert (index == 0).all()


@pytest.mark.parametrize("expand", [False, True])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_same_padding(strides: int, expand: bool) -> None:
    x, w = wave(2, 7, 6, 2), wave(3, 4, 2, 3)
    with Graph().as_default():
        y = conv.conv2d(constant(x), w, [1, strides, strides, 1], "SAME", name="mine")
        assert y.op.name == "mine"
        value = evaluate(y, expand)
    assert value.shape[1:3] == (-(-7 // strides), -(-6 // strides))
    pads = [same_padding(e, k, strides) for e, k in ((7, 3), (6, 4))]
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    expected = correlate(padded, w, strides, strides)
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_channels_first_and_dilation() -> None:
    x, w = wave(1, 7, 8, 2), wave(2, 3, 2, 3)
    spread = np.zeros((3, 5, 2, 3), np.float32)
    spread[::2, ::2] = w
    with Graph().as_default():
        given = constant(x.transpose(0, 3, 1, 2))
        y = conv.conv2d(given, w, [1, 1, 1, 2], "VALID", True, "NCHW", [1, 1, 2, 2], name="mine")
        assert y.op.name == "mine"
        value = evaluate(y)
    expected = correlate(x, spread, 1, 2).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_transposed_convolution_is_the_adjoint(padding: str) -> None:
    x, w = wave(1, 6, 7, 2), wave(3, 3, 2, 4)
    with Graph().as_default():
        y = conv.conv2d(constant(x), w, 2, padding)
        dy = wave(*evaluate(y).shape, step=0.3)
        back = conv.conv2d_transpose(constant(dy), w, x.shape, 2, padding)
        for expand in (False, True):
            dx = evaluate(back, expand)
            assert dx.shape == x.shape
            assert np.vdot(dx, x) == pytest.approx(np.vdot(dy, evaluate(y)), rel=1e-4, abs=1e-4)


def test_padding_is_neither_the_largest_nor_counted() -> None:
    x = np.full((1, 3, 3, 1), -2, np.float32)
    with Graph().as_default():
        given = constant(x)
        top = max_pool(given, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
        mean = avg_pool(given, 2, 2, "SAME", name="mean")
        assert mean.op.name == "mean"
        assert (evaluate(top) == -2).all()
        assert (evaluate(mean) == -2).all()


def test_unknown_extents_stay_unknown() -> None:
    with Graph().as_default():
        x = placeholder("float32", [None, None, 8, 3])
        w = constant(wave(5, 5, 3, 4))
        assert conv.conv2d(x, w, 1, "SAME").static_shape == (None, None, 8, 4)
        assert conv.conv2d(x, w, 1, "VALID").static_shape == (None, None, 4, 4)
        assert max_pool(x, 2, 2, "SAME").static_shape == (None, None, 4, 3)


def test_mistakes_are_explained() -> None:
    with Graph().as_default():
        x, w = zeros([1, 5, 5, 3]), zeros([3, 3, 4, 2])
        with pytest.raises(ShapeError, match="input has 3 channels but the filter takes 4"):
            conv.conv2d(x, w, 1, "SAME")
        with pytest.raises(InvalidArgumentError, match="padding must be 'SAME' or 'VALID'"):
            max_pool(x, 2, 2, "same-ish")
        with pytest.raises(InvalidArgumentError, match="must be 1 along the batch"):
            max_pool(x, [1, 2, 2, 1], [2, 2, 2, 1], "SAME")
        with pytest.raises(InvalidArgumentError, match="strides must be positive"):
            max_pool(x, 2, 0, "SAME")
        with pytest.raises(ShapeError, match="do not fit into the input"):
            max_pool(x, 6, 1, "VALID")
