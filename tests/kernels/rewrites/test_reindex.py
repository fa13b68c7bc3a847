"""Pointwise consumers that are computed in the loops of what scatters."""

from __future__ import annotations

import thalweg as tf
from tests.kernels.rewrites.lowered import Program, check, fed
from thalweg.graph import Tensor
from thalweg.kernels.rewrites.reindex import reindex


def gradient_of_pooling() -> Tensor:
    """What is written once for each place in a window."""
    image, slope = fed("x", 1, 8, 8, 2), fed("s", 1, 4, 4, 2)
    pooled = tf.nn.max_pool(image, [1, 2, 2, 1], [1, 2, 2, 1], "VALID", name="best")
    (gradient,) = tf.gradients(pooled, image, grad_ys=slope, name="g")
    assert isinstance(gradient, tf.Tensor)
    return gradient


def test_a_pointwise_consumer_takes_the_loops_of_its_producer() -> None:
    program = Program(tf.tanh(tf.nn.relu(gradient_of_pooling(), name="relu"), name="y"))
    best = "best[n, i, j, c] = argmax[p<2, q<2](x[n, 2*i + p, 2*j + q, c])"
    check(
        program.text,
        f"""
        best[n, i, j, c] = max[p<2, q<2](x[n, 2*i + p, 2*j + q, c])  for n<1, i<4, j<4, c<2
        {best}  for n<1, i<4, j<4, c<2
        g/best_grad/MaxPoolGrad/MaxPoolScatter[n, 2*i + r, 2*j + u, c]
                = best[n, i, j, c] == 2*r + u ? s[n, i, j, c] : 0
                for n<1, i<4, r<2, j<4, u<2, c<2
        relu[i, j, k, l] = max(g/best_grad/MaxPoolGrad/MaxPoolScatter[i, j, k, l], 0)
                for i<1, j<8, k<8, l<2
        y[i, j, k, l] = tanh(relu[i, j, k, l])  for i<1, j<8, k<8, l<2  in fetch 0
        """,
    )
    program.run(reindex, program.kept)
    check(
        program.text,
        f"""
        {best}  for n<1, i<4, j<4, c<2
        relu[n, 2*i + r, 2*j + u, c] = max(best[n, i, j, c] == 2*r + u ? s[n, i, j, c] : 0, 0)
                for n<1, i<4, r<2, j<4, u<2, c<2
        y[i, j, k, l] = tanh(relu[i, j, k, l])  for i<1, j<8, k<8, l<2  in fetch 0
        """,
    )


def test_a_consumer_that_is_fetched_keeps_its_loops() -> None:
    """Nothing unused is left either: what the gradient does not need is dropped."""
    program = Program(tf.nn.relu(gradient_of_pooling(), name="relu"))
    program.run(reindex, program.kept)
    check(
        program.text,
        """
        best[n, i, j, c] = argmax[p<2, q<2](x[n, 2*i + p, 2*j + q, c])  for n<1, i<4, j<4, c<2
        g/best_grad/MaxPoolGrad/MaxPoolScatter[n, 2*i + r, 2*j + u, c]
                = best[n, i, j, c] == 2*r + u ? s[n, i, j, c] : 0
                for n<1, i<4, r<2, j<4, u<2, c<2
        relu[i, j, k, l] = max(g/best_grad/MaxPoolGrad/MaxPoolScatter[i, j, k, l], 0)
                for i<1, j<8, k<8, l<2  in fetch 0
        """,
    )
